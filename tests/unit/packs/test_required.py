"""What is required cannot be lost: one test for every way around it that we know."""

from __future__ import annotations

import pytest

from handrail.errors import ExitCode, PackError, PlanError
from handrail.plan.selection import select

SHIP = """
    from handrail import BaseAction, step

    @step
    def collect(context):
        pass

    @step
    def upload_files(context):
        pass

    class Ship(BaseAction):
        action_name = "ship"

        def setup_steps(self, registry):
            registry.register(collect)
            registry.register(upload_files)

    class Nightly(Ship):
        action_name = "nightly_ship"
"""
SCAN = """
    from handrail import hookimpl
    from acme_scan.steps import ScanFiles

    @hookimpl
    def insert_before(action, step):
        if step.name == "upload_files":
            return ScanFiles()
"""
STEPS = """
    from handrail import BaseStep, StepResult

    class ScanFiles(BaseStep):
        name = "scan_files"
        progress_weight = 1.0

        def execute(self, context):
            return StepResult()
"""
PACK = '[required]\npacks = ["acme-scan>=1.4,<2"]\n'
STEP = """
[required]
steps = [{ step = "acme-scan:scan_files", before = "upload_files", in = "*" }]
"""


@pytest.fixture
def scan(garden):
    """A pack that scans before each upload."""
    return garden.plant(
        "acme-scan",
        points={
            "packs": {"acme_scan": "acme_scan.hooks"},
            "steps": {"scan_files": "acme_scan.steps:ScanFiles"},
        },
        modules={
            "acme_scan/__init__.py": "",
            "acme_scan/hooks.py": SCAN,
            "acme_scan/steps.py": STEPS,
        },
    )


@pytest.fixture
def ship(garden, scan):
    """A pack with the actions `ship` and `nightly_ship`, beside the one that scans."""
    return garden.plant(
        "acme-ship",
        points={"actions": {"ship": "acme_ship:Ship", "nightly_ship": "acme_ship:Nightly"}},
        modules={"acme_ship/__init__.py": SHIP},
    )


def action_of(packs, name="ship"):
    return packs.catalog.load("actions", name)({}, packs=packs)


def names(packs, name="ship"):
    return [planned.name for planned in action_of(packs, name).plan()]


def refused(packs, name="ship"):
    """Return the code and the sentence of the one problem that the plan is refused for."""
    with pytest.raises((PackError, PlanError)) as caught:
        action_of(packs, name).plan()
    (problem,) = caught.value.problems
    return caught.value.exit_code, problem.code, problem.message


def status_of(packs, pack="acme-scan"):
    return next((each.status, each.why) for each in packs.records if each.id == pack)


# A required pack


def test_a_required_pack_is_used_and_marked(ship, packs):
    """A required pack that is there and whole is used, and the listing says who requires it."""
    found = packs(PACK)
    assert names(found) == ["collect", "scan_files", "upload_files"]
    assert status_of(found) == ("required", "handrail.toml:2")


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"no_packs": ("acme-scan",)}, "--no-pack"),
        ({"no_packs": ("Acme_Scan",)}, "--no-pack"),
        ({"only_packs": ("acme-ship",)}, "not in --only-packs"),
        ({"variables": {"HANDRAIL_NO_PACKS": "acme-scan"}}, "HANDRAIL_NO_PACKS"),
        ({"variables": {"HANDRAIL_ONLY_PACKS": "acme-ship"}}, "not in HANDRAIL_ONLY_PACKS"),
    ],
)
def test_no_flag_and_no_variable_lifts_it(ship, packs, flags, why):
    """A required pack that a flag or a variable switches off stops the plan, with exit code 4."""
    found = packs(PACK, **flags)
    assert refused(found) == (
        ExitCode.PACK,
        "required-pack-off",
        f"acme-scan 1.4.0 is required by handrail.toml:2 and is off: {why}",
    )
    assert status_of(found) == ("off", f"{why}; required by handrail.toml:2")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('disable = ["acme-scan"]', "handrail.toml:4  packs.disable"),
        ('only = ["acme-ship"]', "not in handrail.toml:4  packs.only"),
    ],
)
def test_the_project_cannot_switch_off_what_it_requires(ship, packs, line, why):
    """The same file switching it off stops the plan too, and names both lines."""
    found = packs(f"{PACK}[packs]\n{line}\n")
    code, kind, message = refused(found)
    assert (code, kind) == (ExitCode.PACK, "required-pack-off")
    assert f"handrail.toml:2 and is off: {why}" in message


def test_an_uninstalled_pack_is_missed(ship, scan, packs):
    """A required pack that was uninstalled stops the plan and says how to get it."""
    scan.uproot()
    found = packs(PACK)
    with pytest.raises(PackError) as caught:
        action_of(found).plan()
    (problem,) = caught.value.problems
    assert problem.code == "required-pack-missing"
    assert problem.ways_out == ("install it:  pip install 'acme-scan>=1.4,<2'",)


def test_an_older_version_does_not_do(ship, packs):
    """A version outside the range stops the plan; the listing says what is wanted."""
    found = packs('[required]\npacks = ["acme-scan>=1.5"]\n')
    assert refused(found) == (
        ExitCode.PACK,
        "required-pack-version",
        "acme-scan 1.4.0 is installed, and handrail.toml:2 requires acme-scan>=1.5",
    )
    assert status_of(found) == ("incompatible", "handrail.toml:2 wants acme-scan>=1.5")


@pytest.mark.parametrize("flags", [{}, {"no_packs": ("acme-scan",)}])
def test_a_broken_pack_does_not_do(ship, scan, packs, flags):
    """A required pack whose files are gone stops the plan, also when it is switched off."""
    scan.modules[1].unlink()
    code, kind, _ = refused(packs(PACK, **flags))
    assert code is ExitCode.PACK
    assert kind == ("required-pack-off" if flags else "required-pack-broken")


def test_a_pack_that_fails_to_load_stops_the_plan(ship, scan, packs):
    """A required pack whose hooks raise when they are imported stops the plan."""
    scan.modules[1].write_text("1 / 0")
    code, _, message = refused(packs(PACK))
    assert code is ExitCode.PACK
    assert "ZeroDivisionError" in message


def test_a_pack_of_another_name_does_not_do(ship, scan, garden, packs):
    """Hooks that are called like the required pack do not make another pack that one."""
    scan.uproot()
    garden.plant(
        "acme-fake",
        points={"packs": {"acme-scan": "acme_fake"}},
        modules={"acme_fake/__init__.py": ""},
    )
    assert refused(packs(PACK))[1] == "required-pack-missing"


def test_an_action_without_steps_misses_it_too(ship, scan, garden, packs):
    """An action that runs in one piece is refused as well, before it runs."""
    source = """
        from handrail import BaseAction

        class Simple(BaseAction):
            def execute(self):
                raise AssertionError("it ran")
    """
    garden.plant(
        "acme-simple",
        points={"actions": {"simple": "acme_simple:Simple"}},
        modules={"acme_simple/__init__.py": source},
    )
    scan.uproot()
    action = action_of(packs(PACK), "simple")
    with pytest.raises(PackError):
        action.plan()
    with pytest.raises(PackError):
        action.run()


# A required step


def test_a_required_step_is_marked_and_final(ship, packs):
    """A plan that has the step in its place says who requires it."""
    plan = action_of(packs(STEP)).plan()
    assert [planned.facts.required for planned in plan] == ["", "handrail.toml:3", ""]
    assert plan.steps[1].to_dict()["required"] == "handrail.toml:3"


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        ({"no_packs": ("acme-scan",)}, "acme-scan 1.4.0 is off: --no-pack"),
        ({"only_packs": ("acme-ship",)}, "acme-scan 1.4.0 is off: not in --only-packs"),
        (
            {"variables": {"HANDRAIL_NO_PACKS": "acme-scan"}},
            "acme-scan 1.4.0 is off: HANDRAIL_NO_PACKS",
        ),
    ],
)
def test_a_step_of_a_pack_that_is_off_is_missed(ship, packs, flags, why):
    """A plan without the step is refused with exit code 3, and says what its pack is up to."""
    with pytest.raises(PlanError) as caught:
        action_of(packs(STEP, **flags)).plan()
    (problem,) = caught.value.problems
    assert caught.value.exit_code is ExitCode.PLAN
    assert problem.code == "required-step-missing"
    assert problem.message == (
        "scan_files of acme-scan before upload_files in ship (handrail.toml:3)"
    )
    assert problem.ways_out == (why,)


def test_a_step_of_an_uninstalled_pack_is_missed(ship, scan, packs):
    """The same where its pack was uninstalled, with the command that installs it."""
    scan.uproot()
    with pytest.raises(PlanError) as caught:
        action_of(packs(STEP)).plan()
    assert "pip install acme-scan" in caught.value.problems[0].ways_out[0]


@pytest.mark.parametrize("within", ['"*"', '"ship"', '["other", "ship"]'])
def test_a_subclass_needs_it_as_well(ship, packs, within):
    """What is required of an action is required of those that descend from it."""
    toml = STEP.replace('"*"', within)
    assert "scan_files" in names(packs(toml), "nightly_ship")
    code, kind, message = refused(packs(toml, no_packs=("acme-scan",)), "nightly_ship")
    assert (code, kind) == (ExitCode.PLAN, "required-step-missing")
    assert "in nightly_ship" in message


def test_a_workflow_needs_it_as_well(ship, packs):
    """A workflow of the project cannot remove what the project, or a policy, requires."""
    toml = f'{STEP}[workflows.fast]\nextends = "ship"\nremove = ["scan_files"]\n'
    found = packs(toml)
    made = type("Fast", (found.catalog.load("actions", "ship"),), {"action_name": "fast"})
    with pytest.raises(PlanError) as caught:
        made({}, packs=found).plan()
    final, *_ = caught.value.problems
    assert final.code == "final-step"
    assert "which is required by handrail.toml:3: nobody removes" in final.message


EDITS = {
    "removed": 'registry.unregister("scan_files")',
    "replaced": 'registry.replace("scan_files", Fake())',
    "changed": 'registry.wrap("scan_files", Skipping)',
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("granted", [False, True])
def test_no_pack_changes_a_required_step(ship, garden, packs, edit, granted):
    """Nobody removes, replaces or changes it, also not with a grant of the project."""
    source = f"""
        from handrail import BaseStep, StepResult, StepWrapper, hookimpl

        class Fake(BaseStep):
            name = "fake_scan"
            progress_weight = 1.0

            def execute(self, context):
                return StepResult()

        class Skipping(StepWrapper):
            def can_skip(self, context):
                return True

        @hookimpl
        def setup_steps(action, registry):
            {EDITS[edit]}
    """
    garden.plant_hooks("acme-turbo", source)
    verbs = ["replace acme-scan:scan_files", "remove acme-scan:scan_files"]
    verbs.append("change acme-scan:scan_files")
    grants = f"[grants]\nacme-turbo = {verbs}\n" if granted else ""
    code, kind, message = refused(packs(STEP + grants))
    assert (code, kind) == (ExitCode.PLAN, "final-step")
    assert "required by handrail.toml:3" in message


def test_a_pack_that_watches_every_step_watches_a_required_one_too(ship, garden, packs):
    """A layer that only watches or retries needs no grant, whatever is required."""
    source = """
        from handrail import StepWrapper, hookimpl

        class Watching(StepWrapper):
            pass

        @hookimpl
        def wrap_step(action, step):
            return Watching(step)
    """
    garden.plant_hooks("acme-watch", source)
    made = action_of(packs(STEP)).plan()
    assert {layer.name for planned in made for layer in planned.layers} == {"watching"}
    assert all(planned.layers for planned in made)


def test_the_project_does_not_change_a_required_step(ship, garden, packs):
    """Nor does the project itself, whose edits come last."""
    garden.plant(
        "acme-tools",
        points={"steps": {"skipping": "acme_tools:Skipping"}},
        modules={
            "acme_tools/__init__.py": """
                from handrail import StepWrapper

                class Skipping(StepWrapper):
                    changes = True
            """
        },
    )
    toml = f'{STEP}[actions.ship]\nwrap.scan_files = ["skipping"]\n'
    assert refused(packs(toml))[1] == "final-step"


def test_a_step_of_that_name_from_another_pack_does_not_do(ship, scan, garden, packs):
    """Only the pack that is named can bring the step; another's of the same name is refused."""
    scan.uproot()
    source = (
        STEPS
        + """
    from handrail import hookimpl

    @hookimpl
    def insert_before(action, step):
        if step.name == "upload_files":
            return ScanFiles()
    """
    )
    garden.plant_hooks("acme-fake", source)
    with pytest.raises(PlanError) as caught:
        action_of(packs(STEP)).plan()
    (problem,) = caught.value.problems
    assert problem.code == "required-step-missing"
    assert problem.details == ("the scan_files of this plan is of acme-fake 1.4.0",)


def test_an_alias_does_not_do(ship, scan, garden, packs):
    """A step of another pack that only answers to the name is another step."""
    scan.uproot()
    source = STEPS.replace('name = "scan_files"', 'name = "nothing"; aliases = ("scan_files",)')
    source += """
    from handrail import hookimpl

    @hookimpl
    def insert_before(action, step):
        if step.name == "upload_files":
            return ScanFiles()
    """
    garden.plant_hooks("acme-fake", source)
    assert refused(packs(STEP))[1] == "required-step-missing"


def test_the_wrong_place_does_not_do(ship, scan, packs):
    """A step that comes after what it has to come before is refused."""
    scan.modules[1].write_text(scan.modules[1].read_text().replace("insert_before", "insert_after"))
    with pytest.raises(PlanError) as caught:
        action_of(packs(STEP)).plan()
    (problem,) = caught.value.problems
    assert problem.details == ("scan_files is in this plan, but not before upload_files",)


def test_taking_the_anchor_out_is_no_way_around(ship, scan, garden, packs):
    """Removing the step that must be preceded, to put in another one, does not lift it."""
    garden.plant(
        "acme-zip",
        points={"steps": {"send_fast": "acme_zip:SendFast"}},
        modules={"acme_zip/__init__.py": STEPS.replace("ScanFiles", "SendFast")},
    )
    change = (
        '[actions.ship]\nremove = ["upload_files"]\ninsert = [{ step = "send_fast", as = "s" }]'
    )
    with pytest.raises(PlanError) as caught:
        action_of(packs(STEP + change)).plan()
    (problem,) = caught.value.problems
    assert "upload_files is not in this plan" in problem.details[0]


def test_an_action_without_the_anchor_is_left_alone(ship, garden, packs):
    """What is required in every action before a step is not required where there is none."""
    garden.plant(
        "acme-export",
        points={"actions": {"export": "acme_export:Export"}},
        modules={
            "acme_export/__init__.py": SHIP.replace("upload_files", "write")
            .replace("Ship", "Export")
            .replace('"ship"', '"export"')
        },
    )
    assert names(packs(STEP), "export") == ["collect", "write"]


@pytest.mark.parametrize("chosen", [{"only": ["collect"]}, {"start": "scan_files"}], ids=str)
def test_a_selection_may_leave_out_what_needs_no_scan(ship, packs, chosen):
    """A part without the upload, or with the scan before it, is run."""
    action = action_of(packs(STEP))
    assert action.run_plan(select(action.plan(), **chosen))["success"]


def test_the_project_may_place_the_step_itself(ship, scan, packs):
    """A step that the project puts in is of the pack that it is from, so it does."""
    scan.modules[1].write_text("")
    change = '[actions.ship]\ninsert = [{ step = "acme-scan:scan_files", before = "upload_files" }]'
    plan = action_of(packs(STEP + change)).plan()
    assert [planned.name for planned in plan] == ["collect", "scan_files", "upload_files"]
    assert plan.steps[1].facts.required == "handrail.toml:3"
    assert plan.steps[1].reason == "before upload_files, handrail.toml:5"


def test_a_call_with_packs_given_by_hand_is_not_checked(ship, packs):
    """`packs=()` is for tests: no installed pack, no project and no policy counts there."""
    action_class = packs(STEP).catalog.load("actions", "ship")
    assert [planned.name for planned in action_class({}, packs=()).plan()] == [
        "collect",
        "upload_files",
    ]


# Names that lead nowhere would require nothing


def test_a_misspelt_action_is_an_error(ship, packs):
    """`in` with the name of an action that is nearly one would lift the requirement."""
    (problem,) = packs(STEP.replace('"*"', '"shp"')).settings_problems
    assert problem.code == "unknown-action"
    assert problem.message == (
        "handrail.toml:3: acme-scan:scan_files before upload_files is required in shp, "
        "which is not an installed action"
    )
    assert problem.ways_out == ("did you mean ship?",)


def test_an_action_that_is_not_installed_is_a_warning(ship, packs):
    """A policy may speak of actions that are installed elsewhere."""
    found = packs(STEP.replace('"*"', '"backup"'))
    assert found.settings_problems == ()
    assert [problem.code for problem in found.warnings] == ["unknown-action"]


def test_a_misspelt_anchor_is_a_warning(ship, packs):
    """A step that looks like one that a pack offers is told: it would lift the requirement."""
    toml = STEP.replace("upload_files", "scan_fils")
    (problem,) = packs(toml).warnings
    assert problem.ways_out == ("did you mean scan_files?",)
    assert packs(STEP).warnings == ()
