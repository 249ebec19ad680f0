"""RunStatus: the state of a recorded run, its owner, and what can be done, or was by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from handrail.errors import JournalDamagedError
from handrail.frozen import from_json, frozen, replace
from handrail.journal import Reliance, decode, decoding, now

if TYPE_CHECKING:
    from handrail.journal import Holder, Journal, RunRow
    from handrail.recovery import Aim


@frozen
class ByHand:
    """A person undid what a step of a run had left.

    Attributes:
        step: Name of the step.
        by: The person, such as `ada on build-3`.
        at: When that was recorded, in UTC, such as `2026-11-27T18:40:00.000Z`.
        reason: What was done, and why, in the words of that person.
    """

    step: str
    by: str
    at: str
    reason: str


def by_hand_of(row: RunRow) -> tuple[ByHand, ...]:
    """Return what people undid of a run by hand, in the order in which they recorded it.

    Raises:
        JournalDamagedError: The record is not what was written.
    """
    if not row.by_hand:
        return ()
    found: list[dict[str, Any]] = decode(row.by_hand, list, row.number, "what was undone by hand")
    with decoding(row.number, "what was undone by hand"):
        return tuple(from_json(ByHand, each) for each in found)


def is_undoing(row: RunRow) -> bool:
    """Return whether the run has begun to be undone, and is not yet."""
    undone = row.outcome == "rollback_incomplete"
    return undone or (row.direction == "undo" and row.outcome in (None, "interrupted"))


Purpose = Literal["finish", "undo", "again"]

AIMS: dict[Purpose, Aim] = {"finish": "resume", "undo": "rollback", "again": "rollback"}
"""The command for each purpose."""

_MOST = 3  # Names in a line.
_STATES = {
    "completed": "completed",
    "rolled_back": "rolled back",
    "rollback_incomplete": "rollback incomplete",
    "failed": "failed (kept)",
}


@frozen
class RunStatus:
    """The status of a run.

    Attributes:
        row: The run.
        holder: The process that owns the run, or None.
        reliance: The runs that rely on it, and on which it relies, where that was asked for.
        left: The steps that its undo has left, the last one first, where that was asked for.
        not_undone: Those with effects that its undo does not take back, in the same way.
    """

    row: RunRow
    holder: Holder | None = None
    reliance: Reliance = field(default_factory=Reliance)
    left: tuple[str, ...] = ()
    not_undone: tuple[str, ...] = ()

    @property
    def state(self) -> str:
        """The state in words.

        One of `completed`, `rolled back`, `rollback incomplete`, `failed (kept)`, `interrupted`,
        `running`, `stalled` (its owner exists but gives no sign of life), or `damaged`.
        """
        if self.row.damage is not None:
            return "damaged"
        if self.row.outcome in _STATES:
            return _STATES[self.row.outcome]
        if self.holder is None or self._is_copy:
            return "interrupted"
        return "stalled" if self.holder.stale else "running"

    @property
    def described(self) -> str:
        """The state, with the owner's process, if any, a seal, and what was undone otherwise."""
        if self.holder is not None:
            return f"{self.state} ({self.holder.described.partition(',')[0].partition(' on ')[0]})"
        by_hand = f"{len(self.by_hand)} by hand" if self.by_hand else ""
        state = self.state + exception(self.not_undone) * (self.row.outcome == "rolled_back")
        return ", ".join(filter(None, (state, "sealed" * self.is_sealed, by_hand)))

    @property
    def by_hand(self) -> tuple[ByHand, ...]:
        """What people undid of it by hand."""
        with suppress(JournalDamagedError):
            return by_hand_of(self.row)
        return ()

    @property
    def is_left(self) -> bool:
        """Whether its owner is gone; processes that it had forked may still have the run."""
        return self.holder is None or self.holder.owner_is_gone

    @property
    def is_sealed(self) -> bool:
        """Whether the run can no longer be rolled back."""
        return self.row.sealed is not None

    @property
    def waits(self) -> bool:
        """Whether the run is still to be finished or undone."""
        return self.state in ("interrupted", "stalled", "failed (kept)", "rollback incomplete")

    @property
    def purposes(self) -> tuple[Purpose, ...]:
        """What can be done with the run now; if it is stalled, after taking it over."""
        if self.state in ("running", "damaged") or self._is_copy:
            return ()
        undoing = self.row.outcome is None and self.row.direction == "undo"
        return purposes_of("undoing" if undoing else self.row.outcome, sealed=self.is_sealed)

    @property
    def _is_copy(self) -> bool:
        # In a copy of a journal nothing can be done; the original has the run.
        return self.holder is not None and self.holder.journal is not None

    @property
    def owner(self) -> dict[str, object]:
        """The last owner: `pid`, `host`, `user`, `started`."""
        found: dict[str, object] = {}
        with suppress(JournalDamagedError):
            found = decode(self.row.owner, dict, self.row.number, "its owner")
        return {name: found.get(name) for name in ("pid", "host", "user", "started")}

    def spent(self) -> tuple[float, float]:
        """Return the seconds that processes spent going forward, and those spent undoing."""
        row = self.row
        if row.damage is not None:
            return 0.0, 0.0
        left = now() if self.holder is not None else row.heard or row.claimed
        return row.spent(row.closed or left)


DEATH = "killed, power, or its journal failed"
"""Why a process is gone that has not said so: nobody can tell one from the other afterwards."""


def exception(steps: Sequence[str]) -> str:
    """Return ` except a, b`, for steps that an undo does not take back; empty if there are none."""
    shown = [*steps[:_MOST], *["..."] * (len(steps) > _MOST)]
    return f" except {', '.join(shown)}" if shown else ""


def status_of(journal: Journal, row: RunRow) -> RunStatus:
    """Return the current status of a run; it may turn out to be damaged."""
    if row.outcome is not None or row.damage is not None:
        return RunStatus(row=row)
    try:
        return RunStatus(row=row, holder=journal.holder(row.number))
    except JournalDamagedError as error:
        return RunStatus(row=replace(row, damage=error.message))


def with_reliance(journal: Journal, statuses: Sequence[RunStatus]) -> list[RunStatus]:
    """Return the statuses with the reliance of their runs, as far as the journal knows it."""
    known: Mapping[int, Reliance] = {}
    with suppress(JournalDamagedError):  # What cannot be read of it hides nothing else.
        known = journal.reliance(status.row.number for status in statuses)
    return [
        replace(status, reliance=known.get(status.row.number, Reliance())) for status in statuses
    ]


def purposes_of(outcome: str | None, *, sealed: bool) -> tuple[Purpose, ...]:
    """Return what can be done with a run without an owner.

    Args:
        outcome: Its outcome; None or `interrupted` if it has not ended, `undoing` during an undo.
        sealed: Whether the run can no longer be rolled back.
    """
    if outcome == "rolled_back":
        return ()
    if outcome == "rollback_incomplete":
        return ("again",)
    if outcome in ("completed", "undoing"):
        return () if sealed else ("undo",)
    return ("finish",) if sealed else ("finish", "undo")
