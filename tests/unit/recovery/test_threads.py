"""Threads, coroutines and cancellations that meet the writes of a run."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from killing.told import AsyncDoes, Context, Does, flow, flow_run, play

from handrail import (
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    rollback,
)
from handrail.journal.records import AttemptChange, NoteRow


def test_a_leaked_thread_cannot_write_into_the_next_step(writes):
    go, over = threading.Event(), threading.Event()
    refused: list[BaseException] = []

    def leak(context: Any) -> None:
        record = context.record_rollback

        def late() -> None:
            go.wait()
            try:
                record("key", "late")
            except Exception as error:  # noqa: BLE001
                refused.append(error)
            over.set()

        threading.Thread(target=late).start()

    def follow(context: Any) -> None:
        go.set()
        over.wait()

    play(writes, Does("a", leak), Does("b", follow))
    assert "after step 'a' had ended" in str(refused[0])
    assert writes.read(1).notes == ()


def test_threads_that_record_together_lose_nothing(writes):
    def work(context: Any) -> None:
        record = context.record_rollback
        threads = [threading.Thread(target=record, args=("key", n)) for n in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    step = Does("a", work)
    flow_run(writes, step)
    rollback(flow(step), 1, journal=writes, packs=())
    assert sorted(step.undone[0]["key"]) == list(range(64))


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
def test_recording_from_a_coroutine_does_not_block_its_loop(writes, driver):
    """The write waits until the loop has done something else: that would hang if it blocked."""
    free = threading.Event()
    writes.fail = lambda change: isinstance(change, NoteRow) and not free.wait(60)

    async def work(context: Any) -> None:
        asyncio.get_running_loop().call_soon(free.set)
        await context.arecord_rollback("key", 1)

    registry: Any = StepRegistry()
    registry.register(AsyncDoes("a", work))
    orchestrator = Orchestrator(registry, Context(RuntimeContext()), journal=writes)
    if driver == "blocking":
        orchestrator.execute()
    else:
        asyncio.run(orchestrator.execute_async())
    assert [note.values for note in writes.read(1).notes] == ["[1]"]


def test_a_cancellation_while_a_commit_runs_undoes_the_run(writes):
    loop_of: list[Any] = []
    first, second = Does("a"), Does("b")

    async def main() -> None:
        registry: Any = StepRegistry()
        for step in (first, second):
            registry.register(step)
        orchestrator = Orchestrator(registry, Context(RuntimeContext()), journal=writes)
        task = asyncio.ensure_future(orchestrator.execute_async())
        loop = asyncio.get_running_loop()

        def cancel(change: Any) -> bool:
            if isinstance(change, AttemptChange) and change.state == "done" and not loop_of:
                loop_of.append(loop)
                loop.call_soon_threadsafe(task.cancel)
            return False

        writes.fail = cancel
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert (len(first.undone), len(second.undone)) == (1, 0)
    assert writes.runs()[0].outcome == "rolled_back"
