"""Steps that suppress an interrupt, and those that raise what is no Exception."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    Run,
    RuntimeContext,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
)
from handrail.errors import StepFailedError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


class Told(BaseStep[Any]):
    """Does what it is told, and tells what is called."""

    progress_weight = 0.1

    def __init__(self, name: str, told: list[str], work: Callable[[], object] = int) -> None:
        self.name, self.told, self.work = name, told, work

    def execute(self, context: Any) -> StepResult:
        self.told.append(self.name)
        self.work()
        return StepResult()

    def rollback(self, context: Any, result: StepResult) -> None:
        self.told.append(f"undo {self.name}")


class AsyncTold(Told):
    async def execute(self, context: Any) -> StepResult:  # type: ignore[override]
        self.told.append(self.name)
        try:
            self.work()
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            self.told.append("suppressed")
        return StepResult()


class Suppressing(StepWrapper[Any]):
    """A layer that suppresses whatever comes out of its step."""

    def around(self, context: Any) -> Any:
        try:
            return (yield Run())
        except BaseException:  # noqa: BLE001 - that is the mistake
            return StepResult()


class Opaque(StepWrapper[Any]):
    """A layer that executes its step itself."""

    def execute(self, context: Any) -> Any:
        return self.wrapped.execute(context)


def orchestrator(*steps: Any) -> Orchestrator[Any]:
    registry: StepRegistry[Any] = StepRegistry()
    for step in steps:
        registry.register(step)
    return Orchestrator(registry, BaseStepContext(RuntimeContext()))


def interrupt() -> None:
    """Send Ctrl-C to this process; it arrives within this function."""
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass


def suppress() -> None:
    try:
        interrupt()
    except KeyboardInterrupt:
        return
    raise AssertionError("no interrupt came")


def turn_into_another() -> None:
    try:
        interrupt()
    except KeyboardInterrupt:
        raise ValueError("something else") from None


def run_inside() -> None:
    """A run within a step, whose interrupt the step suppresses."""
    inner = orchestrator(Told("inner", [], interrupt))
    with pytest.raises(KeyboardInterrupt):
        inner.execute()


@pytest.mark.parametrize("work", [suppress, turn_into_another, run_inside])
@pytest.mark.parametrize("last", [False, True])
def test_a_step_that_suppresses_an_interrupt_is_the_last_one(
    work: Callable[[], None], last: bool
) -> None:
    """The run stops after it and is undone, as if the step had let it through."""
    told: list[str] = []
    steps = [Told("a", told), Told("b", told, work), *[Told("c", told)] * (not last)]
    with pytest.raises(KeyboardInterrupt):
        orchestrator(*steps).execute()
    assert told == ["a", "b", "undo b", "undo a"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_layer_that_suppresses_an_interrupt_does_not_lose_it() -> None:
    """Nor does its step below it."""
    for work in (interrupt, suppress):
        told: list[str] = []
        step = Suppressing(Told("b", told, work))
        with pytest.raises(KeyboardInterrupt):
            orchestrator(Told("a", told), step, Told("c", told)).execute()
        assert told == ["a", "b", "undo b", "undo a"]


def test_a_layer_undoes_the_attempt_that_was_interrupted() -> None:
    """As it would without a step that suppresses anything."""

    class Clears(StepWrapper[Any]):
        def around(self, context: Any) -> Any:
            try:
                return (yield Run())
            except BaseException:
                yield Undo()
                raise

    told: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        orchestrator(Told("a", told), Clears(Told("b", told, interrupt))).execute()
    assert told[:3] == ["a", "b", "undo b"]
    assert told[-1] == "undo a"


def test_an_async_step_that_suppresses_its_cancellation_is_the_last_one() -> None:
    """In both drivers."""
    told: list[str] = []
    step = AsyncTold("b", told, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        orchestrator(Told("a", told), step, Told("c", told)).execute()
    assert told == ["a", "b", "suppressed", "undo b", "undo a"]

    async def cancelled() -> None:
        told.clear()
        made = orchestrator(Told("a", told), step, Told("c", told))
        task = asyncio.ensure_future(made.execute_async())
        step.work = task.cancel
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert told == ["a", "b", "suppressed", "undo b", "undo a"]


def test_a_second_interrupt_reaches_a_step_that_suppressed_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is raised in the step again."""
    monkeypatch.setattr("handrail.orchestrator.interrupts.ONE_SIGNAL", 0.0)
    told: list[str] = []
    count: list[int] = []

    def twice() -> None:
        for _ in range(2):
            suppress()
            count.append(1)

    with pytest.raises(KeyboardInterrupt):
        orchestrator(Told("a", told, twice), Told("b", told)).execute()
    assert (count, told) == ([1, 1], ["a", "undo a"])


class Odd(BaseException):
    """No Exception, and nothing that stops a program either."""


@pytest.mark.parametrize("error", [Odd("odd"), GeneratorExit("odd")])
@pytest.mark.parametrize("wrap", [lambda step: step, StepWrapper, Opaque])
def test_what_is_no_exception_is_a_failure_like_any(
    error: BaseException, wrap: Callable[[Any], Any]
) -> None:
    """In both drivers, with layers and without."""
    told: list[str] = []

    def fail() -> None:
        raise error

    wrapped = wrap(Told("b", told, fail))
    made = orchestrator(Told("a", told), wrapped, Told("c", told))
    for play in (made.execute, lambda: asyncio.run(made.execute_async())):
        told.clear()
        with pytest.raises(StepFailedError, match="odd") as failed:
            play()
        assert (failed.value.step, failed.value.__cause__) == (wrapped.name, error)
        assert told[-2:] == ["undo b", "undo a"]
        assert "c" not in told


@pytest.mark.parametrize("wrap", [lambda step: step, StepWrapper, Opaque])
@pytest.mark.parametrize("blocking", [True, False])
def test_a_cancellation_that_nobody_asked_for_is_a_failure_like_any(
    blocking: bool, wrap: Callable[[Any], Any]
) -> None:
    """Such as that of a task inside the step, in both drivers."""
    told: list[str] = []
    error = asyncio.CancelledError("inside")

    class Fails(Told):
        async def execute(self, context: Any) -> StepResult:  # type: ignore[override]
            self.work()
            return StepResult()

    def fail() -> None:
        raise error

    wrapped = wrap((Told if blocking else Fails)("b", told, fail))
    made = orchestrator(Told("a", told), wrapped, Told("c", told))
    for play in (made.execute, lambda: asyncio.run(made.execute_async())):
        told.clear()
        with pytest.raises(StepFailedError, match="inside") as failed:
            play()
        assert failed.value.__cause__ is error
        assert told[-2:] == ["undo b", "undo a"]
        assert "c" not in told


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_cancellation_of_the_task_is_raised_itself(when: str) -> None:
    """Also if the task was cancelled before the run began, and a step raises one of its own."""
    told: list[str] = []

    class Awaits(Told):
        async def execute(self, context: Any) -> StepResult:  # type: ignore[override]
            self.work()
            try:
                await asyncio.sleep(30)
            finally:
                raise asyncio.CancelledError("of its own")

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        cancel = lambda: task.cancel() and None  # noqa: E731 - it is passed on
        made = orchestrator(Told("a", told), Awaits("b", told, cancel))
        if when == "before":
            made = orchestrator(Awaits("b", told))
            task.cancel()
        await made.execute_async()

    with pytest.raises(asyncio.CancelledError, match="of its own"):
        asyncio.run(main())
    assert told == (["undo b"] if when == "before" else ["a", "undo b", "undo a"])
