"""run_step and run_action tell what happened, and say it all when an assertion does not hold."""

from __future__ import annotations

import subprocess
import sys
from threading import Event

import pytest
from pydantic import BaseModel

from handrail import (
    BaseAction,
    BaseStepContext,
    Orchestrator,
    PackInfo,
    ParamsError,
    RuntimeContext,
    StepRegistry,
    action,
    hookimpl,
    parallel,
    step,
)
from handrail.errors import ActionResultError, NotFoundError, SettingsError
from handrail.inspection import intercept_records
from handrail_testing import FakePacks, plan_action, run_action, run_step


class Params(BaseModel):
    fail: bool = False


@step(effects=False)
def find(context):
    context.log("looked", {"at": "shelf"})
    return {"found": 3}


@step
def copy(context):
    context.record_rollback("made", 1)


@copy.rollback
def uncopy(context, result): ...


@step
def never(context): ...


@never.skip_if
def always(context):
    return True


@step
def check(context):
    if context.params.fail:
        raise ValueError("told to fail")


flow = action("flow", [find, copy, never, check], params=Params)


def test_a_success_is_told() -> None:
    outcome = run_action(flow)
    outcome.succeeded().ran("find", "copy", "check").skipped("never").undid()
    assert outcome.data["find"]["found"] == 3
    assert outcome.steps == ("find", "copy", "never", "check")
    assert outcome.logged == (("looked", {"at": "shelf"}),)
    assert outcome.result["steps_executed"] == 3
    assert outcome.context is not None
    assert outcome.context.results["find"].data == {"found": 3}


def test_a_failure_is_told_and_not_raised() -> None:
    outcome = run_action(flow, {"fail": True})
    assert not outcome.success
    outcome.ran("find", "copy").failed_at("check", "told to fail").undid("copy")
    assert outcome.result == {}


@pytest.mark.parametrize(
    ("fail", "demand", "message"),
    [
        (False, lambda it: it.ran("find"), "expected find to run, but it was find, copy, check"),
        (False, lambda it: it.ran("fnd"), "did you mean find?"),
        (False, lambda it: it.undid("copy"), "expected copy to be undone, but it was nothing"),
        (False, lambda it: it.skipped(), "expected nothing to be skipped, but it was never"),
        (False, lambda it: it.failed_at("copy"), "to fail at copy, but it went through"),
        (True, lambda it: it.succeeded(), "expected it to go through, but: Step 'check' failed"),
        (True, lambda it: it.failed_at("copy"), "but it failed at check: told to fail"),
        (True, lambda it: it.failed_at("check", "disk"), "expected an error with 'disk'"),
        (True, lambda it: it.data["check"], "no step 'check' has finished"),
        (True, lambda it: it.data["fnd"], "did you mean find?"),
    ],
)
def test_a_demand_that_does_not_hold_tells_the_whole_story(fail, demand, message) -> None:
    outcome = run_action(flow, {"fail": fail})
    with pytest.raises(AssertionError) as caught:
        demand(outcome)
    assert message in str(caught.value)
    assert "\n  ✓ find  {'found': 3}" in str(caught.value)
    assert ("\n  ✗ check  told to fail\n  ↶ copy" in str(caught.value)) == fail


def test_a_step_is_run_with_its_skip_check_and_its_undo() -> None:
    @step
    def half(context):
        context.record_rollback("made", 1)
        raise OSError("disk full")

    undone = []
    half.rollback(lambda context, result: undone.append(result.rollback_data))
    run_step(half).failed_at("half", "disk full").undid("half")
    assert undone == [{"made": [1]}]
    run_step(never).skipped("never").ran()
    assert run_step(find).ran("find").data["find"] == {"found": 3}


def test_async_steps_are_run() -> None:
    @step
    async def wait(context):
        return {"waited": True}

    assert run_step(wait).ran("wait").data["wait"]["waited"]


def test_an_action_may_be_a_class_or_made_already() -> None:
    class Greet(BaseAction[Params]):
        def setup_steps(self, registry):
            registry.register(find)

        def result(self, context):
            return {"hello": "world"}

    assert run_action(Greet).succeeded().result["hello"] == "world"
    assert run_action(Greet({}, packs=())).ran("find").steps == ("find",)


def test_an_action_in_its_simple_mode_is_run() -> None:
    class Simple(BaseAction[Params]):
        def execute(self):
            if self.params.fail:
                raise OSError("no")
            return {"it": "works"}

    assert run_action(Simple).succeeded().result == {"it": "works"}
    with pytest.raises(AssertionError, match="OSError: no"):
        run_action(Simple, {"fail": True}).failed_at("simple")


def test_what_never_began_is_raised() -> None:
    with pytest.raises(ParamsError):
        run_action(flow, {"fial": True})


def test_a_bad_result_after_the_steps_is_an_outcome() -> None:
    class Odd(BaseAction[Params]):
        def setup_steps(self, registry):
            registry.register(find)

        def result(self, context):
            raise OSError("no result")

    outcome = run_action(Odd).ran("find")
    assert isinstance(outcome.error, ActionResultError)


def test_what_is_run_writes_nothing_to_the_console(capfd) -> None:
    run_action(flow)
    run_step(find)
    assert capfd.readouterr() == ("", "")


def test_the_package_is_imported_on_use_and_needs_no_pytest() -> None:
    code = (
        "import sys, handrail_testing as t; "
        "before = {m for m in sys.modules if m.startswith('handrail')}; "
        "[getattr(t, name) for name in t.__all__]; "
        "print(sorted(before), 'pytest' in sys.modules, '_pytest' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['handrail', 'handrail.lazy', 'handrail_testing'] False False"


class Engine(BaseModel):
    engine: str = "slow"


class AcmeScan:
    """Hooks of a pack with settings."""

    @hookimpl
    def pack_info(self):
        return PackInfo(settings=Engine)

    @hookimpl
    def insert_after(self, step, settings):
        return _scanning(settings.engine) if step.name == "find" else None


def _scanning(engine):
    @step(name=f"scan_{engine}")
    def scan(context): ...

    return scan


def test_settings_reach_the_hooks_of_a_test():
    """By the name of the pack, as in a project file; without them, the defaults count."""
    flow = action("flow", [find])
    assert plan_action(flow, packs=[AcmeScan()]).positions == {"find": 0, "scan_slow": 1}
    settings = {"acmescan": {"engine": "fast"}}
    planned = plan_action(flow, packs=[AcmeScan()], settings=settings)
    assert planned.positions == {"find": 0, "scan_fast": 1}
    run_action(flow, packs=[AcmeScan()], settings=settings).succeeded().ran("find", "scan_fast")


def test_settings_that_fit_no_pack_are_told():
    flow = action("flow", [find])
    with pytest.raises(ValueError, match="settings of acme-other, which is not among the packs"):
        run_action(flow, packs=[AcmeScan()], settings={"acme-other": {}})
    with pytest.raises(ValueError, match="a provider has settings of its own"):
        plan_action(flow, packs=None, settings={"acmescan": {}})
    with pytest.raises(SettingsError, match="engin"):
        plan_action(flow, packs=[AcmeScan()], settings={"acmescan": {"engin": "fast"}})


def test_an_installed_action_is_planned_by_its_name():
    flows = """
        from handrail import action, step

        @step
        def push(context): ...

        ship = action("ship", [push])
    """
    with FakePacks() as packs:
        packs.add(
            "acme-ship",
            actions={"ship": "acme_ship.flows:ship"},
            modules={"acme_ship/flows.py": flows},
        )
        assert list(plan_action("ship").positions) == ["push"]
        assert list(plan_action("acme-ship:ship", packs=[AcmeScan()]).positions) == ["push"]
    with pytest.raises(NotFoundError, match="no action 'ship_nowhere'"):
        plan_action("ship_nowhere")


def made(name, after=None, fails=False):
    """Return a step that records its name, after an event, and can be undone."""

    @step(name=name)
    def do(context):
        if after is not None:
            after.wait(60)
        context.record_rollback("made", name)
        if fails:
            raise ValueError("told to fail")

    do.rollback(lambda context, result: None)
    return do


def test_the_steps_of_a_group_are_told_in_the_order_of_the_plan() -> None:
    """Whichever lane was faster; the undo goes the other way."""
    done = Event()

    @step
    def quick(context):
        done.set()

    quick.rollback(lambda context, result: None)
    lanes = [[made("slow", done), made("slower")], quick]
    flow = action("flow", [made("first"), parallel("both", lanes), made("last", fails=True)])
    outcome = run_action(flow).ran("first", "slow", "slower", "quick")
    outcome.failed_at("last").undid("last", "quick", "slower", "slow", "first")
    assert [planned.lane for planned in plan_action(flow)] == [None, 0, 0, 1, None]


def test_what_listens_to_records_hears_those_of_every_lane() -> None:
    """Each is recorded by the step that made it, whatever runs beside it."""
    heard: list[tuple[str, object]] = []

    def listen(record, key, value):
        heard.append((key, value))
        record(key, value)

    registry: StepRegistry = StepRegistry()
    registry.register(parallel("both", [[made("a"), made("b")], made("c")]))
    context = BaseStepContext(runtime_ctx=RuntimeContext())
    intercept_records(context, listen)
    Orchestrator(registry, context).execute()
    assert sorted(heard) == [("made", "a"), ("made", "b"), ("made", "c")]
    assert {name: each.rollback_data for name, each in context.results.items()} == {
        name: {"made": [name]} for name in ("a", "b", "c")
    }
