"""How far the steps of a run came, one word each, and when they worked and were undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from handrail.engine.rollback_data import CANCELLED, MAY_HAVE_LEFT
from handrail.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handrail.journal.records import AttemptRow, Direction, RunRow


StepState = Literal[
    "not started",
    "running",
    "waiting",
    "interrupted",
    "done",
    "skipped",
    "failed",
    "undone",
    "failed and undone",
    "undo failed",
    "may have left something",
    "unknown",
]
"""How far a step came.

- `waiting`: it could begin, or be undone, and waits for others.
- `interrupted`: it began and did not end, because it was stopped or its process is gone.
- `failed and undone`: it failed, and what it had done was undone; others are `undone`.
- `may have left something`: its process is gone, it has effects, and nothing can undo it.
- `unknown`: what the journal has of it is damaged.
"""

UNDONE: frozenset[StepState] = frozenset(["undone", "failed and undone"])
INTERRUPTED = "interrupted"
_BROKEN_OFF = "KeyboardInterrupt"


def state_of(
    row: AttemptRow, result: Mapping[str, Any], *, running: bool, has_way_back: bool
) -> StepState:
    """Return the state of a step from the row of its last attempt.

    Args:
        row: The row.
        result: Its result.
        running: Whether a process works on the step.
        has_way_back: Whether it has no effects, or something undoes them.
    """
    if row.state == "started":
        if running:
            return "running"
        return "interrupted" if has_way_back else "may have left something"
    if row.state == "failed":
        return "failed" if is_failure(row.error) else "interrupted"
    if row.state == "undone":
        return "failed and undone" if is_failure(error_of(row, result)) else "undone"
    if row.state == "undo_failed":
        return "may have left something" if row.message == MAY_HAVE_LEFT else "undo failed"
    return row.state


def error_of(row: AttemptRow, result: Mapping[str, Any]) -> str | None:
    """Return why the way forward of an attempt ended, if it did not end well."""
    error = row.error
    if row.state != "failed":
        error = None if result.get("success", True) else result.get("error")
    return INTERRUPTED if error == _BROKEN_OFF else error


def is_failure(error: str | None) -> bool:
    """Return whether an error is one of the step itself, and not that something stopped it."""
    return error not in (None, INTERRUPTED, _BROKEN_OFF) and not str(error).startswith(CANCELLED)


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
