"""Text about recorded runs: states, times, and commands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handrail.cli.hints import command_line
from handrail.cli.view.text import seconds
from handrail.recovery.status import AIMS

if TYPE_CHECKING:
    from handrail.recovery.status import Purpose, RunStatus

STYLES = {
    "completed": "green",
    "rolled back": "dim",
    "rollback incomplete": "red",
    "failed (kept)": "red",
    "interrupted": "yellow",
    "running": "cyan",
    "stalled": "yellow",
}


def ways_of(status: RunStatus) -> tuple[tuple[str, str], ...]:
    """Return each purpose that a run can serve, with its command."""
    more = "" if status.holder is None else " --take-over"
    return commands_for(status.row.number, status.purposes, more)


def commands_for(
    number: int, purposes: Iterable[Purpose], more: str = ""
) -> tuple[tuple[str, str], ...]:
    """Return purposes with the commands that serve them."""
    return tuple((each, command_line(f"{AIMS[each]} {number}{more}")) for each in purposes)


def run_to_dict(status: RunStatus) -> dict[str, Any]:
    """Return the JSON form of a run in a listing."""
    row = status.row
    took, undo_took = status.spent()
    return {
        "id": row.number,
        "uid": row.uid,
        "action": row.action,
        "state": status.state,
        "outcome": row.outcome,
        "direction": row.direction,
        "sealed": row.sealed,
        "started": row.opened,
        "ended": row.closed,
        "took": took,
        "undo_took": undo_took,
        "project": row.project,
        "folder": row.cwd,
        "owner": status.owner,
        "held": status.holder is not None,
        "ways": dict(ways_of(status)),
    }


def time_of(status: RunStatus) -> str:
    """Return how long a run took, as `0.4s` or `0.4s, undo 1.1s`; `0.4s+` for that or longer."""
    took, undo_took = status.spent()
    # The time of death of a process is unknown.
    more = "+" * (status.state == "interrupted" and not status.row.given_up)
    if undo_took:
        return f"{seconds(took)}, undo {seconds(undo_took)}{more}"
    return f"{seconds(took)}{more}"


def parse_time(text: str) -> datetime:
    """Return the time that a journal has as text, in the time zone of this machine."""
    return datetime.fromisoformat(text).astimezone()
