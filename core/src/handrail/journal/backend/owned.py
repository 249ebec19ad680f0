"""A run that belongs to this process, in whichever database."""

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
    """What a claim brought: the run, and its new fence."""

    number: int
    uid: str
    fence: int


class SqlOwnedRun(ABC):
    """A claimed run: threads that write together share a commit, and its lease is renewed.

    The first write that fails is the last. What a database adds has to be there before
    `super().__init__()`, which starts the renewal.

    Args:
        claimed: What the claim brought.
        lease: Length of the lease, in seconds.
        values: What statements on this run take besides `run` and `fence`.
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
            JournalError: They could not be written, or an earlier write failed.
        """
        self._writer.write(changes)

    def release(self) -> None:
        """Give the run up, so that others can claim it; harmless twice."""
        if not self._open or os.getpid() != self._process:
            return
        self._open = False
        self._renewal.stop()
        well = self._writer.end(JournalError(f"run {self.number} was given up by this process"))
        # Whoever looks while the next one is claiming it sees no owner. A closed run has none.
        self._let_go(note=well and not self._closed)

    def _end(self) -> None:
        """Note that the run is closed, once that is committed."""
        self._closed = True
        self._renewal.stop()

    @abstractmethod
    def _commit(self, batches: list[Sequence[Change]]) -> None:
        """Write batches of changes, all or none, if the run is still ours; raise JournalError."""

    @abstractmethod
    def _renew(self) -> bool:
        """Renew the lease; return whether it is still ours. What fails is for the next write."""

    @abstractmethod
    def _let_go(self, *, note: bool) -> None:
        """Free the lock; before, if `note`, write that the run was given up. Raise nothing."""
