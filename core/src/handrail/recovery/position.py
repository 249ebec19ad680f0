"""Where a recorded run stands: its rows, put into the state of a run that goes on. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handrail.engine.rollback import ended
from handrail.journal.codec import decode_result
from handrail.journal.records import AttemptRow, FieldRow, RecordedRun
from handrail.steps import StepResult

if TYPE_CHECKING:
    from handrail.plan.plan import Plan


@dataclass(slots=True, kw_only=True)
class Position:
    """What a run that goes on begins with; see `RunState` for what each is.

    Attributes:
        finished: Results of the ordinary steps that began, in order.
        closed: Results of the `always_run` steps that are over, by position.
        doubt: What the attempt that was interrupted had recorded.
        attempts: Number of the last attempt, by position.
        leftovers: Attempts that could not be undone and were followed by others.
        undone: Positions that are undone already.
        failed: Position and error of the step that failed, if one did.
        batches: Number of the last batch that was recorded.
    """

    finished: list[StepResult] = field(default_factory=list[StepResult])
    closed: dict[int, StepResult] = field(default_factory=dict[int, StepResult])
    doubt: StepResult | None = None
    attempts: dict[int, int] = field(default_factory=dict[int, int])
    leftovers: dict[int, list[tuple[int, StepResult]]] = field(
        default_factory=dict[int, list[tuple[int, StepResult]]]
    )
    undone: set[int] = field(default_factory=set[int])
    failed: tuple[int, str] | None = None
    batches: int = 0


def position_of(recorded: RecordedRun, plan: Plan) -> Position:
    """Return where `recorded` stands in `plan`, which begins with the recorded steps."""
    rows: dict[str, list[AttemptRow]] = {}
    for row in recorded.attempts:
        rows.setdefault(row.step, []).append(row)
    found = Position(batches=max((note.seq for note in recorded.notes), default=0))
    undoing = recorded.row.direction == "undo"
    for place, planned in enumerate(plan.steps):
        attempts = sorted(rows.get(planned.name, ()), key=lambda row: row.n)
        if not attempts:
            continue
        for earlier in attempts[:-1]:
            if earlier.state == "undo_failed":
                left = found.leftovers.setdefault(place, [])
                left.append((earlier.n, result_of(recorded, earlier)))
        last = attempts[-1]
        if last.state != "skipped":
            found.attempts[place] = last.n
        if planned.always_run:
            _place_closing(found, recorded, place, last)
        else:
            _place(found, recorded, place, last, undoing=undoing)
    return found


def _place(
    found: Position, recorded: RecordedRun, place: int, row: AttemptRow, *, undoing: bool
) -> None:
    result = result_of(recorded, row)
    if row.error is not None and row.state in ("failed", "undo_failed", "undone"):
        found.failed = found.failed or ((place, row.error) if not result.success else None)
    if row.state in ("done", "skipped") or undoing:
        found.finished.append(result)
        if row.state == "undone":
            found.undone.add(place)
    elif row.state in ("started", "failed"):
        found.doubt = result


def _place_closing(found: Position, recorded: RecordedRun, place: int, row: AttemptRow) -> None:
    if row.state == "started":
        found.doubt = result_of(recorded, row)
    else:
        found.closed[place] = result_of(recorded, row)


def result_of(recorded: RecordedRun, row: AttemptRow) -> StepResult:
    """Return the result of an attempt, with what it recorded, as its undo gets it."""
    if row.state == "skipped":
        return StepResult(skipped=True)
    notes: dict[str, list[Any]] = {}
    for note in recorded.notes:
        if (note.step, note.n) == (row.step, row.n):
            notes.setdefault(note.key, []).extend(json.loads(note.values))
    if row.result is None:
        return ended(StepResult(success=False, error="it was interrupted"), notes)
    return ended(decode_result(row.result), notes)


def fields_at(fields: Sequence[FieldRow], boundary: int | None) -> dict[str, str]:
    """Return the latest value of each field, up to `boundary` where one is given."""
    return {
        row.name: row.value
        for row in sorted(fields, key=lambda row: row.boundary)
        if boundary is None or row.boundary <= boundary
    }
