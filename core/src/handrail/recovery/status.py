"""RunStatus: the state of a recorded run, its owner, and what can be done, or was by hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal

from handrail.errors import (
    HandrailError,
    JournalDamagedError,
    RefusedError,
    RollbackRefusedError,
    RunClosedError,
    RunHeldError,
)
from handrail.frozen import from_json, frozen, replace
from handrail.journal.codec import now
from handrail.journal.damage import decode, decoding, is_damaged
from handrail.journal.records import Reliance
from handrail.recovery.recorded_plan import steps_of

if TYPE_CHECKING:
    from handrail.journal.protocol import Holder, Journal
    from handrail.journal.records import RunRow


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


Aim = Literal["resume", "rollback"]
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


def only_undoes(row: RunRow, aim: Aim) -> bool:
    """Return whether a resume with this aim executes no more steps except `always_run` ones."""
    return aim == "rollback" or row.direction == "undo"


def is_derived(row: RunRow) -> bool:
    """Return whether an option has derived the action of a run, at the cost of a search."""
    return '"derived_by":' in row.packs


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


def refusal(row: RunRow, aim: Aim, *, again: bool = False) -> HandrailError | None:
    """Return the error if a run cannot be finished or undone, regardless of its owner, or None.

    Args:
        row: The run.
        aim: What is to be done.
        again: Whether its failed items are tried again, for which it may be completed.
    """
    number = row.number
    if row.damage is not None:
        return is_damaged(number, row.damage)
    if row.outcome == "rolled_back":
        new = f"start a new one:  handrail run {row.action}"
        return RunClosedError(f"run {number} was rolled back", ways_out=(new,))
    if again and (row.sealed is not None or row.direction == "undo"):
        why = row.sealed or "it is being undone"
        return RollbackRefusedError(f"the items of run {number} cannot be tried again: {why}")
    if row.outcome == "completed" and aim == "resume" and not again:
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


def check(row: RunRow, aim: Aim, *, again: bool = False) -> None:
    """Check that a run can be finished or undone; `again` as for `refusal`.

    Raises:
        RunClosedError: There is nothing left to do.
        RollbackRefusedError: A sealed run was to be rolled back, or one whose rollback was
            incomplete was to be resumed.
    """
    refused = refusal(row, aim, again=again)
    if refused is not None:
        raise refused


def closing_steps(journal: Journal, number: int) -> int:
    """Return how many steps that always run a recorded run has executed."""
    recorded = journal.read(number, fields=False)
    always = {step["name"] for step in steps_of(recorded) if step["always_run"]}
    return len(always & {each.step for each in recorded.attempts if each.state == "done"})


def check_alone(journal: Journal, row: RunRow, aim: Aim) -> None:
    """Check that a run may be finished or undone by itself, if it is a part of another one.

    Raises:
        RunHeldError: The run that it is a part of, in the end, belongs to another process that is
            alive.
        RefusedError: Only that one goes on with it, unless its action is derived.
        RollbackRefusedError: Another part that stands has taken what it returned.
    """
    wholes = list(_wholes(journal, row))
    if not wholes:
        return
    root = wholes[-1]
    about = f"run {row.number} is a part of run {root.number}"
    holder = journal.holder(root.number)
    if root.outcome is None and holder is not None and not holder.owner_is_gone:
        raise RunHeldError(f"{about}, which is held by {holder.described}")
    if aim == "resume" and not is_derived(wholes[0]):
        raise RefusedError(
            f"{about}, which goes on with it",
            ways_out=(f"go on with the whole:  handrail resume {root.number}",),
        )
    for taker in _takers(journal, row, wholes):
        raise RollbackRefusedError(
            f"{about}, in which run {taker.number} has taken what it returned",
            ways_out=(f"undo the whole:  handrail rollback {root.number}",),
        )


def _wholes(journal: Journal, row: RunRow) -> Iterator[RunRow]:
    """Yield the run that a run is a part of, and so on, up to one that is no part."""
    while row.parent is not None:
        whole = journal.read(row.parent, fields=False)
        row = whole
        yield whole


def _takers(journal: Journal, row: RunRow, wholes: Iterable[RunRow]) -> Iterator[RunRow]:
    """Yield the runs that stand and have taken what a run, or one that it is in, has returned."""
    for whole in wholes:
        takers = {
            step["name"]
            for step in steps_of(whole)
            for source in step.get("inputs", {}).values()
            if str(source).partition(".")[0] == row.parent_step
        }
        for part in journal.parts(whole.number) if takers else ():
            if part.parent_step in takers and part.outcome != "rolled_back":
                yield part
        row = whole
