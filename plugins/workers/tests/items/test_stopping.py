"""What ends a step in the middle of its items: each ends the workers first, then undoes."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import pytest
from item_work import World, remove, wait
from killing.told import Context, Does, Writes, play

from handrail import (
    BaseStep,
    Limits,
    Orchestrator,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    parallel,
)

PATIENCE = 60  # Seconds after which a test fails that waits for another thread.


class Waits(BaseStep[Any]):
    """Works on items of which each waits until it is told to end."""

    name = "work"
    progress_weight = 1.0

    def execute(self, context: Any) -> Any:
        context.map_items(wait, range(100), rollback=remove, chunk=3, executor="threads:2")
        return StepResult()


class AsyncWaits(Waits):
    """The same in a coroutine."""

    async def execute(self, context: Any) -> Any:
        await context.amap_items(wait, range(100), rollback=remove, chunk=3, executor="threads:2")
        return StepResult()


@pytest.fixture(params=["journal", "memory"])
def journal(request: Any, writes: Writes) -> Any:
    """A journal, or none."""
    return writes if request.param == "journal" else None


KINDS = pytest.mark.parametrize("kind", [Waits, AsyncWaits])


@KINDS
def test_a_signal(kind: Any, journal: Any, world: World) -> None:
    def interrupt() -> None:
        assert world.waiting.wait(PATIENCE)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        play(journal, Does("first"), kind())
    thread.join()
    assert world.calls
    assert not world.made


@KINDS
def test_the_time_of_the_step(kind: Any, journal: Any, world: World) -> None:
    class Limited(kind):  # type: ignore[misc]
        limits = Limits(timeout=0.2)

    with pytest.raises(StepFailedError, match="longer than its timeout"):
        play(journal, Limited())
    assert not world.made


@KINDS
def test_the_failure_of_another_lane(kind: Any, journal: Any, world: World) -> None:
    def fail(context: Any) -> StepResult:
        assert world.waiting.wait(PATIENCE)
        return StepResult(success=False, error="told to")

    with pytest.raises(StepFailedError, match="told to"):
        play(journal, parallel("both", [[kind()], [Does("bad", fail)]]))
    assert world.calls
    assert not world.made


def test_the_cancellation_of_its_task(journal: Any, world: World) -> None:
    async def cancelled() -> None:
        registry: Any = StepRegistry()
        registry.register(AsyncWaits())
        orchestrator = Orchestrator(registry, Context(RuntimeContext()), journal=journal)
        task = asyncio.create_task(orchestrator.execute_async())
        assert await asyncio.to_thread(world.waiting.wait, PATIENCE)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancelled())
    assert world.calls
    assert not world.made
