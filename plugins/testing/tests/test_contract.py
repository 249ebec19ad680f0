"""The contract of a pack: every promise that is broken is found, and told with the way out."""

from __future__ import annotations

import inspect
import unittest
from dataclasses import dataclass, field

import pytest
from pydantic import BaseModel

from handrail import BaseAction, BaseStepContext, RuntimeContext, action, step
from handrail.errors import NotFoundError
from handrail_testing import FakePacks, PackContract
from handrail_testing.checks import CHECKS, Verdict, examine
from handrail_testing.checks.subject import Subject, record_of

STEPS = """
    from handrail import BaseStep, StepResult

    MADE = set()

    class ScanFiles(BaseStep):
        name = "scan_files"
        progress_weight = 0.5

        def execute(self, context):
            context.record_rollback("made", "report")
            MADE.add("report")
            return StepResult()

        def rollback(self, context, result):
            for name in result.rollback_data.get("made", []):
                MADE.discard(name)
"""
HOOKS = """
    from handrail import hookimpl
    from acme_scan.steps import ScanFiles

    @hookimpl
    def insert_before(action, step):
        return ScanFiles() if step.name == "upload_files" else None
"""


@step
def upload_files(context): ...


upload = action("upload", [upload_files])


@dataclass(kw_only=True)
class Context(BaseStepContext):
    seen: list[str] = field(default_factory=list)


def make_context() -> Context:
    return Context(runtime_ctx=RuntimeContext())


@pytest.fixture
def packs():
    with FakePacks() as made:
        yield made


@pytest.fixture
def verdict(packs: FakePacks):
    """Return what comes of one check of acme-scan, with its parts as they are or replaced."""

    def check(
        name: str,
        *,
        steps: str = STEPS,
        hooks: str | None = HOOKS,
        more=None,
        made=None,
        files=None,
        commands=None,
        options=None,
        views=None,
        **given,
    ):
        points = {"scan_files": "acme_scan.steps:ScanFiles", **(more or {})}
        modules = {"acme_scan/steps.py": steps, **(files or {})}
        others = {"commands": commands, "options": options or {}, "views": views or {}}
        packs.add("acme-scan", hooks=hooks, steps=points, modules=modules, **others)
        subject = Subject(record=record_of("acme-scan"), steps=made or {}, **given)
        return examine(subject, next(each for each in CHECKS if each.name == name))

    return check


def told(verdict: Verdict) -> str:
    assert verdict.status in ("failed", "warned"), verdict
    assert all(problem.ways_out for problem in verdict.problems if problem.code != "not-undone")
    return "\n".join(
        line
        for problem in verdict.problems
        for line in (problem.message, *problem.details, *problem.ways_out)
    )


def test_a_good_pack_keeps_every_promise(packs: FakePacks) -> None:
    packs.add(
        "acme-scan",
        hooks=HOOKS,
        steps={"scan_files": "acme_scan.steps:ScanFiles"},
        modules={"acme_scan/steps.py": STEPS},
    )

    def world():
        from acme_scan.steps import MADE

        return set(MADE)

    subject = Subject(
        record=record_of("acme-scan"), context=make_context, world=world, actions=(upload,)
    )
    verdicts = {each.name: examine(subject, each) for each in CHECKS}
    unchecked = {name: each.why for name, each in verdicts.items() if each.status == "unchecked"}
    assert unchecked == {
        "metadata": "its pyproject.toml is not here",
        "layers": "it has no layers, or they need arguments",
        "runs": "it takes no part in runs",
        "skip": "none of its steps has a can_skip",
    }
    rest = {name: each for name, each in verdicts.items() if name not in unchecked}
    assert {each.status for each in rest.values()} == {"passed"}, rest


OBSERVER = """
    from handrail import hookimpl
    from handrail.events import StepFailed

    @hookimpl
    def observe(event):
        if isinstance(event, StepFailed):
            print(event.reason)
"""
CHECK = """
    from handrail import Problem, hookimpl

    @hookimpl
    def check_run(action):
        return {answer}
"""
PERFORMER = """
    from handrail import StepResult, hookimpl
    from handrail.places import Performer

    class Elsewhere(Performer):
        def takes(self, plan):
            return [0] if plan.steps else []

        def attempt(self, line, resumed):
            {first}
            return line.planned.step.execute(line.context)

    @hookimpl
    def perform():
        return {made}
"""


def test_an_observer_that_would_be_dropped_is_told(verdict) -> None:
    assert "observe of acme-scan" in told(verdict("runs", hooks=OBSERVER))


def test_an_observer_hears_all_of_a_run(verdict) -> None:
    heard = OBSERVER.replace("event.reason", "event.error")
    assert verdict("runs", hooks=heard).status == "passed"


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ("None", "passed"),
        ("'no'", "failed"),
        ("Problem(code='late', message='not on a Friday')", "unchecked"),
    ],
)
def test_a_check_of_runs_answers_with_problems(verdict, answer: str, status: str) -> None:
    """If it refuses the run of the contract, as it may, nothing else is known."""
    assert verdict("runs", hooks=CHECK.format(answer=answer)).status == status


@pytest.mark.parametrize(
    ("first", "made", "status"),
    [
        ("", "Elsewhere()", "passed"),
        ("", "Elsewhere", "failed"),
        ("return StepResult()", "Elsewhere()", "failed"),
    ],
)
def test_a_performer_changes_no_outcome(verdict, first: str, made: str, status: str) -> None:
    assert verdict("runs", hooks=PERFORMER.format(first=first, made=made)).status == status


@pytest.mark.parametrize(
    ("group", "name", "value", "status"),
    [
        ("commands", "sum", "told", "passed"),
        ("commands", "sum", "untold", "failed"),
        ("options", "run.sum", "option", "passed"),
        ("options", "run.total", "option", "failed"),
        ("options", "plan.sum", "option", "failed"),
        ("views", "html", "shown", "passed"),
        ("views", "html", "lost", "failed"),
        ("views", "html", "number", "failed"),
    ],
)
def test_what_it_gives_people_can_be_used(verdict, group, name, value, status) -> None:
    hands = """
        import click
        from handrail.cli import Option

        told = click.Command("sum", help="Add them up.")
        untold = click.Command("sum")
        option = Option(click_params=[click.Option(["--sum"])], apply=lambda request: request)

        def shown(value):
            return None

        def lost(value):
            return value.nothing

        def number(value):
            return 1
    """
    found = verdict(
        "names",
        hooks=None,
        files={"acme_scan/hands.py": hands},
        **{group: {name: f"acme_scan.hands:{value}"}},
    )
    assert found.status == status


def test_who_takes_no_part_in_runs_is_not_tried_in_one(verdict) -> None:
    assert verdict("runs").why == "it takes no part in runs"


def test_a_pack_that_does_not_load_is_told_once(verdict) -> None:
    assert "No module named 'acme_nothing'" in told(verdict("loads", hooks="import acme_nothing"))


def test_other_checks_wait_until_it_loads(verdict) -> None:
    assert verdict("names", hooks="import acme_nothing").why == "it does not load"


def test_a_pack_that_is_switched_off_is_checked_all_the_same(packs, monkeypatch) -> None:
    packs.add("acme-old", hooks="", requires=("handrail>=99",))
    monkeypatch.setenv("HANDRAIL_NO_PACKS", "acme-old")
    assert "wants handrail>=99" in told(examine(Subject(record=record_of("acme-old")), CHECKS[0]))


def test_a_misspelt_hook_is_told(verdict) -> None:
    hooks = "from handrail import hookimpl\n@hookimpl\ndef insert_befor(action, step): ...\n"
    assert "did you mean insert_before" in told(verdict("loads", hooks=hooks))


def test_hooks_that_import_something_heavy_are_told(verdict) -> None:
    found = told(verdict("imports", steps="import pluggy, hypothesis\n" + inspect.cleandoc(STEPS)))
    assert "acme_scan/steps.py:1 imports hypothesis" in found
    assert "every plan then loads" in found
    assert 'imports = ("hypothesis",)' in found
    assert "pluggy" not in found


def test_the_budget_can_be_raised(verdict) -> None:
    steps = "import hypothesis\n" + inspect.cleandoc(STEPS)
    assert verdict("imports", steps=steps, imports=("hypothesis",)).status == "passed"


def test_an_import_that_the_pack_does_not_require_is_told(verdict) -> None:
    steps = "import hypothesis\n" + inspect.cleandoc(STEPS)
    found = told(verdict("imports", steps=steps, hooks=None))
    assert "imports hypothesis, which acme-scan 1.0 does not require" in found
    assert "dependencies = [..., 'hypothesis']" in found


def test_what_it_requires_may_be_imported_where_it_is_used(packs: FakePacks) -> None:
    packs.add(
        "acme-scan",
        steps={"scan_files": "acme_scan.steps:ScanFiles"},
        modules={"acme_scan/steps.py": "import hypothesis\n" + inspect.cleandoc(STEPS)},
        requires=("handrail", "hypothesis>=6"),
    )
    check = next(each for each in CHECKS if each.name == "imports")
    assert examine(Subject(record=record_of("acme-scan")), check).status == "passed"


def test_an_optional_import_that_is_absent_is_no_import(verdict) -> None:
    steps = "try:\n    import acme_absent\nexcept ImportError:\n    pass\n" + inspect.cleandoc(
        STEPS
    )
    assert verdict("imports", steps=steps).status == "passed"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("open('{tmp}/x', 'w')", "for writing"),
        ("import os; os.mkdir('{tmp}/x')", "makes a folder: "),
        ("import threading; threading.Thread(target=int).start()", "starts a thread"),
        ("import subprocess; subprocess.run(['true'])", "starts a program: true"),
        ("import os; os.environ['ACME'] = '1'", "sets a variable of the environment: ACME"),
        ("import socket; socket.getaddrinfo('localhost', 80)", "the address of a host: localhost"),
        ("import logging; logging.basicConfig()", "changes the handlers of the root logger"),
        ("import signal; signal.signal(2, signal.SIG_IGN)", "changes the handler of SIGINT"),
        ("import sqlite3; sqlite3.connect('{tmp}/x')", "opens a database: "),
        ("import sys; sys.modules['unittest.mock']", "cannot be imported by itself: KeyError"),
        ("print('acme', 'is here')", "prints 'acme is here'"),
        ("import os; os._exit(3)", "ends the process"),
    ],
)
def test_side_effects_of_an_import_are_told(verdict, tmp_path, line: str, what: str) -> None:
    once = "import os as _os\nif 'probe' in __import__('sys').argv[0]:\n    "
    steps = once + line.format(tmp=tmp_path) + "\n" + inspect.cleandoc(STEPS)
    found = told(verdict("effects", steps=steps))
    assert what in found
    has_no_place = any(word in what for word in ("prints", "changes", "ends", "cannot"))
    assert has_no_place or "at acme_scan/steps.py:3" in found


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('name = "scan_files"', 'name = "scan"', "leads to a step called 'scan'"),
        (
            'name = "scan_files"',
            "name = property(lambda self: f'scan_files_{id(self)}')",
            "and then 'scan_files_",
        ),
    ],
)
def test_names_that_are_not_what_they_say_are_told(verdict, old, new, what) -> None:
    found = told(verdict("names", steps=STEPS.replace(old, new)))
    assert what in found
    assert "at acme_scan/steps.py:" in found


def test_a_step_that_is_named_by_its_user_may_be_called_otherwise(verdict) -> None:
    steps = STEPS.replace(
        'name = "scan_files"', 'def __init__(self, name="scan"):\n            self.name = name'
    )
    assert verdict("names", steps=steps).status == "passed"


def test_a_misspelt_group_of_entry_points_is_told(packs: FakePacks) -> None:
    fake = packs.add("acme-typo", modules={"acme_typo/steps.py": STEPS})
    file = fake.info / "entry_points.txt"
    file.write_text("[handrail.step]\nscan_files = acme_typo.steps:ScanFiles\n")
    check = next(each for each in CHECKS if each.name == "names")
    found = told(examine(Subject(record=record_of("acme-typo")), check))
    assert "entry points in handrail.step, which nobody reads" in found
    assert "did you mean handrail.steps" in found


@pytest.mark.parametrize("there", [True, False])
def test_a_group_of_entry_points_of_an_installed_package_is_that_ones(
    packs: FakePacks, there: bool
) -> None:
    """Packs may have groups of their own, which no name of core's is meant by."""
    modules = {"acme_kinds/steps.py": STEPS, "handrail_a/__init__.py": ""}
    fake = packs.add(
        "acme-kinds", modules=modules, steps={"scan_files": "acme_kinds.steps:ScanFiles"}
    )
    points = fake.info / "entry_points.txt"
    package = "handrail_a" if there else "handrail_b"
    points.write_text(
        f"{points.read_text()}\n[{package}.steps]\nfast = acme_kinds.steps:ScanFiles\n"
    )
    check = next(each for each in CHECKS if each.name == "names")
    verdict = examine(Subject(record=record_of("acme-kinds")), check)
    assert verdict.status == ("passed" if there else "failed"), verdict


def test_two_steps_of_one_name_are_told(verdict) -> None:
    steps = STEPS + '\n    class Other(ScanFiles):\n        aliases = ("again",)\n'
    found = told(verdict("names", steps=steps, more={"again": "acme_scan.steps:Other"}))
    assert "step name 'scan_files' of Other of acme_scan.steps is taken" in found
    assert "at acme_scan/steps.py:" in found


def test_a_wrapper_goes_by_the_name_of_what_it_is_around(verdict) -> None:
    steps = STEPS + "\n    from handrail import StepWrapper\n    class Log(StepWrapper): ...\n"

    def wrapped():
        from acme_scan.steps import Log, ScanFiles

        return Log(ScanFiles())

    more = {"log": "acme_scan.steps:Log"}
    assert verdict("names", steps=steps, more=more, made={"log": wrapped}).status == "passed"


LAYER = """
    from handrail import Run, StepResult, StepWrapper, Undo, hookimpl

    class Layer(StepWrapper):
{body}

    @hookimpl
    def wrap_step(action, step):
        return Layer(step) if step.name == "upload_files" else None
"""
LAYER_BY_EDIT = (
    LAYER.partition("    @hookimpl")[0]
    + """
    @hookimpl
    def setup_steps(action, registry):
        registry.wrap("upload_files", {wrapper})
"""
)
SWALLOWS = """
        def around(self, context):
            try:
                return (yield Run())
            except Exception:
                return StepResult()
"""
FORGIVES = """
        def around(self, context):
            result = yield Run()
            return StepResult()
"""
EMPTIES = """
        def around(self, context):
            result = yield Run()
            result.rollback_data.clear()
            return result
"""
STAYS = """
        def rollback(self, context, result):
            pass
"""
RETRIES = """
        def around(self, context):
            while True:
                try:
                    return (yield Run())
                except OSError:
                    yield Undo()
"""


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (SWALLOWS, "it makes a success of a step that failed"),
        (FORGIVES, "it makes a success of a step that failed"),
        (EMPTIES, "it changes what the step returned"),
        (STAYS, "it overrides rollback"),
    ],
)
def test_a_layer_that_hides_something_is_told(verdict, body, text) -> None:
    found = told(verdict("layers", hooks=LAYER.format(body=body), actions=(upload,)))
    assert text in found
    assert "changes = True" in found


@pytest.mark.parametrize("wrapper", ["Layer", "lambda step: StepWrapper(Layer(step))"])
@pytest.mark.parametrize(
    ("body", "problems"),
    [
        (SWALLOWS, ["layer-changes-step"]),
        (STAYS, ["layer-changes-step"]),  # Planning refuses it, too: it needs a grant.
        ("        changes = True\n" + STAYS, []),
    ],
)
def test_a_layer_that_is_put_around_a_registered_step_is_checked_too(
    verdict, wrapper, body, problems
) -> None:
    hooks = LAYER_BY_EDIT.format(wrapper=wrapper, body=body)
    found = verdict("layers", hooks=hooks, actions=(upload,))
    assert [each.code for each in found.problems] == problems
    assert found.status != "unchecked"


def test_a_layer_of_a_pack_around_a_step_of_its_own_is_free(verdict) -> None:
    hooks = LAYER_BY_EDIT.format(wrapper="Layer", body=STAYS).replace("upload_files", "scan_files")
    assert verdict("layers", hooks=HOOKS + hooks, actions=(upload,)).status == "unchecked"


@pytest.mark.parametrize("body", [SWALLOWS, STAYS])
def test_a_layer_that_says_that_it_changes_the_step_passes(verdict, body) -> None:
    """Each project decides about it, by a grant."""
    hooks = LAYER.format(body="        changes = True\n" + body)
    assert verdict("layers", hooks=hooks, actions=(upload,)).status == "passed"


@pytest.mark.parametrize("body", [RETRIES, "        pass\n"])
def test_a_layer_that_watches_or_retries_passes(verdict, body) -> None:
    """Also one that retries without end."""
    checked = verdict("layers", hooks=LAYER.format(body=body), actions=(upload,))
    assert checked.status == "passed"


def test_a_layer_that_is_offered_by_name_is_checked_too(verdict) -> None:
    steps = STEPS + LAYER.format(body=SWALLOWS)
    found = verdict("layers", steps=steps, more={"layer": "acme_scan.steps:Layer"})
    assert "Layer does more than watch or retry" in told(found)


def test_entry_points_that_lead_to_something_else_are_told(packs: FakePacks) -> None:
    packs.add(
        "acme-odd",
        modules={
            "acme_odd/__init__.py": "from handrail import action, step\n"
            "@step\ndef find(context): ...\n"
            "other = action('other', [find])\nnumber = 7\ndef nothing(): ...\n"
        },
        actions={"number": "acme_odd:number", "flow": "acme_odd:other"},
        steps={"find": "acme_odd:find", "seven": "acme_odd:number", "nothing": "acme_odd:nothing"},
        commands={"odd": "acme_odd:nothing"},
        prune={"odd": "acme_odd:number"},
        serializers={"acme_odd.Odd": "acme_odd:nothing"},
        executors={"odd": "acme_odd:number"},
        journals={"odd": "acme_odd:number"},
        options={"show.odd": "acme_odd:nothing"},
        views={"odd": "acme_odd:number"},
    )
    check = next(each for each in CHECKS if each.name == "names")
    found = told(examine(Subject(record=record_of("acme-odd")), check))
    for what in (
        "handrail.actions number of acme-odd 1.0 does not lead to an action",
        "the entry point flow leads to an action called 'other'",
        "handrail.steps seven of acme-odd 1.0 does not lead to a step",
        "handrail.steps nothing of acme-odd 1.0 does not lead to what makes a step",
        "handrail.commands odd of acme-odd 1.0 does not lead to a click command",
        "handrail.prune odd of acme-odd 1.0 does not lead to a function that takes a PrunedRun",
        "handrail.executors odd of acme-odd 1.0 does not lead to a function that makes an executor",
        "handrail.journals odd of acme-odd 1.0 does not lead to a function that opens a journal",
        "handrail.options show.odd of acme-odd 1.0 does not lead to an Option",
        "handrail.views odd of acme-odd 1.0 does not lead to a function that shows values",
        "handrail.serializers acme_odd.Odd of acme-odd 1.0 does not lead to an object with the",
    ):
        assert what in found
    assert "entry point find" not in found


@pytest.mark.parametrize("weight", ["7", "-1", "None", "float('nan')"])
def test_weights_out_of_range_are_told(verdict, weight: str) -> None:
    steps = STEPS.replace("progress_weight = 0.5", f"progress_weight = {weight}")
    found = told(verdict("weights", steps=steps, hooks=None))
    assert "progress_weight" in found
    assert "at acme_scan/steps.py:" in found


def test_rollback_data_that_is_no_json_is_told(verdict) -> None:
    steps = STEPS.replace('("made", "report")', '("made", {1, 2})')
    found = told(verdict("rollback", steps=steps, context=make_context))
    assert "does not survive JSON" in found
    assert "at acme_scan/steps.py:" in found


def test_rollback_data_that_json_changes_is_told(verdict) -> None:
    steps = STEPS.replace('("made", "report")', '("made", {1: "one"})')
    assert "comes back otherwise" in told(verdict("rollback", steps=steps, context=make_context))


def test_tuples_in_rollback_data_pass(verdict) -> None:
    steps = STEPS.replace('("made", "report")', '("made", ("report", 1))')
    assert verdict("rollback", steps=steps, context=make_context).status == "passed"


def test_a_step_that_fails_is_told_and_can_be_left_out(packs: FakePacks, verdict) -> None:
    steps = STEPS.replace("MADE.add", "context.client.add")
    found = told(verdict("rollback", steps=steps, context=make_context))
    assert "has no attribute 'client'" in found
    assert "untried = ('scan_files',)" in found
    assert "at acme_scan/steps.py:" in found
    packs.remove("acme-scan")
    left_out = verdict("rollback", steps=steps, context=make_context, untried=("scan_files",))
    assert left_out.status == "unchecked"


def test_with_a_world_the_undo_is_checked(verdict) -> None:
    def world():
        from acme_scan.steps import MADE

        return set(MADE)

    steps = STEPS.replace("MADE.discard(name)", "pass")
    found = told(verdict("undo", steps=steps, context=make_context, world=world))
    assert "step 'scan_files' was not undone" in found
    assert "added    report" in found


@pytest.mark.parametrize("rollback", ["MADE.discard(name)", "pass"])
def test_an_undo_that_was_not_run_is_not_checked(verdict, rollback) -> None:
    """A command has no context and no world, so an undo that does nothing must not pass there."""
    found = verdict("undo", steps=STEPS.replace("MADE.discard(name)", rollback))
    assert found.status == "unchecked"
    assert "no step was run and undone" in found.why


def test_a_step_that_was_left_out_is_not_checked(verdict) -> None:
    given = {"context": make_context, "world": set, "untried": ("scan_files",)}
    assert verdict("undo", **given).why == "not run and undone: scan_files"


RAISES = """
    from handrail import hookimpl

    @hookimpl
    def insert_before(action, step):
        return {}["nope"]
"""


def test_a_hook_that_raises_in_every_plan_is_told_once(verdict) -> None:
    found = verdict("plan", hooks=RAISES, actions=(upload, action("copy", [upload_files])))
    assert found.status == "failed"
    [problem] = found.problems
    assert "the hook insert_before of acme-scan 1.0 raised KeyError: 'nope'" in problem.message


def test_hooks_that_do_nothing_are_a_warning(verdict) -> None:
    """A misspelt anchor, where nothing else is wrong."""
    found = verdict("plan", hooks=HOOKS.replace("upload_files", "upload_flies"), actions=(upload,))
    assert found.status == "warned"
    assert "the hooks of acme-scan 1.0 do nothing in upload" in told(found)


def test_hooks_that_take_long_are_a_warning(verdict, monkeypatch) -> None:
    """Each plan waits for them. The clock of the check is put forward, so nobody sleeps here."""
    clock = iter(range(0, 100, 2))
    monkeypatch.setattr("handrail_testing.checks.planned.perf_counter", lambda: next(clock))
    found = verdict("plan", actions=(upload,))
    assert found.status == "warned"
    assert "planning upload with acme-scan 1.0 takes 2.0 s" in told(found)


def test_an_action_that_was_not_planned_is_told(verdict) -> None:
    """It is no reason to fail, and none to say that all is planned."""
    found = verdict("plan", actions=(upload, Split))
    assert found.status == "warned"
    assert "split was not planned: planning split needs the param 'parts'" in told(found)


def test_where_no_action_was_planned_nothing_is_checked(verdict) -> None:
    found = verdict("plan", actions=(Split,))
    assert (found.status, found.why) == (
        "unchecked",
        "split: planning split needs the param 'parts'",
    )


class Parts(BaseModel):
    parts: int


class Split(BaseAction[Parts]):
    action_name = "split"

    def setup_steps(self, registry):
        for _ in range(self.params.parts):
            registry.register(upload_files)


def test_a_plan_that_changes_from_time_to_time_is_told(verdict) -> None:
    hooks = """
        from itertools import count
        from handrail import hookimpl
        from acme_scan.steps import ScanFiles
        turns = count()

        @hookimpl
        def insert_before(action, step):
            if step.name == "upload_files" and next(turns) % 2:
                return ScanFiles()
    """
    found = told(verdict("plan", hooks=hooks, actions=(upload,)))
    assert "acme-scan 1.0 plans upload now this way, now that" in found
    assert "scan_files" in found


def test_a_plan_with_problems_is_told(verdict) -> None:
    hooks = HOOKS + (
        "\n    @hookimpl\n    def setup_steps(action, registry):\n"
        "        registry.insert_after('upload_flies', ScanFiles())\n"
    )
    found = verdict("plan", hooks=hooks, actions=(upload,))
    assert "unknown-anchor" in [problem.code for problem in found.problems]


def test_what_needs_a_grant_is_for_the_project_to_decide(verdict) -> None:
    hooks = (
        "from handrail import hookimpl\n@hookimpl\ndef setup_steps(action, registry):\n"
        "    registry.unregister('upload_files')\n"
    )
    assert verdict("plan", hooks=hooks, actions=(upload,)).status == "unchecked"


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("open('/tmp/acme-never', 'w'); return True", "opens /tmp/acme-never for writing"),
        ("context.seen.append('me'); return False", "changes context.seen"),
        ("context.record_rollback('a', 1); return False", "records rollback data"),
        ("return None", "returns None, not True or False"),
        ("return bool(MADE.add('x') or len(MADE) % 2 - MADE.add(len(MADE)) if 0 else turn())", ""),
        ("return context.nothing", "raises AttributeError"),
    ],
)
def test_a_skip_check_with_effects_is_told(verdict, body: str, what: str) -> None:
    steps = (
        inspect.cleandoc(STEPS)
        + f"\n\n    def can_skip(self, context):\n        {body}\n"
        + "\n\nturns = []\n\ndef turn():\n    turns.append(1)\n    return len(turns) % 2 == 0\n"
    )
    found = told(verdict("skip", steps=steps, context=make_context))
    assert f"can_skip of step 'scan_files' {what or 'answers False and then True'}" in found


def test_a_skip_check_may_import(verdict) -> None:
    more = "\n\n    def can_skip(self, context):\n        import acme_scan.late as late\n        "
    more += "return late is None\n"
    files = {"acme_scan/late.py": ""}
    assert verdict("skip", steps=inspect.cleandoc(STEPS) + more, files=files).status == "passed"


def test_an_async_skip_check_is_asked(verdict) -> None:
    steps = (
        inspect.cleandoc(STEPS) + "\n\n    async def can_skip(self, context):\n        return 1\n"
    )
    assert "returns 1" in told(verdict("skip", steps=steps))


def test_a_skip_check_is_not_blamed_for_a_context_that_it_was_not_given(verdict) -> None:
    steps = (
        inspect.cleandoc(STEPS) + "\n\n    def can_skip(self, context):\n        return context.x\n"
    )
    assert "needs a context of its own" in verdict("skip", steps=steps).why


def test_a_step_without_an_undo_is_a_warning(verdict) -> None:
    steps = STEPS.replace("def rollback", "def not_rollback")
    found = verdict("undo", steps=steps)
    assert found.status == "warned"
    assert "step 'scan_files' has effects and no rollback" in told(found)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            'version = "1.0"',
            'version = "1.1"',
            "version: pyproject.toml says 1.1, installed is 1.0",
        ),
        ("ScanFiles", "Scanner", "says scan_files acme_scan.steps:Scanner"),
        ('["handrail"]', '["handrail>=9", "x"]', "pyproject.toml says handrail >=9, x"),
    ],
)
def test_metadata_that_differs_is_told_with_its_line(verdict, tmp_path, old, new, what) -> None:
    text = (
        '[project]\nname = "acme-scan"\nversion = "1.0"\ndependencies = ["handrail"]\n'
        '[project.entry-points."handrail.packs"]\nacme-scan = "acme_scan.hooks"\n'
        '[project.entry-points."handrail.steps"]\nscan_files = "acme_scan.steps:ScanFiles"\n'
    )
    file = tmp_path / "pyproject.toml"
    file.write_text(text)
    assert verdict("metadata", pyproject=file).status == "passed"
    file.write_text(text.replace(old, new))
    subject = Subject(record=record_of("acme-scan"), pyproject=file)
    found = told(examine(subject, next(each for each in CHECKS if each.name == "metadata")))
    assert what in found
    line = next(n for n, each in enumerate(file.read_text().splitlines(), 1) if new in each)
    assert f"at {file}:{line if 'Scanner' not in new else line - 1}" in found
    assert "pip install -e" in found


def test_a_pack_that_does_not_require_handrail_is_told(packs: FakePacks) -> None:
    packs.add("acme-free", hooks="", requires=())
    check = next(each for each in CHECKS if each.name == "metadata")
    assert "does not require handrail" in told(
        examine(Subject(record=record_of("acme-free")), check)
    )


def test_an_unknown_distribution_is_told_with_near_names(packs: FakePacks) -> None:
    packs.add("acme-scan", hooks="")
    with pytest.raises(NotFoundError) as caught:
        record_of("acme-scam")
    assert "did you mean acme-scan?" in caught.value.ways_out


# As a class to subclass


def ends_of(contract: type[PackContract]) -> dict[str, str]:
    """Return what becomes of each test method."""
    ends: dict[str, str] = {}
    for name in sorted(dir(contract)):
        if name.startswith("test_"):
            try:
                getattr(contract(), name)()
                ends[name] = "passed"
            except unittest.SkipTest as reason:
                ends[name] = f"skipped: {reason}"
            except AssertionError as error:
                ends[name] = str(error)
    return ends


def test_a_subclass_has_one_test_for_each_promise(packs: FakePacks) -> None:
    packs.add(
        "acme-scan",
        steps={"scan_files": "acme_scan.steps:ScanFiles"},
        modules={"acme_scan/steps.py": STEPS.replace("0.5", "5")},
    )

    class Contract(PackContract):
        distribution = "acme_scan"
        context = make_context

    ends = ends_of(Contract)
    assert len(ends) == len(CHECKS)
    failed = ends.pop("test_its_weights_are_in_range")
    assert failed.startswith("weights are from 0.0 to 1.0: not so\n  step 'scan_files' has the")
    assert "\n      give it a share" in failed
    assert ends["test_its_rollback_data_survives_json"] == "passed"
    assert {each for each in ends.values() if not each.startswith("skipped")} == {"passed"}


@pytest.mark.parametrize("kind", ["function", "static", "method", "class"])
def test_the_context_may_be_written_in_every_way(packs: FakePacks, kind: str) -> None:
    packs.add(
        "acme-scan",
        steps={"scan_files": "acme_scan.steps:ScanFiles"},
        modules={"acme_scan/steps.py": STEPS},
    )

    class Contract(PackContract):
        distribution = "acme-scan"
        if kind == "function":
            context = make_context
        elif kind == "static":
            context = staticmethod(make_context)
        elif kind == "method":

            def context(self):
                return make_context()
        else:

            @classmethod
            def context(cls):
                return make_context()

    Contract().test_its_rollback_data_survives_json()


def test_a_contract_without_a_distribution_says_so() -> None:
    class Contract(PackContract):
        pass

    with pytest.raises(TypeError, match="distribution = "):
        Contract().test_its_weights_are_in_range()


def test_a_distribution_that_is_no_pack_can_be_checked() -> None:
    class Contract(PackContract):
        distribution = "pluggy"

    ends = ends_of(Contract)
    assert ends["test_importing_it_has_no_side_effects"] == "passed"
    assert ends["test_its_weights_are_in_range"] == "skipped: it offers no steps"
