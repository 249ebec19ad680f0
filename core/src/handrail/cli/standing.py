"""How a recorded run stands, in words, and what can be done about it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from handrail.cli.commands import typed
from handrail.cli.plain import seconds
from handrail.journal.codec import now

if TYPE_CHECKING:
    from handrail.journal.protocol import Holder, Journal
    from handrail.journal.records import RunRow

_ENDED = {
    "completed": "completed",
    "rolled_back": "rolled back",
    "rollback_incomplete": "rollback incomplete",
    "failed": "failed (kept)",
}
STYLES = {
    "completed": "green",
    "rolled back": "dim",
    "rollback incomplete": "red",
    "failed (kept)": "red",
    "interrupted": "yellow",
    "running": "cyan",
    "stalled": "yellow",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands.

    Attributes:
        state: `completed`, `rolled back`, `rollback incomplete`, `failed (kept)`, `interrupted`,
            `running`, or `stalled`: its owner lives and gives no sign of it.
        holder: Whom it belongs to, while it does.
        ways: Commands by what they are good for: `finish`, `undo`.
        sealed: Whether it cannot be rolled back any more.
    """

    state: str
    holder: Holder | None
    ways: tuple[tuple[str, str], ...]
    sealed: bool = False

    @property
    def described(self) -> str:
        """The state, with the process where there is one, and whether it is sealed."""
        if self.holder is None:
            return f"{self.state}, sealed" if self.sealed else self.state
        return f"{self.state} ({self.holder.described.partition(',')[0].partition(' on ')[0]})"


def standing(journal: Journal, row: RunRow) -> Standing:
    """Return how a run stands now."""
    if row.outcome in _ENDED:
        sealed = row.sealed is not None
        ways = ways_of(row.number, row.outcome, sealed=sealed)
        return Standing(state=_ENDED[row.outcome], holder=None, ways=ways, sealed=sealed)
    holder = journal.holder(row.number)
    if holder is not None and holder.journal is not None:
        # What can be done can be done there, and how it stands is known there.
        return Standing(state="interrupted", holder=holder, ways=())
    if holder is not None and not holder.stale:
        return Standing(state="running", holder=holder, ways=())
    ways = ways_of(
        row.number,
        "undoing" if row.direction == "undo" else "interrupted",
        sealed=row.sealed is not None,
        more="" if holder is None else " --take-over",
    )
    state = "interrupted" if holder is None else "stalled"
    return Standing(state=state, holder=holder, ways=ways, sealed=row.sealed is not None)


def ways_of(
    number: int, outcome: str | None, *, sealed: bool = False, more: str = ""
) -> tuple[tuple[str, str], ...]:
    """Return the commands that finish or undo a run that ended so, or was left so."""
    finish = ("finish", typed(f"resume {number}{more}"))
    undo = ("undo", typed(f"rollback {number}{more}"))
    if outcome == "rolled_back":
        return ()
    if outcome == "rollback_incomplete":
        return (("again", undo[1]),)
    if outcome in ("completed", "undoing"):
        return () if sealed else (undo,)
    return (finish,) if sealed else (finish, undo)


def is_sealed(journal: Journal, number: int) -> bool:
    """Whether a run that has just ended can no longer be rolled back."""
    # Others may have begun since.
    rows = (row for row in journal.runs(limit=100, plans=False) if row.number == number)
    return any(row.sealed is not None for row in rows)


def spent_on(row: RunRow, stand: Standing, heard: str | None = None) -> tuple[float, float]:
    """Return the seconds that processes worked on a run, and those for which they undid it.

    Args:
        row: The run.
        stand: How it stands.
        heard: When its owner last gave a sign of life, where more is known than in its row.
    """
    left = heard or max(row.heard or row.claimed, row.seen or row.claimed)
    return row.spent(row.closed or (now() if stand.holder is not None else left))


def time_told(took: float, undo_took: float) -> str:
    """Return how long a run took, as `0.4s` or `0.4s, undo 1.1s`."""
    return f"{seconds(took)}, undo {seconds(undo_took)}" if undo_took else seconds(took)


def owner_of(row: RunRow) -> dict[str, object]:
    """Return who claimed a run last: `pid`, `host`, `user`, `started`."""
    try:
        found: dict[str, object] = json.loads(row.owner)
    except ValueError:
        found = {}
    return {name: found.get(name) for name in ("pid", "host", "user", "started")}


def moment(text: str) -> datetime:
    """Return the time that a journal has as text, in the time zone of this machine."""
    return datetime.fromisoformat(text).astimezone()
