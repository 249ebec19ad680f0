"""After a write to the journal that failed, what is recorded is unknown: nothing goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from killing.told import Context, Does, play

from handrail import (
    Orchestrator,
    Run,
    RuntimeContext,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
    parallel,
)
from handrail.errors import JournalError
from handrail.journal.records import AttemptChange, NoteRow


class Insists(StepWrapper[Any]):
    """Undoes an attempt that fails, tries again, and calls it a success in the end."""

    ended = False

    def around(self, context: Any) -> Iterator[Any]:
        try:
            for _ in range(3):
                try:
                    return (yield Run())
                except (JournalError, ValueError):
                    yield Undo()
            return StepResult()
        finally:
            self.ended = True


class Counts(Does):
    """Counts its attempts; the first one makes something, and records it."""

    attempts = 0

    def execute(self, context: Any) -> StepResult:
        self.attempts += 1
        context.record_rollback("made", self.attempts)
        return super().execute(context)


def fails(context: Any) -> None:
    raise ValueError("told to fail")


def note(change: Any) -> bool:
    return isinstance(change, NoteRow)


def attempt(step: str, state: str) -> Any:
    """Return what is true for this state of a step."""
    return lambda change: (
        isinstance(change, AttemptChange) and (change.step, change.state) == (step, state)
    )


@pytest.mark.parametrize("in_group", [False, True])
def test_a_layer_neither_undoes_nor_tries_again(writes: Any, in_group: bool) -> None:
    inner, writes.fail = Counts("work"), note
    layer = Insists(Insists(inner))
    with pytest.raises(JournalError, match="no room"):
        play(writes, parallel("g", [layer, Does("other")]) if in_group else layer)
    assert (inner.attempts, inner.undone) == (1, [])
    assert layer.ended


def test_no_lane_goes_on_once_a_write_of_another_has_failed(writes: Any) -> None:
    begun, failed = threading.Event(), threading.Event()

    def fail(change: Any) -> bool:
        here = attempt("a", "done")(change)
        if here:
            failed.set()
        return bool(here)

    def work(context: Any) -> None:
        begun.set()
        assert failed.wait(60)
        raise ValueError("told to fail")

    first = Does("a", lambda context: begun.wait(60) and None)
    writes.fail, inner = fail, Counts("b", work)
    with pytest.raises(JournalError, match="no room"):
        play(writes, parallel("g", [[first, Does("a2")], [Insists(inner), Does("b2")]]))
    assert (first.undone, inner.attempts, inner.undone) == ([], 1, [])


def test_a_layer_tries_no_more_where_the_undo_of_an_attempt_is_not_written(writes: Any) -> None:
    inner, writes.fail = Counts("work", fails), attempt("work", "undone")
    with pytest.raises(JournalError, match="no room"):
        play(writes, Insists(inner))
    assert (inner.attempts, inner.undone) == (1, [{"made": [1]}])


def test_the_same_holds_in_an_event_loop(writes: Any) -> None:
    inner, writes.fail, registry = Counts("work"), note, StepRegistry[Any]()
    first = Does("first")
    registry.register(first)
    registry.register(Insists(inner))
    run = Orchestrator(registry, Context(RuntimeContext()), journal=writes)
    with pytest.raises(JournalError, match="no room"):
        asyncio.run(run.execute_async())
    assert (first.undone, inner.attempts, inner.undone) == ([], 1, [])


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("state", ["done", "failed"])
def test_where_the_end_of_a_step_is_not_written_nothing_is_undone(
    writes: Any, state: str, keep: bool
) -> None:
    ran: list[str] = []
    first, second = Does("a"), Does("b", fails if state == "failed" else lambda context: None)
    closes = Does("close", lambda context: ran.append("close"), always=True)
    writes.fail = attempt("b", state)
    with pytest.raises(JournalError, match="no room") as caught:
        play(writes, first, second, closes, on_failure="keep" if keep else "undo")
    assert first.undone == second.undone == ran == []
    assert writes.runs()[0].outcome is None
    assert "rolled back" not in str(caught.value)
