"""What a project changes about actions in its file, without Python, ends up in the plan."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from handrail.builtin.project.targets import find_target
from handrail.errors import LocalCodeError, PackError, PlanError

SHIP = """
    from handrail import BaseAction, step

    @step
    def collect(context):
        pass

    @step
    def upload_files(context):
        pass

    @step
    def cleanup(context):
        pass

    class Ship(BaseAction):
        action_name = "ship"

        def setup_steps(self, registry):
            for each in (collect, upload_files, cleanup):
                registry.register(each)
"""
TOOLS = """
    from pathlib import Path
    from typing import Literal

    from handrail import BaseStep, StepResult, StepWrapper, step

    class ToWebp(BaseStep):
        name = "to_webp"
        progress_weight = 1.0

        def __init__(
            self,
            quality: int = 80,
            *,
            folder: Path = Path("."),
            mode: Literal["fast", "small"] = "fast",
            loose=None,
        ):
            if quality > 100:
                raise ValueError("quality is at most 100")
            self.quality, self.folder, self.mode, self.loose = quality, folder, mode, loose

        def execute(self, context):
            return StepResult()

    class Named(ToWebp):
        @property
        def name(self):
            return "named"

    class Needs(ToWebp):
        def __init__(self, target: str):
            pass

    @step
    def notify(context):
        pass

    class TimingStep(StepWrapper):
        pass

    class RetryStep(StepWrapper):
        def __init__(self, step, attempts: int = 3):
            super().__init__(step)
            self.attempts = attempts

    def no_step():
        return 3

    number = 3
"""
POINTS = {
    "to_webp": "acme_tools:ToWebp",
    "named": "acme_tools:Named",
    "needs": "acme_tools:Needs",
    "notify": "acme_tools:notify",
    "timing": "acme_tools:TimingStep",
    "retry": "acme_tools:RetryStep",
    "no_step": "acme_tools:no_step",
    "number": "acme_tools:number",
}


@pytest.fixture(autouse=True)
def installed(garden):
    """A pack with an action, and one with steps and wrappers."""
    garden.plant(
        "acme-ship",
        points={"actions": {"ship": "acme_ship:Ship"}},
        modules={"acme_ship/__init__.py": SHIP},
    )
    return garden.plant(
        "acme-tools",
        points={"steps": POINTS},
        modules={"acme_tools/__init__.py": TOOLS},
    )


def action_of(packs, name="ship"):
    return packs.catalog.load("actions", name)({}, packs=packs)


def plan(packs, toml):
    return action_of(packs(toml)).plan()


def names(packs, toml):
    return [planned.name for planned in plan(packs, toml)]


def problems(packs, toml):
    """Return `code, sentence, way out` of everything that the plan is refused for."""
    with pytest.raises(PlanError) as caught:
        plan(packs, toml)
    return [
        (each.code, each.message, *each.details, *each.ways_out) for each in caught.value.problems
    ]


def change(line):
    return f"[actions.ship]\n{line}\n"


# Inserting


@pytest.mark.parametrize(
    ("insert", "expected"),
    [
        ('{ step = "to_webp", before = "upload_files" }', "collect to_webp upload_files cleanup"),
        (
            '{ step = "acme-tools:to_webp", after = "collect" }',
            "collect to_webp upload_files cleanup",
        ),
        ('{ step = "to_webp" }', "collect upload_files cleanup to_webp"),
        ('{ step = "to_webp", as = "x", before = "collect" }', "x collect upload_files cleanup"),
        ('{ step = "named", as = "x", before = "collect" }', "x collect upload_files cleanup"),
        ('{ step = "notify", as = "x", before = "collect" }', "x collect upload_files cleanup"),
        (
            '{ step = "notify", before = "nobody", if_missing = "skip" }',
            "collect upload_files cleanup",
        ),
        (
            '{ step = "notify", as = "a", before = "cleanup" }, { step = "notify", before = "a" }',
            "collect upload_files notify a cleanup",
        ),
    ],
)
def test_steps_are_put_in(packs, insert, expected):
    """A step stands where the file says, under its own name or another, also several times."""
    assert names(packs, change(f"insert = [{insert}]")) == expected.split()


def test_a_step_has_the_name_that_it_was_given(packs):
    """The step itself answers with that name, and the object of the pack stays what it is."""
    (first, *_) = plan(
        packs, change('insert = [{ step = "notify", as = "x", before = "collect" }]')
    )
    assert first.step.name == "x"
    assert sys.modules["acme_tools"].notify.name == "notify"


def test_origin_and_reason(packs):
    """The step is of its pack, and the reason has the line that put it in."""
    planned = plan(packs, change('insert = [{ step = "to_webp", before = "collect" }]')).steps[0]
    assert str(planned.origin) == "acme-tools 1.4.0"
    assert planned.reason == "before collect, handrail.toml:2"


def test_options_reach_the_step(packs):
    """Options are passed on as the annotations want them: a text becomes a path."""
    options = '{ quality = 85, folder = "/x", mode = "small", loose = [1] }'
    insert = f'insert = [{{ step = "to_webp", before = "collect", options = {options} }}]'
    step = plan(packs, change(insert)).steps[0].step
    assert (step.quality, str(step.folder), step.mode, step.loose) == (85, "/x", "small", [1])


def test_a_group_is_put_in_with_the_origin_of_each_step(packs, garden):
    """Its lanes stand side by side; what other edits hang on its steps stands in their lanes."""
    garden.plant(
        "acme-more",
        points={"steps": {"count": "acme_more:count"}},
        modules={
            "acme_more/__init__.py": """
                from handrail import step

                @step
                def count(context):
                    pass
            """
        },
    )
    made = plan(
        packs,
        change(
            'insert = [{ parallel = "checks", lanes = [["notify", "to_webp"], "count"], '
            'before = "upload_files", concurrency = 1 }, { step = "named", after = "notify" }]'
        ),
    )
    assert [(each.name, each.lane, str(each.origin.pack)) for each in made] == [
        ("collect", None, "acme-ship"),
        ("notify", 0, "acme-tools"),
        ("named", 0, "acme-tools"),
        ("to_webp", 0, "acme-tools"),
        ("count", 1, "acme-more"),
        ("upload_files", None, "acme-ship"),
        ("cleanup", None, "acme-ship"),
    ]
    assert [(group.name, group.limit) for group in made.groups] == [("checks", 1)]
    assert made.steps[1].reason == "before upload_files, handrail.toml:2"


def test_a_group_with_a_step_that_is_not_there_is_left_out_as_a_whole(packs):
    """The problem has the line of that step."""
    found = problems(packs, change('insert = [{ parallel = "m", lanes = ["notify", "absent"] }]'))
    assert [each[0] for each in found] == ["not-found"]
    assert "handrail.toml:2" in found[0][1]


def workflow_of(packs, toml):
    installed = packs(toml)
    target = find_target(installed, Path(), "nightly")
    return target.action_class({}, packs=installed)


def test_a_workflow_of_steps_is_an_action_of_its_own(packs):
    """Its steps are of their packs, and packs and the project shape it like any other."""
    action = workflow_of(
        packs,
        """
[workflows.nightly]
steps = ["notify", { parallel = "media", lanes = ["to_webp", { step = "notify", as = "tell" }] }]
insert = [{ step = "named", after = "media" }]
""",
    )
    assert (action.info.name, action.info.lineage) == ("nightly", ("nightly",))
    assert action.info.origin.place == "handrail.toml:2"
    made = action.plan()
    assert [(each.name, each.group, each.lane, each.reason) for each in made] == [
        ("notify", None, None, "base"),
        ("to_webp", "media", 0, "base"),
        ("tell", "media", 1, "base"),
        ("named", None, None, "after media, handrail.toml:4"),
    ]
    assert str(made.steps[0].origin) == "acme-tools 1.4.0"


@pytest.mark.parametrize(
    ("steps", "code", "said"),
    [
        ('"absent"', "not-found", "handrail.toml:2: there is no step 'absent'"),
        ('"notify", "notify"', "duplicate-step", "handrail.toml:2: step name 'notify'"),
        (
            '"notify", { parallel = "notify", lanes = ["to_webp"] }',
            "duplicate-step",
            "handrail.toml:2: step name 'notify' of group of handrail.toml:2 is taken",
        ),
        ('"timing"', "bad-option", "handrail.toml:2: timing is a wrapper"),
        ('{ step = "to_webp", options = { quality = "x" } }', "bad-option", "handrail.toml:2"),
        ('"tidy"', None, ""),
        (
            '{ parallel = "media", lanes = ["notify", "tidy"] }',
            "invalid-step",
            "handrail.toml:2: step 'tidy' of group 'media' always runs",
        ),
        ('"picky"', "context-type", "which works on a PickyContext"),
    ],
)
def test_what_is_wrong_with_the_steps_of_a_workflow_is_told_with_its_line(
    packs, garden, steps, code, said
):
    """Before anything of it runs, together with all the rest."""
    garden.plant(
        "acme-more",
        points={"steps": {"tidy": "acme_more:Tidy", "picky": "acme_more:Picky"}},
        modules={
            "acme_more/__init__.py": """
                from handrail import BaseStep, BaseStepContext, StepResult

                class PickyContext(BaseStepContext):
                    pass

                class Tidy(BaseStep):
                    name = "tidy"
                    progress_weight = 1
                    always_run = True

                    def execute(self, context):
                        return StepResult()

                class Picky(BaseStep[PickyContext]):
                    name = "picky"
                    progress_weight = 1

                    def execute(self, context):
                        return StepResult()
            """
        },
    )
    action = workflow_of(packs, f"[workflows.nightly]\nsteps = [{steps}]\n")
    if code is None:
        assert [each.always_run for each in action.plan()] == [True]
        return
    with pytest.raises(PlanError) as caught:
        action.plan()
    (problem,) = caught.value.problems
    assert problem.code == code
    assert said in problem.message


@pytest.mark.parametrize(
    ("step", "options", "said"),
    [
        (
            "to_webp",
            "qualty = 85",
            "got an unexpected keyword argument 'qualty'; it takes (quality, folder, mode, loose)",
        ),
        ("notify", "zzz = 85", "there is no option zzz"),
        (
            "to_webp",
            'quality = "85"',
            "the option quality is '85': input should be a valid integer",
        ),
        (
            "to_webp",
            'mode = "tiny"',
            "the option mode is 'tiny': input should be 'fast' or 'small'",
        ),
        ("needs", "", "missing a required argument: 'target'; it takes (target)"),
    ],
)
def test_wrong_options_are_told(packs, step, options, said):
    """An option that does not exist, has the wrong type or is missing is told with the line."""
    insert = f'insert = [{{ step = "{step}", before = "collect", options = {{ {options} }} }}]'
    assert problems(packs, change(insert)) == [("bad-option", f"handrail.toml:2: {step}: {said}")]


@pytest.mark.parametrize(
    ("insert", "code", "said"),
    [
        ('{ step = "to_wbp" }', "not-found", "there is no step 'to_wbp'"),
        ('{ step = "acme-tools:to_wbp" }', "not-found", "acme-tools 1.4.0 has no step 'to_wbp'"),
        ('{ step = "timing" }', "bad-option", "timing is a wrapper"),
        ('{ step = "no_step" }', "invalid-step", "no_step made 3, which is not a step"),
        ('{ step = "number" }', "invalid-step", "number is 3, which does not make a step"),
        (
            '{ step = "to_webp", options = { quality = 101 } }',
            "bad-option",
            "to_webp cannot be made: ValueError: quality is at most 100",
        ),
    ],
)
def test_what_cannot_be_put_in_is_told(packs, insert, code, said):
    """A name that leads nowhere, or to something else than a step, is told with the line."""
    (problem,) = problems(packs, change(f"insert = [{insert}]"))
    assert problem[:2] == (code, f"handrail.toml:2: {said}")


def test_near_names(packs):
    """A misspelt step, pack or anchor comes with what was probably meant."""
    found = problems(
        packs,
        change(
            'insert = [{ step = "to_wbp" }, { step = "acme-tolls:to_webp" },\n'
            '{ step = "notify", before = "upload_fils" }]\nremove = ["colect"]'
        ),
    )
    assert [any("did you mean" in line for line in each) for each in found] == [True] * 4
    assert "did you mean upload_files?" in found[2]
    assert "handrail.toml:4" in found[3]


def test_a_name_of_two_packs(packs, garden):
    """A bare name that two packs offer is told with both; with its pack it is clear."""
    garden.plant(
        "acme-other", points={"steps": {"notify": "acme_other:x"}}, modules={"acme_other.py": ""}
    )
    ((code, message, way),) = problems(packs, change('insert = [{ step = "notify" }]'))
    assert code == "ambiguous-name"
    assert "acme-other 1.4.0 and acme-tools 1.4.0" in message
    assert way == "say which:  acme-other:notify  or  acme-tools:notify"
    assert names(packs, change('insert = [{ step = "acme-tools:notify" }]'))[-1] == "notify"


def test_a_step_of_a_pack_that_is_off(packs):
    """A step whose pack is off refuses the plan, and says why it is off."""
    found = packs(change('insert = [{ step = "notify" }]'), no_packs=("acme-tools",))
    with pytest.raises(PlanError) as caught:
        action_of(found).plan()
    assert caught.value.problems[0].ways_out == ("acme-tools has it and is off: --no-pack",)


def test_a_step_of_a_broken_pack(packs, installed):
    """A step whose pack cannot be imported stops the plan with the error of the pack."""
    installed.modules[0].write_text("1 / 0")
    with pytest.raises(PackError, match="ZeroDivisionError"):
        plan(packs, change('insert = [{ step = "notify" }]'))


def test_doctor_finds_it(packs):
    """What cannot be put in is found without a plan, for every action of the file."""
    found = packs(change('insert = [{ step = "to_wbp" }]') + LOCAL.replace("acme_steps", "gone"))
    assert [problem.code for problem in found.check()] == ["not-found"]


def test_a_name_of_the_project_that_is_not_there(packs):
    """A step called `local:` is never something to install."""
    ((_, message, *ways),) = problems(packs, change('insert = [{ step = "local:count" }]'))
    assert message == "handrail.toml:2: this project has no step 'count'"
    assert not any("pip" in way for way in ways)


# Removing and wrapping


def test_steps_are_removed(packs):
    """The project takes out any step, also of a pack, and needs no grant."""
    assert names(packs, change('remove = ["collect", "cleanup"]')) == ["upload_files"]


def test_layers_first_is_outermost(packs):
    """The first wrapper of the list is outermost; options reach the wrappers."""
    wrap = 'wrap.upload_files = ["timing", { use = "acme-tools:retry", attempts = 5 }]'
    planned = plan(packs, change(wrap)).steps[1]
    assert [layer.name for layer in planned.layers] == ["timing", "retry"]
    assert [str(layer.origin) for layer in planned.layers] == ["acme-tools 1.4.0"] * 2
    assert [layer.reason for layer in planned.layers] == ["handrail.toml:2"] * 2
    assert planned.name == "upload_files"
    assert planned.step.wrapped.attempts == 5


@pytest.mark.parametrize(
    ("wrap", "said"),
    [
        ('["timng"]', "there is no step 'timng'"),
        ('["to_webp"]', "to_webp is not a wrapper"),
        ('["notify"]', "notify is not a wrapper"),
        ('[{ use = "retry", attemps = 5 }]', "retry: got an unexpected keyword argument 'attemps'"),
        ('[{ use = "retry", attempts = "5" }]', "retry: the option attempts is '5'"),
    ],
)
def test_wrong_wrappers_are_told(packs, wrap, said):
    """A wrapper that does not exist, is none, or has other options is told with the line."""
    (problem,) = problems(packs, change(f"wrap.upload_files = {wrap}"))
    assert problem[1].startswith(f"handrail.toml:2: {said}")


def test_a_wrapped_step_that_is_not_there(packs):
    """A misspelt step to wrap is told with the line and near names."""
    ((code, _, place, hint),) = problems(packs, change('wrap.upload_fils = ["timing"]'))
    assert (code, place, hint) == (
        "unknown-step",
        "handrail.toml:2",
        "did you mean upload_files?",
    )


def test_the_project_comes_last(packs, garden):
    """On one side of one anchor the project sits closer than any pack, and wraps outermost."""
    garden.plant_hooks(
        "acme-zzz",
        """
        from handrail import StepWrapper, hookimpl, step

        class ZStep(StepWrapper):
            pass

        @step
        def late(context):
            pass

        @hookimpl
        def insert_before(action, step):
            if step.name == "upload_files":
                return late

        @hookimpl
        def wrap_step(action, step):
            return ZStep(step)
        """,
    )
    toml = 'insert = [{ step = "notify", before = "upload_files" }]\nwrap.upload_files = ["timing"]'
    made = plan(packs, change(toml))
    assert [planned.name for planned in made] == [
        "collect",
        "late",
        "notify",
        "upload_files",
        "cleanup",
    ]
    assert [layer.name for layer in made.steps[3].layers] == ["timing", "z"]
    # Packs are asked about the steps of the project as about any other.
    assert [layer.name for layer in made.steps[2].layers] == ["z"]


def test_the_plan_does_not_depend_on_the_line(packs):
    """The same change on another line gives the same fingerprint."""
    toml = change('insert = [{ step = "notify" }]\nwrap.notify = ["timing"]')
    assert plan(packs, toml).fingerprint == plan(packs, "\n\n" + toml).fingerprint


def test_an_action_without_steps_has_nothing_to_change(packs, garden):
    """A change of an action that runs in one piece is an error, not a run of that change."""
    source = """
        from handrail import BaseAction

        class Simple(BaseAction):
            def execute(self):
                return 1
    """
    garden.plant(
        "acme-simple",
        points={"actions": {"simple": "acme_simple:Simple"}},
        modules={"acme_simple/__init__.py": source},
    )
    found = packs('[actions.simple]\ninsert = [{ step = "notify" }]\n')
    with pytest.raises(PlanError) as caught:
        action_of(found, "simple").plan()
    assert caught.value.problems[0].message == (
        "handrail.toml:2: simple runs in one piece, so there are no steps to change"
    )


# The project's own files

STEPS = '''
"""Steps of the project."""

from handrail import action, step

@step
def count(context):
    """Count the files."""

sending = action("sending", [count])
'''


@pytest.fixture
def files(garden):
    """A project with a file of steps; its modules are forgotten afterwards."""
    (garden.project / "acme_steps.py").write_text(STEPS)
    return garden.project


LOCAL = '[local.steps]\ncount = "acme_steps.py:count"\n'


@pytest.mark.parametrize("name", ["count", "local:count"])
@pytest.mark.parametrize("target", ["acme_steps.py:count", "acme_steps:count"])
def test_own_steps_are_put_in(packs, files, name, target, monkeypatch):
    """A step in a file or a module of the project is named like one of a pack."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    toml = LOCAL.replace("acme_steps.py:count", target)
    planned = plan(packs, toml + change(f'insert = [{{ step = "{name}", before = "collect" }}]'))
    assert planned.steps[0].name == "count"
    assert planned.steps[0].origin.owner == target.partition(":")[0]


def test_own_names_are_listed_without_being_imported(packs, files):
    """The catalogue has the project's names, and nothing is imported for that."""
    found = packs(LOCAL + '[local.actions]\nsending = "acme_steps.py:sending"\n')
    offered = [
        (record.id, entry.name)
        for kind in ("actions", "steps")
        for record, entry in found.catalog.offers(kind)
        if record.is_local
    ]
    assert offered == [("local", "sending"), ("local", "count")]
    assert "acme_steps" not in sys.modules
    assert "local" not in [record.id for record in found.records]


def test_own_code_that_cannot_be_imported(packs, files):
    """A file of the project that raises is told with its line."""
    (files / "acme_steps.py").write_text("\n1 / 0\n")
    with pytest.raises(LocalCodeError, match=r"acme_steps\.py:2.*ZeroDivisionError"):
        plan(packs, LOCAL + change('insert = [{ step = "count" }]'))


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("acme_stps.py:count", "there is no file acme_stps.py"),
        ("acme_steps.py:cont", "acme_steps.py has no cont"),
    ],
)
def test_own_names_that_lead_nowhere(packs, files, target, said):
    """A file or a name in it that is not there is told with near names."""
    toml = LOCAL.replace("acme_steps.py:count", target)
    (problem,) = problems(packs, toml + change('insert = [{ step = "count" }]'))
    assert said in problem[1]
    assert problem[2].startswith("did you mean")


def test_a_workflow_called_like_an_action(packs):
    """A workflow with the name of an installed action is an error that names both."""
    found = packs('[workflows.ship]\nextends = "acme-ship:ship"\n')
    (problem,) = found.settings_problems
    assert problem.code == "duplicate-action"
    assert problem.message == (
        "handrail.toml:1: the workflow ship has the name of an action of acme-ship 1.4.0"
    )


def test_a_workflow_called_like_an_action_that_is_off(packs):
    """Where the pack with that action is off, nobody is mistaken."""
    found = packs('[workflows.ship]\nextends = "other"\n', no_packs=("acme-ship",))
    assert found.settings_problems == ()


def test_changes_of_an_action_that_is_not_installed(packs):
    """A table for an action of which nobody knows is a warning: its pack may be missing here."""
    found = packs("[actions.backup]\n")
    assert found.settings_problems == ()
    assert [problem.message for problem in found.warnings] == [
        "handrail.toml:1: [actions.backup] is about an action that is not installed"
    ]


@pytest.mark.parametrize(
    ("toml", "way"),
    [
        ("[actions.shp]\n", "did you mean ship?"),
        ('[actions.w]\n[workflows.w]\nextends = "ship"\n', "write it into [workflows.w]"),
    ],
)
def test_changes_of_an_action_that_is_not_there(packs, toml, way):
    """A table for an action that is misspelt, or is a workflow, is an error."""
    (problem,) = packs(toml).settings_problems
    assert (problem.code, problem.ways_out) == ("unknown-action", (way,))
