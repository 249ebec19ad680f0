"""What a run writes, when, and what it does once that fails."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest
from killing.told import Asked, Context, Does, play

from handrail import (
    RuntimeContext,
    StepResult,
)
from handrail.errors import JournalError, LeaseLostError
from handrail.journal.records import FieldRow, NoteRow, RunChange


def test_a_field_is_written_when_it_changed_also_in_place(writes):
    def work(context: Any) -> None:
        context.seen.append("x")

    play(writes, Does("a"), Does("b", work), Does("c"))
    changed = [
        each for each in chain.from_iterable(writes.commits[1:]) if isinstance(each, FieldRow)
    ]
    assert [(each.boundary, each.name, each.value) for each in changed] == [(2, "seen", '["x"]')]


def test_a_skipped_step_may_change_the_context(writes):
    play(writes, Asked("a", asked=lambda context: context.seen.append("x") or True))
    fields = writes.read(1).fields
    assert [each.value for each in fields if each.name == "seen"] == ["[]", '["x"]']


def test_whoever_listens_is_told_after_the_commit(writes):
    told: list[tuple[str, int]] = []

    def observe(event: Any) -> None:
        told.append((type(event).__name__, len(writes.commits)))

    def progress(percent: int, total: int) -> None:
        told.append((f"{percent}%", len(writes.commits)))

    play(writes, Does("a"), Does("b"), observers=[observe], progress_callback=progress)
    assert ("50%", 2) in told
    assert ("100%", 3) in told, "the run is closed after the last callback"
    assert [each for each in told if each[0] == "StepFinished"] == [
        ("StepFinished", 2),
        ("StepFinished", 3),
    ]
    assert told[-1] == ("RunFinished", 4)


@pytest.mark.parametrize("error", [JournalError, LeaseLostError])
@pytest.mark.parametrize("swallow", [True, False])
def test_after_a_write_that_failed_nothing_is_undone(writes, error, swallow):
    """It may have been written all the same; also when a step swallows that."""

    def record(context: Any) -> StepResult:
        try:
            context.record_rollback("key", 1)
        except JournalError:
            if not swallow:
                raise
        return StepResult(rollback_data={"pair": (1, 2)})

    first, second, closes = Does("a"), Does("b", record), Does("close", always=True)
    writes.fail = lambda change: isinstance(change, NoteRow)
    writes.error = error
    with pytest.raises(JournalError, match="no room") as raised:
        play(writes, first, second, closes)
    assert isinstance(raised.value, error)
    assert first.undone == second.undone == []
    row = writes.runs()[0]
    assert (row.outcome, row.direction) == (None, "forward")


def test_a_run_that_cannot_be_closed_is_interrupted(writes):
    writes.fail = lambda change: isinstance(change, RunChange)
    context = Context(RuntimeContext())
    with pytest.raises(JournalError):
        play(writes, Does("a"), context=context)
    assert context.outcome == "interrupted"
