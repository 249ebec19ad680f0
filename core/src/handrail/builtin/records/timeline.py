"""When the steps of a recorded run worked, and when they were undone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.engine.rollback_data import MAY_HAVE_LEFT
from handrail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handrail.journal.records import AttemptRow, Direction, RunRow

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


def forward_span(row: AttemptRow, run: RunRow, *, running: bool) -> Span | None:
    """Return the time in which an attempt went forward, as far as it is known.

    Args:
        row: The attempt.
        run: Its run.
        running: Whether a process works on it.
    """
    if row.state == "skipped":
        return None
    began, ended = row.began, row.at if row.state in _FORWARD else row.ended
    if row.state == "started":
        # Once the run is undone, its sign of life is that of the process which undoes it.
        heard = row.ended if run.direction == "undo" else run.heard
        began, ended = row.at, None if running else max(heard or row.at, row.at)
    elif began is None or ended is None:
        return None
    return Span(attempt=row.n, direction="forward", began=began, ended=ended)


def undo_spans(recorded: RunRow) -> Mapping[tuple[str, int], Span]:
    """Return when attempts were undone: one begins when the one before it has ended.

    They are known by step and attempt.
    """
    found: dict[tuple[str, int], Span] = {}
    last = ""
    for each in sorted(
        (each for each in recorded.attempts if each.state in _UNDO),
        key=lambda each: each.at,
    ):
        if each.message == MAY_HAVE_LEFT:
            continue
        known = (
            time for time in (last, recorded.turned, recorded.claimed) if time and time <= each.at
        )
        began = max(known, default=each.at)
        span = Span(attempt=each.n, direction="undo", began=began, ended=each.at)
        found[each.step, each.n] = span
        last = each.at
    return found
