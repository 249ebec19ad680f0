"""The states of the steps of a run: one word each, the same wherever a run is shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from handrail.engine.rollback_data import CANCELLED, MAY_HAVE_LEFT

if TYPE_CHECKING:
    from handrail.journal.records import AttemptRow

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
