"""SqlOwnedRun: a run owned by this process, in any SQL database."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handrail.errors import JournalError
from handrail.journal.backend.group_commit import Writer
from handrail.journal.backend.lease import Renewal

if TYPE_CHECKING:
    from handrail.journal.records import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """The result of a claim: the run and its new fence."""

    number: int
    uid: str
    fence: int


class SqlOwnedRun(ABC):
    """A claimed run, with group commit and renewal of its lease.

    After a failed write, every later write fails. A subclass sets its own attributes before it
    calls `super().__init__()`, which starts the renewal.

    Args:
        claimed: The result of the claim.
        lease: Length of the lease, in seconds.
        values: Further parameters of statements on this run, besides `run` and `fence`.
    """

    def __init__(
        self, claimed: Claimed, lease: float, values: Mapping[str, object] | None = None
    ) -> None:
        self._claimed = claimed
        self._ours = {"run": claimed.number, "fence": claimed.fence, **(values or {})}
        self._lease = lease
        self._process = os.getpid()
        self._open = True
        self._closed = False
        self._writer = Writer(f"run {claimed.number}", self._commit)
        self._renewal = Renewal(lease, self._renew)

    @property
    def number(self) -> int:
        """The number of the run in its journal."""
        return self._claimed.number

    @property
    def uid(self) -> str:
        """The UUID of the run."""
        return self._claimed.uid

    def write(self, changes: Sequence[Change]) -> None:
        """Commit `changes`, all or none; they are durable when this returns.

        Raises:
            LeaseLostError: The run was taken over, or is closed.
            JournalError: The changes could not be written, or an earlier write failed.
        """
        self._writer.write(changes)

    def release(self) -> None:
        """Give up the run, so that others can claim it. Calling it twice is harmless."""
        if not self._open or os.getpid() != self._process:
            return
        self._open = False
        self._renewal.stop()
        succeeded = self._writer.end(
            JournalError(f"run {self.number} was given up by this process")
        )
        # Clear the lease, so readers see no owner until the next claim. A closed run has none.
        self._let_go(note=succeeded and not self._closed)

    def _end(self) -> None:
        """Remember that the run is closed; called after that was committed."""
        self._closed = True
        self._renewal.stop()

    @abstractmethod
    def _commit(self, batches: list[Sequence[Change]]) -> None:
        """Write batches of changes, all or none, if we still own the run; or raise JournalError."""

    @abstractmethod
    def _renew(self) -> bool:
        """Renew the lease; return whether we own the run. Errors are left to the next write."""

    @abstractmethod
    def _let_go(self, *, note: bool) -> None:
        """Release the lock, after writing that the run was given up if `note`; never raises."""
