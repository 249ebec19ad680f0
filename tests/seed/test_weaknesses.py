"""One test, at least, for each weakness of the SDK that the core has to be free of."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import pytest

import handrail
from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
    step,
)
from handrail_synapse import BaseTrainAction, PluginEnvironment, TrainContext
from handrail_utils import LoggingStep, RetryStep, TimingStep

Execute = Callable[..., dict[str, Any]]


class Light(BaseStep[Any]):
    """Does nothing."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: Any) -> StepResult:
        return StepResult()


def maker(things: list[str], name: str = "make") -> BaseStep[Any]:
    """A step that makes a thing and takes it away when undone."""

    @step(name=name)
    def make(context: BaseStepContext) -> dict[str, str]:
        context.record_rollback("things", name)
        things.append(name)
        return {"made": name}

    @make.rollback
    def unmake(context: BaseStepContext, result: StepResult) -> None:
        for thing in result.rollback_data["things"]:
            things.remove(thing)

    return make


def raises(error: BaseException) -> BaseStep[Any]:
    @step(name="fail")
    def fail(context: Any) -> None:
        raise error

    return fail


def registry_of(*steps: BaseStep[Any]) -> StepRegistry[Any]:
    registry: StepRegistry[Any] = StepRegistry()
    for each in steps:
        registry.register(each)
    return registry


def test_1_wrapped_step_is_an_anchor() -> None:
    """A wrapped step still answers to its own name."""
    registry = registry_of(LoggingStep(TimingStep(Light("send"))))
    registry.insert_before("send", Light("zip"))
    registry.replace("send", Light("post"))
    registry.insert_after("send", Light("tell"))
    assert [each.name for each in registry] == ["zip", "post", "tell"]


def test_2_duplicates_are_refused() -> None:
    """Two steps of one name never both run, not even when one of them is wrapped."""
    registry = registry_of(LoggingStep(Light("send")))
    with pytest.raises(ValueError, match="'send'"):
        registry.register(Light("send"))


def test_3_misspelt_removal_is_an_error() -> None:
    """Removing a misspelt step says what it may have meant."""
    with pytest.raises(ValueError, match="did you mean cleanup"):
        registry_of(Light("cleanup")).unregister("clean_up_")


def test_4_cause_and_traceback_are_kept(execute: Execute) -> None:
    """The original error is the cause of what is raised, with its traceback."""
    error = OSError("down")
    with pytest.raises(StepFailedError) as caught:
        execute(raises(error))
    assert caught.value.__cause__ is error
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    assert traceback is not None
    assert traceback.tb_frame.f_code.co_name == "fail"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)])
def test_5_interrupts_undo(execute: Execute, error: BaseException) -> None:
    """Ctrl-C and an exit undo what was done, and are raised themselves."""
    things: list[str] = []
    with pytest.raises(type(error)) as caught:
        execute(maker(things), raises(error))
    assert caught.value is error
    assert things == []


def test_5_cancellation_undoes(context: BaseStepContext) -> None:
    """So does a cancellation."""
    things: list[str] = []

    @step
    async def hang(context: Any) -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        run = Orchestrator(registry_of(maker(things), hang), context).execute_async()
        async with asyncio.timeout(0.05):
            await run

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert things == []


def bad_skip() -> BaseStep[Any]:
    each = maker([], "bad")
    each.skip_if(lambda context: 1 / 0)
    return each


class Renamed(Light):
    """Loses its name while it runs, and returns nothing."""

    @property
    def name(self) -> str:
        if self.ran:
            raise LookupError("the name is gone")
        return "bad"

    def __init__(self) -> None:
        self.ran = False

    def execute(self, context: Any) -> Any:
        self.ran = True


class BadWrapper(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        yield "something else"


class Forgetful(Light):
    def execute(self, context: Any) -> Any:
        return None


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (bad_skip, "division by zero"),
        (Renamed, "instead of a StepResult|the name is gone"),
        (lambda: BadWrapper(Light("bad")), "may yield Run"),
        (lambda: Forgetful("bad"), "did you forget `return StepResult"),
    ],
)
def test_6_everything_is_guarded(execute: Execute, make: Any, said: str) -> None:
    """Errors in a skip check, a property or a wrapper, and a missing return, undo as well."""
    things: list[str] = []
    with pytest.raises(StepFailedError, match=said) as caught:
        execute(maker(things), make())
    assert caught.value.step == "bad"
    assert things == []


def test_6_callback_is_guarded(execute: Execute) -> None:
    """A progress callback that raises undoes as well."""
    things: list[str] = []
    with pytest.raises(StepFailedError, match="no terminal"):
        execute(
            maker(things),
            maker(things, "more"),
            callback=lambda *_: (_ for _ in ()).throw(OSError("no terminal")),
        )
    assert things == []


def test_7_raising_step_keeps_what_it_recorded(execute: Execute) -> None:
    """A step that raises half way is undone from what it had recorded until then."""
    things: list[str] = []

    @step
    def half(context: BaseStepContext) -> None:
        for thing in ("a", "b", "c"):
            context.record_rollback("things", thing)
            if thing == "c":
                raise OSError("full")
            things.append(thing)

    @half.rollback
    def undo(context: BaseStepContext, result: StepResult) -> None:
        for thing in result.rollback_data["things"]:
            if thing in things:
                things.remove(thing)

    with pytest.raises(StepFailedError, match="full"):
        execute(half)
    assert things == []


def test_8_undo_errors_are_told(execute: Execute, context: BaseStepContext) -> None:
    """The text of an undo error is in the context and in the notes of what is raised."""

    @step
    def stuck(context: Any) -> None: ...

    @stuck.rollback
    def unstick(context: Any, result: StepResult) -> None:
        raise PermissionError("read-only")

    with pytest.raises(StepFailedError) as caught:
        execute(stuck, raises(OSError()))
    assert context.errors == ["Rollback of step 'stuck' failed: read-only"]
    assert caught.value.__notes__ == context.errors
    assert caught.value.outcome == "rollback_incomplete"


def test_9_results_by_name(execute: Execute, context: BaseStepContext) -> None:
    """A result is found by the name of its step, wrapped or not, and unknown names get a hint."""
    execute(LoggingStep(maker([])))
    for name in ("make", "logged_make"):
        assert context.results[name].data == {"made": "make"}
    with pytest.raises(KeyError, match="did you mean"):
        _ = context.results["mak"]


def test_10_progress_is_exact(execute: Execute) -> None:
    """Ten steps of weight 0.1 end at exactly 100, and progress never goes back."""
    percents: list[int] = []
    execute(*(Light(f"s{n}") for n in range(10)), callback=lambda at, _: percents.append(at))
    assert percents == list(range(10, 101, 10))


def test_10_progress_within_a_step(execute: Execute) -> None:
    """A step that reports its own progress moves the whole, without overtaking its end."""
    percents: list[int] = []

    @step(weight=0.5)
    def long(context: BaseStepContext) -> None:
        for done in range(1, 5):
            context.set_progress(done, 4, "files")

    execute(long, long_after(), callback=lambda at, _: percents.append(at))
    assert percents == [12, 25, 37, 50, 100]


def long_after() -> BaseStep[Any]:
    after = Light("after")
    after.progress_weight = 0.5
    return after


def test_11_wrapped_steps_count(execute: Execute) -> None:
    """Wrapped steps move the progress like bare ones, from within too."""
    percents: list[int] = []

    @step(weight=1)
    def long(context: BaseStepContext) -> None:
        context.set_progress(1, 2)

    execute(LoggingStep(TimingStep(long)), callback=lambda at, _: percents.append(at))
    assert percents == [50, 100]


def test_12_second_execution_starts_afresh(context: BaseStepContext) -> None:
    """A second execute counts, reports and collects anew."""
    percents: list[int] = []
    orchestrator = Orchestrator(
        registry_of(Light("a"), Light("b")), context, lambda at, _: percents.append(at)
    )
    first, second = orchestrator.execute(), orchestrator.execute()
    assert first == second == {"success": True, "steps_executed": 2, "steps_total": 2}
    assert len(context.step_results) == 2
    assert percents == [50, 100, 50, 100]


def calls_to_build(count: int) -> int:
    calls = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    steps = [Light(f"s{number}") for number in range(count)]
    sys.setprofile(profile)
    try:
        registry = registry_of(steps[0])
        for number in range(1, count):
            registry.insert_before(f"s{number - 1}", steps[number])
        for number in range(0, count, 2):
            registry.unregister(f"s{number}")
    finally:
        sys.setprofile(None)
    return calls


def test_13_building_is_linear() -> None:
    """Ten times the steps take ten times the work, not a hundred times."""
    small, large = calls_to_build(500), calls_to_build(5_000)
    assert large < small * 11


def test_15_packs_are_found_by_entry_points() -> None:
    """The utility steps are offered to every host through an entry point group."""
    offered = {entry.name: entry.value for entry in entry_points(group="handrail.steps")}
    assert offered["logging"] == "handrail_utils:LoggingStep"
    assert offered["retry"] == "handrail_utils:RetryStep"


def test_17_retry_and_async(context: BaseStepContext) -> None:
    """An async step is retried, each failed attempt undone, in both drivers."""
    things: list[int] = []

    @step
    async def flaky(context: BaseStepContext) -> dict[str, int]:
        await asyncio.sleep(0)
        context.record_rollback("n", 1)
        things.append(1)
        if context.env["fail"]:
            context.env["fail"] -= 1
            raise OSError("down")
        return {"n": len(things)}

    @flaky.rollback
    async def undo(context: BaseStepContext, result: StepResult) -> None:
        for _ in result.rollback_data["n"]:
            things.pop()

    registry = registry_of(RetryStep(flaky, attempts=3, wait=0))
    for drive in ("execute", "execute_async"):
        things.clear()
        vars(context)["env"] = {"fail": 2}
        answer = getattr(Orchestrator(registry, context), drive)()
        if drive == "execute_async":
            answer = asyncio.run(answer)
        assert answer["success"]
        assert things == [1]


def test_18_no_environment_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime context holds no variable of the process that nobody gave it."""
    monkeypatch.setenv("ACME_TOKEN", "secret")
    assert "ACME_TOKEN" not in RuntimeContext().env
    assert "secret" not in repr(vars(RuntimeContext(env={"A": "1"})))
    assert "secret" not in repr(PluginEnvironment.from_environ())


def test_21_defaults_can_be_edited(runtime: RuntimeContext) -> None:
    """A subclass keeps the steps of the action that it derives from, and edits them."""

    class Standard(BaseTrainAction[Any]):
        def setup_steps(self, registry: StepRegistry[TrainContext]) -> None:
            for name in ("dataset", "train", "upload_model"):
                registry.register(Light(name))

    class Mine(Standard):
        def setup_steps(self, registry: StepRegistry[TrainContext]) -> None:
            super().setup_steps(registry)
            registry.insert_before("train", Light("augment"))
            registry.wrap("train", TimingStep)

    plan = Mine({}, runtime, packs=()).plan()
    assert [planned.name for planned in plan] == ["dataset", "augment", "train", "upload_model"]
    assert "train" in Mine({}, runtime, packs=()).info.lineage
    assert handrail.BaseAction in Mine.__mro__
