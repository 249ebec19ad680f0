"""When the steps of a recorded run worked, and when they were undone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from handrail.engine.rollback_data import MAY_HAVE_LEFT
from handrail.frozen import frozen, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handrail.journal.records import AttemptRow, Direction, RecordedRun, RunRow

_FORWARD = ("done", "failed", "skipped")
_UNDO = ("undone", "undo_failed")


@frozen
class Span:
    """A time in which a step worked, or was undone.

    Attributes:
        attempt: The number of the attempt.
        direction: Whether the step went forward, or was undone.
        began: When it began, in UTC, in the format of the journal.
        ended: When it ended; None if it still goes on. Of a process that died, its last sign of
            life.
    """

    attempt: int
    direction: Direction
    began: str
    ended: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, with the same keys as the attributes."""
        return values_of(self)


def spans_of(
    recorded: RecordedRun,
    took: Callable[[AttemptRow], float | None],
    *,
    running: bool,
) -> dict[str, list[Span]]:
    """Return the times of each step of a run, in order, as far as they are known.

    Args:
        recorded: The run.
        took: Returns the seconds that an attempt took, for rows without a begin.
        running: Whether a process works on it.
    """
    found: dict[str, list[Span]] = {}
    for row in recorded.attempts:
        span = forward_span(row, recorded.row, took, running=running)
        if span is not None:
            found.setdefault(row.step, []).append(span)
    for span, row in _undone(recorded.row, recorded.attempts):
        found.setdefault(row.step, []).append(span)
    return found


def forward_span(
    row: AttemptRow,
    run: RunRow,
    took: Callable[[AttemptRow], float | None] = lambda row: None,
    *,
    running: bool,
) -> Span | None:
    """Return the time in which an attempt went forward, as far as it is known.

    Args:
        row: The attempt.
        run: Its run.
        took: Returns the seconds that an attempt took, for rows without a begin.
        running: Whether a process works on it.
    """
    if row.state == "skipped":
        return None
    if row.state == "started":
        # Once the run is undone, its sign of life is that of the process which undoes it.
        heard = row.ended if run.direction == "undo" else run.heard
        return _span(row, row.at, None if running else max(heard or row.at, row.at))
    began, ended = row.began, row.at if row.state in _FORWARD else row.ended
    if ended is None:
        return None
    if began is None:
        seconds = took(row)
        began = None if seconds is None else _before(ended, seconds)
    return None if began is None else _span(row, began, ended)


def _span(row: AttemptRow, began: str, ended: str | None) -> Span:
    return Span(attempt=row.n, direction="forward", began=began, ended=ended)


def _undone(row: RunRow, attempts: Sequence[AttemptRow]) -> list[tuple[Span, AttemptRow]]:
    """Return when attempts were undone: one begins when the one before it has ended."""
    found: list[tuple[Span, AttemptRow]] = []
    last = ""
    for each in sorted(
        (each for each in attempts if each.state in _UNDO and each.message != MAY_HAVE_LEFT),
        key=lambda each: each.at,
    ):
        known = (time for time in (last, row.turned, row.claimed) if time and time <= each.at)
        began = max(known, default=each.at)
        span = Span(attempt=each.n, direction="undo", began=began, ended=each.at)
        found.append((span, each))
        last = each.at
    return found


def _before(time: str, seconds: float) -> str:
    moment = datetime.fromisoformat(time) - timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
