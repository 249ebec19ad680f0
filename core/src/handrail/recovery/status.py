"""The status of a recorded run: what became of it, who has it, and what may be done with it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from handrail.errors import HandrailError, RollbackRefusedError, RunClosedError
from handrail.journal.codec import now

if TYPE_CHECKING:
    from handrail.journal.protocol import Holder, Journal
    from handrail.journal.records import RunRow

Aim = Literal["resume", "rollback"]
Purpose = Literal["finish", "undo", "again"]

AIMS: dict[Purpose, Aim] = {"finish": "resume", "undo": "rollback", "again": "rollback"}
"""The command that serves a purpose."""

_STATES = {
    "completed": "completed",
    "rolled_back": "rolled back",
    "rollback_incomplete": "rollback incomplete",
    "failed": "failed (kept)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """The status of a run.

    Attributes:
        row: The run.
        holder: The process that it belongs to, while it does.
    """

    row: RunRow
    holder: Holder | None = None

    @property
    def state(self) -> str:
        """The state in words.

        It is `completed`, `rolled back`, `rollback incomplete`, `failed (kept)`, `interrupted`,
        `running`, or `stalled`: its owner lives and gives no sign of it.
        """
        if self.row.outcome in _STATES:
            return _STATES[self.row.outcome]
        if self.holder is None or self._is_copy:
            return "interrupted"
        return "stalled" if self.holder.stale else "running"

    @property
    def described(self) -> str:
        """The state, with the process where there is one, and whether it is sealed."""
        if self.holder is None:
            return f"{self.state}, sealed" if self.is_sealed else self.state
        return f"{self.state} ({self.holder.described.partition(',')[0].partition(' on ')[0]})"

    @property
    def is_sealed(self) -> bool:
        """Whether it cannot be rolled back any more."""
        return self.row.sealed is not None

    @property
    def waits(self) -> bool:
        """Whether it is left to be finished or undone."""
        return self.state in ("interrupted", "stalled", "failed (kept)", "rollback incomplete")

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """What may be done with it now; for a stalled run, by taking it from its owner."""
        if self.state == "running" or self._is_copy:
            return ()
        undoing = self.row.outcome is None and self.row.direction == "undo"
        return purposes_of("undoing" if undoing else self.row.outcome, sealed=self.is_sealed)

    @property
    def _is_copy(self) -> bool:
        # What can be done is done in the journal that this one was copied from.
        return self.holder is not None and self.holder.journal is not None

    @property
    def owner(self) -> dict[str, object]:
        """Who had it last: `pid`, `host`, `user`, `started`."""
        try:
            found: dict[str, object] = json.loads(self.row.owner)
        except ValueError:
            found = {}
        return {name: found.get(name) for name in ("pid", "host", "user", "started")}

    def spent(self, heard: str | None = None) -> tuple[float, float]:
        """Return the seconds that processes worked on it, and those for which they undid it.

        Args:
            heard: When its owner last gave a sign of life, where more is known than in its row.
        """
        row = self.row
        left = heard or max(row.heard or row.claimed, row.seen or row.claimed)
        return row.spent(row.closed or (now() if self.holder is not None else left))


def status_of(journal: Journal, row: RunRow) -> RunStatus:
    """Return the status of a run now."""
    holder = journal.holder(row.number) if row.outcome is None else None
    return RunStatus(row=row, holder=holder)


def purposes_of(outcome: str | None, *, sealed: bool) -> tuple[Purpose, ...]:
    """Return what may be done with a run that nobody has.

    Args:
        outcome: How it ended; None or `interrupted` where it did not, `undoing` while it goes back.
        sealed: Whether it cannot be rolled back any more.
    """
    if outcome == "rolled_back":
        return ()
    if outcome == "rollback_incomplete":
        return ("again",)
    if outcome in ("completed", "undoing"):
        return () if sealed else ("undo",)
    return ("finish",) if sealed else ("finish", "undo")


def refusal(row: RunRow, aim: Aim) -> HandrailError | None:
    """Return why a run cannot be finished or undone, whoever has it; None where it can."""
    number = row.number
    if row.outcome == "rolled_back":
        again = f"start a new one:  handrail run {row.action}"
        return RunClosedError(f"run {number} was rolled back", ways_out=(again,))
    if row.outcome == "completed" and aim == "resume":
        return RunClosedError(f"run {number} is completed; there is nothing to resume")
    if row.outcome == "rollback_incomplete" and aim == "resume":
        return RollbackRefusedError(
            f"run {number} was rolled back, but not completely; it cannot be resumed",
            ways_out=(f"undo what is left:  handrail rollback {number}",),
        )
    if row.sealed is not None and aim == "rollback":
        return RollbackRefusedError(
            f"run {number} cannot be rolled back any more: {row.sealed}",
            ways_out=(f"finish it:  handrail resume {number}",) if row.outcome is None else (),
        )
    return None


def check(row: RunRow, aim: Aim) -> None:
    """Refuse what cannot be done to a run.

    Raises:
        RunClosedError: There is nothing left to do.
        RollbackRefusedError: It is sealed; or its rollback was incomplete, and it is resumed.
    """
    refused = refusal(row, aim)
    if refused is not None:
        raise refused
