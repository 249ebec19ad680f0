"""SqlOwnedRun: a run owned by this process, in any SQL database; its threads share commits."""

from __future__ import annotations

import os
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from handrail.builtin.sqlite.kit.changes import (
    change_run,
    count_rows,
    rows_of,
    write_kept,
    write_rows,
)
from handrail.builtin.sqlite.kit.lease import Renewal
from handrail.errors import JournalError
from handrail.frozen import NOTHING, frozen
from handrail.journal import OwnedRun
from handrail.journal.this_process import process
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail.builtin.sqlite.kit.connection import Connection
    from handrail.builtin.sqlite.kit.statements import Statements
    from handrail.journal.records import Change, KeptRow

Commit = Callable[[list[Sequence["Change"]]], None]
T = TypeVar("T")


class _Waiting:
    __slots__ = ("changes", "failure", "over")

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.over = False
        self.failure: JournalError | None = None


class Writer:
    """Writes the changes of one run; after a failed write, every later write fails.

    Args:
        run: Name of the run in messages, such as `run 12`.
        commit: Commits batches of changes, all or none, or raises a JournalError.
    """

    def __init__(self, run: str, commit: Commit) -> None:
        self._run = run
        self._commit = commit
        self._process = process()
        self._turn = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._failure: JournalError | None = None

    def write(self, changes: Sequence[Change]) -> None:
        """Commit `changes`; they are durable when this returns.

        Raises:
            JournalError: The changes could not be written, or an earlier write failed.
        """
        # Before taking the lock: in a forked child it may be locked forever, by a parent's thread.
        if process() != self._process:
            raise JournalError(
                f"{self._run} belongs to the process {self._process}; "
                f"{process()}, which was forked from it, cannot write to it",
                ways_out=("record in the process that runs the workflow",),
            )
        if not self._turn.locked():
            # No other thread is writing; if one gets ahead after all, this becomes a second commit.
            with self._turn:
                self._lead([changes])
                failure = self._failure
        else:
            failure = self._wait(changes)
        if failure is not None:
            # A new error for each thread: they would mix their tracebacks in a shared one.
            raise type(failure)(failure.message, ways_out=failure.ways_out) from failure

    def end(self, failure: JournalError) -> bool:
        """Make every later write fail with `failure`; return whether no write failed before."""
        if process() != self._process:
            return False
        with self._turn:
            succeeded = self._failure is None
            self._failure = self._failure or failure
        return succeeded

    def _wait(self, changes: Sequence[Change]) -> JournalError | None:
        """Commit `changes` together with those of waiting threads, in this thread or in theirs."""
        waiting = _Waiting(changes)
        self._queue.append(waiting)
        with self._turn:
            if not waiting.over:
                batch = [self._queue.popleft() for _ in range(len(self._queue))]
                try:
                    self._lead([each.changes for each in batch])
                finally:
                    for each in batch:
                        each.failure = self._failure
                        each.over = True
        return waiting.failure

    def _lead(self, batch: list[Sequence[Change]]) -> None:
        if self._failure is not None:
            return
        try:
            self._commit(batch)
        except JournalError as error:
            self._failure = error
        except BaseException as error:
            self._failure = JournalError(f"writing to {self._run} was interrupted: {error!r}")
            raise


@frozen
class Claimed:
    """The result of a claim: the run and its new fence."""

    number: int
    uid: str
    fence: int


class SqlOwnedRun(OwnedRun):
    """A claimed run, with group commit and renewal of its lease.

    After a failed write, every later write fails. A subclass sets its own attributes before it
    calls `super().__init__()`, which starts the renewal.

    Args:
        statements: The statements in the dialect of the database.
        claimed: The result of the claim.
        lease: Length of the lease, in seconds.
        values: Further parameters of statements on this run, besides `run` and `fence`.
    """

    def __init__(
        self,
        statements: Statements,
        claimed: Claimed,
        lease: float,
        values: Mapping[str, object] = NOTHING,
    ) -> None:
        self._statements = statements
        self._claimed = claimed
        self._ours = {"run": claimed.number, "fence": claimed.fence, **values}
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

    @property
    def fence(self) -> int:
        """The fence of this owner, which each later claim raises."""
        return self._claimed.fence

    def write(self, changes: Sequence[Change]) -> None:
        """Commit `changes`, all or none; they are durable when this returns.

        Raises:
            LeaseLostError: The run was taken over, or is closed.
            JournalError: The changes could not be written, or an earlier write failed.
        """
        self._writer.write(changes)

    def keep(self, rows: Sequence[KeptRow]) -> None:
        """Write rows beside the run in a commit of their own; see `OwnedRun`."""

        def write(connection: Connection) -> None:
            write_kept(connection, self._statements, rows, self.uid, self._ours)

        self._transact(write, synced=False)

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call a function once, in the thread that renews the lease; see `OwnedRun`."""
        self._renewal.call_later(seconds, call)

    def release(self) -> None:
        """Give up the run, so that others can claim it. Calling it twice is harmless."""
        if not self._open or os.getpid() != self._process:
            return
        self._renewal.finish()
        self._open = False
        succeeded = self._writer.end(
            JournalError(f"run {self.number} was given up by this process")
        )
        # Clear the lease, so readers see no owner until the next claim. A closed run has none.
        self._let_go(note=succeeded and not self._closed)

    def _end(self) -> None:
        """Remember that the run is closed; called after that was committed."""
        self._closed = True
        self._renewal.stop()

    @calls_user_code
    def _interruptible(self, wait: Callable[[], None]) -> None:
        """Call a function that waits while nothing is being written; Ctrl-C may end it."""
        wait()

    def _commit(self, batches: list[Sequence[Change]]) -> None:
        """Write batches of changes, all or none, if we still own the run; or raise JournalError."""
        self._write(batches, self._ours)

    def _write(
        self, batches: list[Sequence[Change]], ours: Mapping[str, object], *, renew: bool = True
    ) -> None:
        rows, statements = rows_of(self.number, self.uid, batches), self._statements

        def write(connection: Connection) -> None:
            change_run(connection, statements, rows, ours, renew=renew)
            write_rows(connection, statements, rows)
            count_rows(connection, statements, rows, ours)

        self._transact(write)
        if rows.ends:
            self._end()

    @abstractmethod
    def _transact(self, work: Callable[[Connection], T], *, synced: bool = True) -> T:
        """Return the result of `work`, once its transaction is known to be committed.

        Args:
            work: Called with a connection within a transaction.
            synced: Whether it writes the run itself, and is as durable as all such commits;
                otherwise it is with the next one that is, and may be called twice.

        Raises:
            LeaseLostError: The run was taken over, or is closed.
            JournalError: It was not committed, or that is not known.
        """

    @abstractmethod
    def _renew(self) -> bool:
        """Renew the lease; return whether we own the run. Errors are left to the next write."""

    @abstractmethod
    def _let_go(self, *, note: bool) -> None:
        """Release the lock, after writing that the run was given up if `note`; never raises."""
