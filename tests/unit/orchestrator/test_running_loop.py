"""Runs in a thread whose event loop already runs, as in a notebook: both drivers, and limits.

A notebook runs cells inside its loop, in the main thread, with Python's own handler for SIGINT.
`asyncio.run` has another handler; `run_until_complete` has none, as a notebook.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Limits,
    Orchestrator,
    RollbackPolicy,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    action,
    rollback_async,
    step,
)
from handrail.errors import AsyncStepError
from handrail.sqlite import SqliteJournal

SHORT = 0.2
LONG = 60.0
TOO_LONG = f"it took longer than its timeout of {SHORT}s"


class Does(BaseStep[Any]):
    """Calls functions for its work and its undo."""

    progress_weight = 1.0

    def __init__(
        self,
        name: str,
        work: Callable[[Any], Any] = lambda _: None,
        undo: Callable[[], Any] = lambda: None,
        timeout: float | None = None,
        **policy: Any,
    ) -> None:
        self.name, self.work, self.undo = name, work, undo
        self.undone = 0
        self.limits, self.rollback_policy = Limits(timeout=timeout), RollbackPolicy(**policy)

    def execute(self, context: Any) -> StepResult:
        self.work(context)
        return StepResult()

    def rollback(self, context: Any, result: StepResult) -> Any:
        self.undone += 1
        return self.undo()


class DoesAsync(Does):
    async def execute(self, context: Any) -> StepResult:  # type: ignore[override]
        await self.work(context)
        return StepResult()


class UndoesAsync(Does):
    async def rollback(self, context: Any, result: StepResult) -> None:
        self.undone += 1
        await self.undo()


def made(*steps: BaseStep[Any], **more: Any) -> Orchestrator[Any]:
    registry = StepRegistry[Any]()
    for each in steps:
        registry.register(each)
    return Orchestrator(registry, BaseStepContext(RuntimeContext()), **more)


def cell(body: Coroutine[Any, Any, Any]) -> Any:
    """Run the body of a cell in the loop of a notebook."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(body)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


class Ticker:
    """Counts while the loop is free."""

    def __init__(self) -> None:
        self.ticks = 0

    async def __aenter__(self) -> Ticker:
        self.task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()

    async def _tick(self) -> None:
        while True:
            self.ticks += 1
            await asyncio.sleep(0.001)


async def forever(context: Any) -> None:
    await asyncio.sleep(LONG)


def hang(context: Any) -> None:
    threading.Event().wait(LONG)


def failing(times: int) -> Callable[[], None]:
    calls: list[int] = []

    def undo() -> None:
        calls.append(1)
        if len(calls) <= times:
            raise OSError("not yet")

    return undo


# The blocking driver


@pytest.mark.skipif(os.name == "nt", reason="interrupts with POSIX signals")
def test_a_blocking_run_works_in_a_running_loop_and_its_limits_hold():
    """It blocks the loop, as any blocking call in a cell; a hang is interrupted."""
    before, hangs = Does("before"), Does("hangs", hang, timeout=SHORT)

    async def body() -> str:
        with pytest.raises(StepFailedError) as caught:
            made(before, hangs).execute()
        await asyncio.sleep(0)  # The loop goes on.
        return caught.value.error

    assert cell(body()) == TOO_LONG
    assert (hangs.undone, before.undone) == (1, 1)


@pytest.mark.skipif(os.name == "nt", reason="interrupts with POSIX signals")
def test_an_undo_is_tried_again_in_a_running_loop():
    """With its waits and its own limit."""
    undone = Does("a", undo=failing(2), retries=2, wait=0.001)

    def fail(context: Any) -> None:
        raise ValueError("planned")

    async def body() -> str:
        with pytest.raises(StepFailedError) as caught:
            made(undone, Does("fails", fail)).execute()
        return caught.value.outcome

    assert cell(body()) == "rolled_back"
    assert undone.undone == 3


@pytest.mark.parametrize(
    "async_step",
    [DoesAsync("a", forever), UndoesAsync("a")],
    ids=["execute", "only its rollback"],
)
def test_async_steps_are_refused_before_anything_is_done(async_step):
    """A loop that runs cannot be waited for; the error names what to call instead."""
    ran: list[str] = []

    async def body() -> AsyncStepError:
        with pytest.raises(AsyncStepError) as caught:
            made(Does("first", lambda _: ran.append("first")), async_step).execute()
        return caught.value

    error = cell(body())
    assert ran == []
    assert error.ways_out == ("use `await orchestrator.execute_async()`",)


def test_in_asyncio_run_a_blocking_run_notices_late():
    """There SIGINT belongs to asyncio, which is left alone: a step is told at its next call."""
    after: list[str] = []

    def work(context: Any) -> None:
        threading.Event().wait(2 * SHORT)
        context.log("still", {})
        after.append("it went on")

    async def body() -> str:
        with pytest.raises(StepFailedError) as caught:
            made(Does("works", work, timeout=SHORT)).execute()
        return caught.value.error

    assert (asyncio.run(body()), after) == (TOO_LONG, [])


# The asyncio driver


def test_an_async_step_is_stopped_while_the_loop_goes_on():
    """Other tasks of the notebook run meanwhile, and the task of the cell is not cancelled."""
    hangs = DoesAsync("hangs", forever, timeout=SHORT)

    async def body() -> tuple[str, int, int]:
        async with Ticker() as ticker:
            with pytest.raises(StepFailedError) as caught:
                await made(hangs).execute_async()
        task = asyncio.current_task()
        assert task is not None
        return caught.value.error, ticker.ticks, task.cancelling()

    error, ticks, cancelling = cell(body())
    assert (error, cancelling, hangs.undone) == (TOO_LONG, 0, 1)
    assert ticks > 2


def test_a_blocking_step_does_not_block_the_loop():
    """It runs in a thread, where its limit is noticed at its next call."""
    free = threading.Event()

    def work(context: Any) -> None:
        free.wait(LONG)
        context.log("still", {})
        raise AssertionError

    async def body() -> tuple[str, int]:
        async with Ticker() as ticker:
            asyncio.get_running_loop().call_later(2 * SHORT, free.set)
            with pytest.raises(StepFailedError) as caught:
                await made(Does("works", work, timeout=SHORT)).execute_async()
        return caught.value.error, ticker.ticks

    error, ticks = cell(body())
    assert error == TOO_LONG
    assert ticks > 2


def test_the_wait_before_another_undo_does_not_block_the_loop():
    """It is one of the loop."""
    undone = Does("a", undo=failing(1), retries=1, wait=SHORT)

    async def fail(context: Any) -> None:
        raise ValueError("planned")

    async def body() -> tuple[str, int]:
        async with Ticker() as ticker:
            with pytest.raises(StepFailedError) as caught:
                await made(undone, DoesAsync("fails", fail)).execute_async()
        return caught.value.outcome, ticker.ticks

    outcome, ticks = cell(body())
    assert (outcome, undone.undone) == ("rolled_back", 2)
    assert ticks > 2


def test_a_timeout_of_the_cell_stops_the_run():
    """`asyncio.timeout` around a run cancels it: undone, then TimeoutError is raised."""
    hangs = DoesAsync("hangs", forever, timeout=LONG)

    async def body() -> None:
        async with asyncio.timeout(SHORT):
            await made(hangs).execute_async()

    with pytest.raises(TimeoutError) as caught:
        cell(body())
    assert not isinstance(caught.value, StepFailedError)
    assert hangs.undone == 1


def test_runs_side_by_side_have_limits_of_their_own():
    """One is stopped, the other is not."""

    async def soon(context: Any) -> None:
        await asyncio.sleep(2 * SHORT)

    hangs, works = DoesAsync("a", forever, timeout=SHORT), DoesAsync("b", soon, timeout=LONG)

    async def body() -> list[Any]:
        runs = (made(hangs).execute_async(), made(works).execute_async())
        return list(await asyncio.gather(*runs, return_exceptions=True))

    stopped, ended = cell(body())
    assert isinstance(stopped, StepFailedError)
    assert ended["success"]


def test_a_recorded_run_is_undone_in_a_running_loop(tmp_path: Path):
    """`rollback_async` tries again, and stops what hangs, as `handrail rollback` does."""
    tries: list[int] = []

    @step(rollback_timeout=SHORT, rollback_retries=2, rollback_wait=0)
    async def makes(context: Any) -> None:
        await context.arecord_rollback("made", 1)

    @makes.rollback
    async def unmake(context: Any, result: StepResult) -> None:
        tries.append(len(tries))
        if len(tries) < 3:
            await asyncio.sleep(LONG)

    job = action("job", [makes])

    async def body() -> dict[str, Any]:
        journal = SqliteJournal(tmp_path / "runs.db")
        try:
            await job(packs=()).run_async(journal=journal)
            return await rollback_async(job, 1, journal=journal, packs=())
        finally:
            journal.close()

    assert cell(body())["rolled_back"]
    assert tries == [0, 1, 2]
