"""Text about recorded runs: states, times, and commands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handrail.amounts import plural, seconds
from handrail.builtin.cli.view.text import command_line, one_line
from handrail.builtin.records.status import AIMS
from handrail.frozen import as_json

if TYPE_CHECKING:
    from handrail.builtin.records.status import Purpose
    from handrail.journal.records import Reliance
    from handrail.records import RunStatus

_MOST = 3  # Numbers of runs in a text.
STYLES = {
    "completed": "green",
    "rolled back": "dim",
    "rollback incomplete": "red",
    "failed (kept)": "red",
    "interrupted": "yellow",
    "running": "cyan",
    "stalled": "yellow",
    "damaged": "red",
}


def ways_of(status: RunStatus) -> tuple[tuple[str, str], ...]:
    """Return each purpose that a run can serve, with its command."""
    if status.row.damage is not None:
        return (("see", command_line("doctor --journal")),)
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
        "part_of": row.parent,
        "uid": row.uid,
        "action": row.action,
        "state": status.state,
        "outcome": row.outcome,
        "direction": row.direction,
        "sealed": row.sealed,
        "damage": row.damage,
        "started": row.opened or None,
        "ended": row.closed,
        "took": took,
        "undo_took": undo_took,
        "project": row.project,
        "folder": row.cwd,
        "owner": status.owner,
        "left": list(status.left),
        "not_undone": list(status.not_undone),
        "by_hand": as_json(status.by_hand),
        "relies_on": list(status.reliance.relies_on),
        "relied_on_by": list(status.reliance.relied_on_by),
        "held": status.holder is not None,
        "ways": dict(ways_of(status)),
    }


def left_text(status: RunStatus) -> str:
    """Return `left: a, b`, the steps that the undo of a run has left, or an empty text."""
    shown = [*status.left[:_MOST], *["..."] * (len(status.left) > _MOST)]
    return f"left: {', '.join(shown)}" if shown else ""


def by_hand_lines(status: RunStatus) -> Iterator[str]:
    """Yield a line for each step that was undone by hand."""
    for each in status.by_hand:
        at = f"{parse_time(each.at):%Y-%m-%d %H:%M}"
        yield f"  by hand {each.step}: {one_line(each.reason)} ({each.by}, {at})"


def numbered(runs: Sequence[int]) -> str:
    """Return the numbers of runs as text: `15`, `15, 16 and 17`, or `15, 16 and 4 more`."""
    shown = list(map(str, runs[:_MOST]))
    if len(runs) > _MOST:
        shown[-1] = f"{len(runs) - _MOST + 1} more"
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


def reliance_lines(reliance: Reliance) -> Iterator[str]:
    """Yield the lines about the runs that rely on a run, and on which it relies."""
    elsewhere = len(reliance.uids) - len(reliance.relies_on)
    if reliance.relied_on_by:
        yield f"  relied on by {_runs(reliance.relied_on_by)}"
    if reliance.relies_on:
        yield f"  relies on {_runs(reliance.relies_on)}"
    if elsewhere:
        yield f"  relies on {plural(elsewhere, 'run')} of other journals"


def _runs(numbers: Sequence[int]) -> str:
    return f"run{'s' * (len(numbers) > 1)} {numbered(numbers)}"


def time_of(status: RunStatus) -> str:
    """Return how long a run took, as `0.4s` or `0.4s, undo 1.1s`; `0.4s+` for that or longer."""
    if status.row.damage is not None:
        return "-"
    took, undo_took = status.spent()
    # The time of death of a process is unknown.
    more = "+" * (status.state == "interrupted" and not status.row.given_up)
    if undo_took:
        return f"{seconds(took)}, undo {seconds(undo_took)}{more}"
    return f"{seconds(took)}{more}"


def parse_time(text: str) -> datetime:
    """Return the time that a journal has as text, in the time zone of this machine."""
    return datetime.fromisoformat(text).astimezone()
