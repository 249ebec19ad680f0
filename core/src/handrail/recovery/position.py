"""Where a recorded run stands: its rows, put into the state of a run that goes on. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handrail.engine.rollback import ended
from handrail.errors import DriftError
from handrail.journal.codec import decode_results
from handrail.journal.records import AttemptRow, FieldRow, RecordedRun
from handrail.recovery.drift import steps_of
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
        gone: Names of steps that began, and are not in the plan any more.
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
    gone: tuple[str, ...] = ()
    failed: tuple[int, str] | None = None
    batches: int = 0


def position_of(recorded: RecordedRun, plan: Plan) -> Position:
    """Return where `recorded` stands in `plan`.

    A step of the plan that never began counts as skipped where a later one did.

    Raises:
        DriftError: The step that is in doubt comes before others that are over.
    """
    rows = _by_step(recorded)
    notes = _notes_of(recorded)
    found = Position(batches=max((note.seq for note in recorded.notes), default=0))
    undoing = recorded.row.direction == "undo"
    latest = _latest(rows, plan)
    for place, planned in enumerate(plan.steps):
        attempts = rows.pop(planned.name, None)
        if attempts is None:
            if place < latest and not planned.always_run:
                found.finished.append(StepResult(skipped=True))
            continue
        if len(attempts) > 1:
            attempts.sort(key=_number)
            _leave_over(found, place, attempts[:-1], notes)
        last, decoded = attempts[-1]
        if last.state != "skipped":
            found.attempts[place] = last.n
        result = _result_of(notes, last, decoded)
        if not planned.always_run:
            _place(found, place, last, result, undoing=undoing)
        elif last.state != "started":
            found.closed[place] = result
    _check_order(found, latest)
    found.gone = _gone(recorded, rows)
    return found


Attempt = tuple[AttemptRow, StepResult | None]
"""An attempt with its result, where it has one."""


def _by_step(recorded: RecordedRun) -> dict[str, list[Attempt]]:
    texts = [row.result for row in recorded.attempts if row.result is not None]
    results = iter(decode_results(texts))
    rows: dict[str, list[Attempt]] = {}
    for row in recorded.attempts:
        decoded = None if row.result is None else next(results)
        rows.setdefault(row.step, []).append((row, decoded))
    return rows


def _number(attempt: Attempt) -> int:
    return attempt[0].n


def _latest(rows: Mapping[str, object], plan: Plan) -> int:
    """Return the position of the last ordinary step that began, or -1."""
    for place in reversed(range(len(plan.steps))):
        planned = plan.steps[place]
        if planned.name in rows and not planned.always_run:
            return place
    return -1


def _leave_over(found: Position, place: int, earlier: list[Attempt], notes: Notes) -> None:
    for row, decoded in earlier:
        if row.state == "undo_failed":
            left = found.leftovers.setdefault(place, [])
            left.append((row.n, _result_of(notes, row, decoded)))


def _place(
    found: Position, place: int, row: AttemptRow, result: StepResult, *, undoing: bool
) -> None:
    if row.error is not None and row.state in ("failed", "undo_failed", "undone"):
        found.failed = found.failed or ((place, row.error) if not result.success else None)
    if row.state in ("done", "skipped") or undoing:
        found.finished.append(result)
        if row.state == "undone":
            found.undone.add(place)
    elif row.state in ("started", "failed") and row.n > 0:
        # Attempt 0 is of a step that never began: it is asked, and played, again.
        found.doubt = result


def _check_order(found: Position, latest: int) -> None:
    """Refuse a plan in which what is in doubt comes before what is over."""
    if found.doubt is not None and len(found.finished) != latest:
        raise DriftError(
            "the step that was interrupted comes before others that are over, in the plan as it is",
            ways_out=("install what the run began with",),
        )


def _gone(recorded: RecordedRun, rows: Mapping[str, list[Attempt]]) -> tuple[str, ...]:
    steps = steps_of(recorded.row.plan) if rows else ()
    closing = {step["name"] for step in steps if step["always_run"]}
    over = ("skipped", "undone")
    return tuple(
        name
        for name, attempts in rows.items()
        if name not in closing and any(row.n and row.state not in over for row, _ in attempts)
    )


Notes = Mapping[tuple[str, int], Mapping[str, list[Any]]]


def _notes_of(recorded: RecordedRun) -> Notes:
    """Return what was recorded by step and attempt, then by key."""
    found: dict[tuple[str, int], dict[str, list[Any]]] = {}
    for note in recorded.notes:
        of_attempt = found.setdefault((note.step, note.n), {})
        of_attempt.setdefault(note.key, []).extend(json.loads(note.values))
    return found


def _result_of(notes: Notes, row: AttemptRow, decoded: StepResult | None) -> StepResult:
    """Return the result of an attempt, with what it recorded, as its undo gets it."""
    if row.state == "skipped":
        return StepResult(skipped=True)
    if decoded is None:
        decoded = StepResult(success=False, error="it was interrupted")
    noted = notes.get((row.step, row.n)) if notes else None
    return ended(decoded, noted) if noted else decoded


def fields_at(fields: Sequence[FieldRow]) -> dict[str, str]:
    """Return the latest value of each field.

    What a step did to the context that is not over is not among them: it was never stored.
    """
    return {row.name: row.value for row in sorted(fields, key=lambda row: row.boundary)}
