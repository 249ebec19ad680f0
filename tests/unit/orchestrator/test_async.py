"""Async steps under both drivers, cancellation, and context variables."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
)
from handrail.errors import AsyncStepError

log: list[Any] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    log.clear()


class Blocks(BaseStep):
    progress_weight = 0.1

    def __init__(self, name: str, seconds: float = 0, act: Any = None, **more: Any) -> None:
        self.name = name
        self.seconds = seconds
        self.act = act
        for key, value in more.items():
            setattr(self, key, value)

    def execute(self, context: BaseStepContext) -> Any:
        log.append(self.name)
        time.sleep(self.seconds)
        if self.act:
            self.act(context)
        log.append(f"{self.name} done")
        return StepResult()

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        time.sleep(min(self.seconds, 0.05))
        log.append(f"undo {self.name}")


class Awaits(Blocks):
    async def execute(self, context: BaseStepContext) -> Any:
        log.append(self.name)
        await asyncio.sleep(self.seconds)
        if self.act:
            self.act(context)
        log.append(f"{self.name} done")
        return StepResult()

    async def rollback(self, context: BaseStepContext, result: StepResult) -> None:  # type: ignore[override]
        await asyncio.sleep(min(self.seconds, 0.05))
        log.append(f"undo {self.name}")


LASTS = 0.3  # Seconds of a step in which another task has to have its turn.


async def until(entry: str) -> None:
    while entry not in log:  # noqa: ASYNC110 - steps in threads set no asyncio.Event
        await asyncio.sleep(0.001)


def make(*steps: BaseStep) -> Orchestrator:
    registry = StepRegistry()
    for step in steps:
        registry.register(step)
    return Orchestrator(registry, BaseStepContext(RuntimeContext()))


def test_a_blocking_step_runs_in_a_thread_of_the_asyncio_driver() -> None:
    """Async steps run in the loop; blocking ones do not block it."""
    where: dict[str, bool] = {}
    ticked = threading.Event()

    def note(name: str) -> Any:
        def act(context: BaseStepContext) -> None:
            where[name] = threading.current_thread() is threading.main_thread()
            assert ticked.wait(60), "the loop is blocked"

        return act

    async def main() -> None:
        async def tick() -> None:
            for _ in range(4):
                await asyncio.sleep(0)
            ticked.set()

        other = asyncio.create_task(tick())
        await make(Blocks("b", 0, note("b")), Awaits("a", 0, note("a"))).execute_async()
        await other

    asyncio.run(main())
    assert where == {"a": True, "b": False}


def test_the_blocking_driver_makes_one_loop_at_the_first_async_step() -> None:
    """Steps before it see no loop; all async steps and undos share one; it is closed at the end."""
    loops: list[asyncio.AbstractEventLoop] = []
    made_loops: list[Any] = []

    class Looks(Awaits):
        async def execute(self, context: BaseStepContext) -> Any:
            loops.append(asyncio.get_running_loop())
            return StepResult()

        async def rollback(self, context: BaseStepContext, result: StepResult) -> None:  # type: ignore[override]
            loops.append(asyncio.get_running_loop())

    def before(context: BaseStepContext) -> None:
        made_loops.append(len(loops))

    def broken(context: BaseStepContext) -> None:
        raise ValueError("broken")

    with pytest.raises(StepFailedError):
        make(Blocks("a", 0, before), Looks("b"), Looks("c"), Blocks("d", 0, broken)).execute()
    assert made_loops == [0]
    assert len(loops) == 4
    assert len(set(map(id, loops))) == 1
    assert loops[0].is_closed()


def test_execute_refuses_inside_a_running_loop_before_the_first_step() -> None:
    """Where there are async steps it names execute_async; without any it just runs."""

    async def main() -> None:
        with pytest.raises(AsyncStepError, match="event loop already runs") as caught:
            make(Blocks("a"), Awaits("b")).execute()
        assert "execute_async()" in caught.value.ways_out[0]
        assert log == []
        assert make(Blocks("c")).execute()["success"]

    asyncio.run(main())


def test_a_coroutine_that_nobody_could_see_is_refused_when_it_comes() -> None:
    """A step that returns an awaitable unannounced fails inside a running loop, and is undone."""

    class Sneaky(Blocks):
        def execute(self, context: BaseStepContext) -> Any:
            async def later() -> StepResult:
                return StepResult()

            return later()

    async def main() -> None:
        with pytest.raises(StepFailedError, match="inside a running event loop"):
            make(Sneaky("a")).execute()

    asyncio.run(main())
    assert log == ["undo a"]
    assert make(Sneaky("a")).execute()["success"]
    assert asyncio.run(make(Sneaky("a")).execute_async())["success"]


@pytest.mark.parametrize("kind", [Blocks, Awaits])
def test_cancellation_undoes_and_is_raised(kind: type[Blocks]) -> None:
    """A blocking step is waited for first; then all is undone, then CancelledError comes."""

    async def main() -> None:
        made = make(Blocks("a"), kind("b", LASTS), Blocks("c"), Blocks("close", always_run=True))
        task = asyncio.create_task(made.execute_async())
        await until("b")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert made.context.outcome == "rolled_back"
        assert made.context.current_step is None

    asyncio.run(main())
    done = ["b done"] if kind is Blocks else []
    closing = ["close", "close done"]
    assert log == ["a", "a done", "b", *done, "undo b", "undo a", *closing]


@pytest.mark.parametrize("kind", [Blocks, Awaits])
def test_repeated_cancellation_does_not_stop_the_undo(kind: type[Blocks]) -> None:
    """The undo is shielded, and what always runs still runs."""

    async def main() -> None:
        close = Blocks("close", always_run=True)
        task = asyncio.create_task(make(kind("a", 0.02), kind("b", LASTS), close).execute_async())
        await until("b")
        while "undo a" not in log:
            task.cancel()
            await asyncio.sleep(0.003)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert log[-4:] == ["undo b", "undo a", "close", "close done"]


def test_a_timeout_undoes() -> None:
    """Under `asyncio.timeout` the run is undone and the timeout is a TimeoutError as ever."""

    async def run_out(second: str, *steps: BaseStep) -> None:
        """Run the steps under a timeout that is over once the second one has begun."""

        async def expire(limit: asyncio.Timeout) -> None:
            await until(second)
            limit.reschedule(asyncio.get_running_loop().time())

        async with asyncio.timeout(None) as limit:
            waiting = asyncio.create_task(expire(limit))
            await make(*steps).execute_async()
        await waiting

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await run_out("b", Awaits("a"), Awaits("b", 10))
        with pytest.raises(TimeoutError):
            await run_out("d", Blocks("c"), Blocks("d", LASTS))

    asyncio.run(main())
    assert [entry for entry in log if entry.startswith("undo")] == [
        "undo b",
        "undo a",
        "undo d",
        "undo c",
    ]


def test_a_task_group_undoes() -> None:
    """When a sibling fails, the run is undone before the group ends."""

    async def sibling() -> None:
        await until("b")
        raise ValueError("sibling")

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(make(Awaits("a"), Awaits("b", 10)).execute_async())
            group.create_task(sibling())

    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            await both()
        assert [str(error) for error in caught.value.exceptions] == ["sibling"]

    asyncio.run(main())
    assert log[-2:] == ["undo b", "undo a"]


def test_a_cancellation_that_comes_during_an_undo_is_raised_after_it() -> None:
    """With the failure as its cause; nothing of the undo is lost."""

    def broken(context: BaseStepContext) -> None:
        raise ValueError("broken")

    async def main() -> None:
        task = asyncio.create_task(make(Awaits("a", 0.03), Awaits("b", 0, broken)).execute_async())
        await until("undo b")
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert isinstance(caught.value.__cause__, StepFailedError)

    asyncio.run(main())
    assert log[-1] == "undo a"


def test_a_cancellation_after_the_last_step_undoes_too() -> None:
    """A run is not a success before it has ended."""

    async def main() -> None:
        task = asyncio.create_task(make(Blocks("a", LASTS)).execute_async())
        await until("a")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert log == ["a", "a done", "undo a"]


variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.mark.parametrize("how", ["blocking", "async"])
def test_steps_see_context_variables(how: str) -> None:
    """What the caller has set is seen by both kinds of steps, and by their undo."""
    seen: list[str] = []

    def look(context: BaseStepContext) -> None:
        seen.append(variable.get())

    made = make(Blocks("a", 0, look), Awaits("b", 0, look))
    token = variable.set("mine")
    try:
        if how == "async":
            asyncio.run(made.execute_async())
        else:
            made.execute()
    finally:
        variable.reset(token)
    assert seen == ["mine", "mine"]


def test_an_async_step_sees_what_blocking_steps_have_set() -> None:
    """In a blocking run the loop takes the variables as they are when the step begins."""
    seen: list[str] = []
    made = make(
        Awaits("loop"),
        Blocks("set", 0, lambda context: variable.set("later")),
        Awaits("look", 0, lambda context: seen.append(variable.get())),
    )
    contextvars.copy_context().run(made.execute)
    assert seen == ["later"]


def test_an_error_raised_in_a_thread_keeps_its_kind() -> None:
    """StopIteration, SystemExit and KeyboardInterrupt of a blocking step do not break the loop."""
    for error in (StopIteration("odd"), SystemExit(3), KeyboardInterrupt()):

        def act(context: BaseStepContext, error: BaseException = error) -> None:
            raise error

        log.clear()
        expected = StepFailedError if isinstance(error, Exception) else type(error)
        with pytest.raises(expected):
            asyncio.run(make(Blocks("a"), Blocks("b", 0, act)).execute_async())
        assert log[-2:] == ["undo b", "undo a"]
