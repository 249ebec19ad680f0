"""What an undo has left, and the record that a person has undone it by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from handrail.builtin.records.run_record import left_of, recorded_steps, with_steps
from handrail.builtin.records.status import ByHand, by_hand_of, is_undoing
from handrail.errors import JournalDamagedError, NotFoundError, RollbackRefusedError, RunClosedError
from handrail.frozen import as_json
from handrail.journal import now
from handrail.journal.records import AttemptChange, RunChange
from handrail.redact import KNOWN, without_passwords
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from handrail.builtin.records.status import RunStatus
    from handrail.journal import Journal, OwnedRun
    from handrail.journal.records import Change, Outcome, RunRow

_OVER = ("undone", "skipped")


def record_by_hand(
    journal: Journal, number: int, step: str, *, by: str, reason: str
) -> tuple[str, ...]:
    """Record in the journal that a person has undone what a step of a run has left.

    Nothing is called, and no code of the run is imported. If it was the last one, the run is rolled
    back; its `always_run` steps run with `rollback` if they have not yet.

    Args:
        journal: The journal.
        number: The number of the run.
        step: Name of the step.
        by: The person.
        reason: What was done, and why.

    Returns:
        The steps that are still left.

    Raises:
        NotFoundError: There is no such run.
        RunClosedError: Nothing is left of the run.
        RollbackRefusedError: The run is not being undone, nothing is left of the step, or the
            journal cannot record it.
        RunHeldError: The run belongs to another process that is alive.
    """
    recorded = journal.read(number, fields=False)
    left = _left(journal, recorded)
    _check(recorded, step, left)
    undone, _, own = step.partition(".")
    parts = [row for row in journal.parts(number) if row.parent_step == undone]
    if not parts:
        undone = step
    elif record_by_hand(journal, parts[-1].number, own, by=by, reason=reason):
        undone = ""  # More is left of what it has made.
    done = ByHand(step=step, by=by, at=now(), reason=KNOWN(without_passwords(reason)))
    told = as_json((*by_hand_of(recorded), done))
    changes: list[Change] = [
        AttemptChange(row.step, row.n, "undone")
        for row in recorded.attempts
        if row.step == undone and row.n and row.state not in _OVER
    ]
    left = tuple(each for each in left if each != step)
    # The claim reopens a run that is over; an interrupted one goes on with `rollback`.
    over = recorded.outcome == "rollback_incomplete"
    owned = journal.claim(number)
    try:
        _check_unchanged(owned, journal, recorded, over=over)
        changes.append(
            RunChange(by_hand=json.dumps(told), outcome=_outcome(left) if over else None)
        )
        owned.write(changes)
    finally:
        owned.release()
    return left


def _left(journal: Journal, recorded: RunRow) -> tuple[str, ...]:
    return left_of(recorded, recorded_steps(recorded, running=False, journal=journal))


def _outcome(left: Sequence[str]) -> Outcome:
    return "rollback_incomplete" if left else "rolled_back"


def _check(row: RunRow, step: str, left: Sequence[str]) -> None:
    """Check that a step of a run can have been undone by hand, and that this can be recorded."""
    number = row.number
    if row.outcome == "rolled_back":
        raise RunClosedError(f"run {number} was rolled back; nothing of it is left")
    if not is_undoing(row):
        raise RollbackRefusedError(
            f"run {number} is not being undone; only what an undo has left is undone by hand",
            ways_out=(f"undo it first:  handrail rollback {number}",),
        )
    if step not in left:
        raise RollbackRefusedError(
            f"run {number} has nothing left of '{step}'",
            ways_out=(did_you_mean(step, left) or f"left: {', '.join(left) or 'nothing'}",),
        )


def _check_unchanged(owned: OwnedRun, journal: Journal, before: RunRow, *, over: bool) -> None:
    """Raise if another process has had the run since it was read; leave it as that process did."""
    recorded = journal.read(before.number, fields=False)
    if recorded.fence == before.fence + 1:
        return
    if over:
        owned.write([RunChange(outcome=_outcome(_left(journal, recorded)))])
    raise RollbackRefusedError(
        f"run {before.number} has changed meanwhile; nothing was recorded",
        ways_out=(f"look at it:  handrail show {before.number}",),
    )


def with_left(journal: Journal, statuses: Iterable[RunStatus]) -> list[RunStatus]:
    """Return the statuses with the steps that each undo has left, or does not undo."""
    return [
        _with_steps(journal, status)
        if is_undoing(status.row) or status.row.outcome == "rolled_back"
        else status
        for status in statuses
    ]


def _with_steps(journal: Journal, status: RunStatus) -> RunStatus:
    with suppress(JournalDamagedError, NotFoundError):  # It may have been pruned meanwhile.
        recorded = journal.read(status.row.number, fields=False)
        steps = recorded_steps(recorded, running=False, journal=journal)
        return with_steps(status, steps)
    return status
