"""Rules of packs for plans, and their checks of runs: the hooks plan_rules and check_run."""

from __future__ import annotations

import types
from contextlib import closing

import pytest

from handrail import BaseAction, Origin, PackError, PlanError, Problem, hookimpl, step
from handrail.packs import PlanRules, RequiredStep
from handrail.packs.provider import explicit_packs
from handrail.plan.selection import select
from handrail.sqlite import SqliteJournal


@step
def collect(context):
    pass


@step
def upload_files(context):
    pass


class Ship(BaseAction):
    def setup_steps(self, registry):
        registry.register(collect)
        registry.register(upload_files)


SCAN = RequiredStep(
    pack="acme-scan",
    name="scan_files",
    side="before",
    anchor="upload_files",
    origin=Origin(pack="acme-audit"),
)


def pack(name, **hooks):
    """Return a module with hooks, as a pack has it."""
    made = types.ModuleType(name)
    for hook, function in hooks.items():
        function.__name__ = hook
        function.__module__ = name
        setattr(made, hook, hookimpl(function))
    return made


def codes(packs):
    with pytest.raises(PlanError) as caught:
        Ship(packs=packs).plan()
    return [problem.code for problem in caught.value.problems]


def test_a_pack_may_require_a_step():
    """A plan without it is refused, as if the project had required it."""

    def plan_rules(action):
        return PlanRules(required=[SCAN])

    assert codes([pack("acme_audit", plan_rules=plan_rules)]) == ["required-step-missing"]


def test_a_pack_may_withhold_what_is_granted():
    """Without the pack, another one may remove the step."""

    def setup_steps(action, registry):
        registry.unregister("collect")

    def plan_rules(action):
        return PlanRules(grants={})

    remover = pack("acme_less", setup_steps=setup_steps)
    grants = {"acme_less": ["remove local:collect"]}
    plan = Ship(packs=explicit_packs([remover], grants=grants)).plan()
    assert [*plan.positions] == ["upload_files"]
    strict = explicit_packs([remover, pack("acme_strict", plan_rules=plan_rules)], grants=grants)
    assert codes(strict) == ["remove-needs-grant"]


def test_a_pack_cannot_grant_anything():
    """Least of all to itself."""

    def setup_steps(action, registry):
        registry.unregister("collect")

    def plan_rules(action):
        return PlanRules(grants={"acme-less": frozenset({"remove local:collect"})})

    packs = [pack("acme_less", setup_steps=setup_steps, plan_rules=plan_rules)]
    assert codes(packs) == ["remove-needs-grant"]


def test_rules_are_rules():
    """Another answer is an error that names the pack."""
    packs = [pack("acme_audit", plan_rules=lambda action: ["scan"])]
    with pytest.raises(PackError, match="plan_rules of acme-audit returned"):
        Ship(packs=packs).plan()


def test_a_check_of_a_run_prevents_it(tmp_path):
    """It does not prevent the plan; a run is refused before it has a record."""

    def check_run(plan):
        return [Problem(code="weekend", message=f"{plan.action} rests")]

    action = Ship(packs=[pack("acme_rest", check_run=check_run)])
    assert [*action.plan().positions] == ["collect", "upload_files"]
    with closing(SqliteJournal(str(tmp_path / "runs.db"))) as journal:
        with pytest.raises(PlanError) as caught:
            action.run(journal=journal)
        assert journal.runs() == []
    assert [problem.code for problem in caught.value.problems] == ["weekend"]


def test_a_check_of_a_run_sees_the_whole_plan():
    """Also before a part of it is run."""
    seen = []

    def check_run(action, plan, whole, request):
        seen.append((action.name, *plan.positions, *whole().positions, request.action_class))

    action = Ship(packs=[pack("acme_rest", check_run=check_run)])
    action.run_plan(select(action.plan(), only=["collect"]))
    assert seen == [("ship", "collect", "collect", "upload_files", Ship)]


ALONE = """
    import sys
    sys.modules["handrail.builtin.project"] = None
    from handrail import BaseAction, step

    @step
    def upload_files(context):
        pass

    class Ship(BaseAction):
        def setup_steps(self, registry):
            registry.register(upload_files)

    action = Ship()
    print(*action.plan().positions, action.run()["success"])
"""


def test_without_a_project_all_packs_are_on(garden):
    """Where what reads projects is left out of core, its file is nothing."""
    garden.plant(
        "acme-scan",
        points={"packs": {"scan": "acme_scan.hooks"}},
        modules={
            "acme_scan/__init__.py": "",
            "acme_scan/steps.py": SCANS,
            "acme_scan/hooks.py": HOOKS,
        },
    )
    (garden.project / "handrail.toml").write_text('[packs]\ndisable = ["acme-scan"]\n')
    assert garden.run(ALONE).split() == ["scan_files", "upload_files", "True"]


SCANS = """
    from handrail import step

    @step
    def scan_files(context):
        pass
"""
HOOKS = """
    from handrail import hookimpl
    from acme_scan.steps import scan_files

    @hookimpl
    def insert_before(action, step):
        if step.name == "upload_files":
            return scan_files
"""
