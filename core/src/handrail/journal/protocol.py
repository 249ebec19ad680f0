"""What the rest of Handrail asks of a journal; packs may bring others, by URL scheme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from handrail.journal.records import Change, NewRun, Outcome, RecordedRun, RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that a run belongs to now.

    Attributes:
        described: Who it is, such as `pid 4711 on build7, user team7`.
        stale: Whether it gave no sign of life for longer than its lease: stopped, or stuck.
        silent: Seconds since its last sign of life, as far as that can be known.
        lock: The file of the lock that a process has which was forked from the owner, and outlives
            it; else None.
        journal: Path of the journal that this one is a copy of, and that has the run; else None.
    """

    described: str
    stale: bool
    silent: float | None = None
    lock: str | None = None
    journal: str | None = None


class OwnedRun(Protocol):
    """A run that belongs to this process; nobody else can write to it.

    It may be used from several threads, and in this process only: a forked child is refused.
    """

    @property
    def number(self) -> int:
        """The number of the run in its journal."""
        ...

    @property
    def uid(self) -> str:
        """The UUID of the run."""
        ...

    def write(self, changes: Sequence[Change]) -> None:
        """Commit `changes`, all or none; they are durable when this returns.

        Raises:
            LeaseLostError: The run was taken over, or is closed.
            JournalError: They could not be written, such as when the disk is full.
        """
        ...

    def release(self) -> None:
        """Give the run up, so that others can claim it; harmless twice."""
        ...


class Journal(Protocol):
    """A durable record of runs."""

    @property
    def shown(self) -> str:
        """Where it is, for people; without secrets."""
        ...

    @property
    def format(self) -> int:
        """Version of its tables."""
        ...

    def open_run(self, new: NewRun, changes: Sequence[Change] = ()) -> OwnedRun:
        """Add a run that belongs to this process, with its first changes, in one commit.

        Raises:
            JournalError: It could not be written; there is no run.
        """
        ...

    def claim(self, number: int, *, take_over: bool = False) -> OwnedRun:
        """Make an unfinished or ended run belong to this process; a closed one is opened again.

        A claim is one commit: the fence is raised, and with it whoever had the run before has lost
        it.

        Args:
            number: The number of the run.
            take_over: Whether to take it from an owner that gives no sign of life.

        Raises:
            NotFoundError: There is no such run.
            RunHeldError: It belongs to a process that lives, or may live.
            JournalError: It could not be written.
        """
        ...

    def runs(
        self,
        *,
        limit: int | None = None,
        action: str | None = None,
        outcome: Outcome | None = None,
        project: str | None = None,
        plans: bool = True,
    ) -> list[RunRow]:
        """Return runs, the latest first.

        Args:
            limit: How many at most.
            action: Only runs of this action: what it is called, or the part behind the last colon.
            outcome: Only runs that ended so; `interrupted`: those that have not ended.
            project: Only runs of this project.
            plans: Whether to read their plans, too, which may be long.
        """
        ...

    def read(self, number: int, *, fields: bool = True) -> RecordedRun:
        """Return all that is recorded of one run.

        Args:
            number: The number of the run.
            fields: Whether to read the values of its context too, which may be many.

        Raises:
            NotFoundError: There is no such run; near numbers are named.
        """
        ...

    def holder(self, number: int) -> Holder | None:
        """Return whom the run belongs to now, or None if its owner is gone."""
        ...

    def prune(self, older_than: timedelta) -> list[int]:
        """Delete closed runs that ended longer ago than that; return their numbers.

        Runs that are not closed, held, `failed` or `rollback_incomplete` stay: they can still be
        finished or undone.
        """
        ...

    def close(self) -> None:
        """Close what is open; harmless twice."""
        ...
