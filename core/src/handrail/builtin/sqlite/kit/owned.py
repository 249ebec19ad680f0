"""SqlOwnedRun: a run that this process owns, in any SQL database, and the lease of it."""

from __future__ import annotations

import os
import shlex
import threading
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from handrail.builtin.sqlite.kit.changes import change_run, rows_of, write_kept, write_rows
from handrail.errors import JournalError, RunHeldError
from handrail.frozen import NOTHING, frozen, replace
from handrail.journal import OwnedRun
from handrail.journal.this_process import interrupt, process
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail.builtin.sqlite.kit.changes import Connection
    from handrail.builtin.sqlite.kit.statements import Statements
    from handrail.journal import Holder
    from handrail.journal.records import Change, KeptRow


SECONDS = 20.0  # Default length of a lease.
SHARE = 4  # Number of renewals within the length of a lease.
_ORPHANS = 5.0  # Seconds for the processes of an owner that is gone to end.
_PAUSE = 0.05


class Renewal:
    """A thread that renews a lease until it is stopped; it also makes calls that can wait.

    While native code keeps the interpreter's lock for longer than the lease, the process seems to
    be stuck; its file lock still shows that it is alive.

    Args:
        seconds: Length of the lease.
        renew: Renews the lease; returns whether we still own the run.
    """

    def __init__(self, seconds: float, renew: Callable[[], bool]) -> None:
        self._every = seconds / SHARE
        self._renew = renew
        self._stopped = False
        self._later: tuple[float, Callable[[], None]] | None = None
        # A plain lock, which wakes the thread when it is released: any thread may, and a signal
        # handler that raises meanwhile does no harm.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._thread = threading.Thread(target=self._run, name="handrail-lease", daemon=True)
        self._thread.start()

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call a function once in this many seconds; a call that waits is replaced."""
        self._later = time.monotonic() + seconds, call
        self._ring()

    def finish(self) -> None:
        """Make the call that waits, if there is one; then stop."""
        later, self._later = self._later, None
        self.stop()
        if later is not None:
            later[1]()

    def stop(self) -> None:
        """Stop renewing, without waiting for a renewal in progress."""
        self._stopped = True
        self._ring()

    def _ring(self) -> None:
        with suppress(RuntimeError):  # It was rung already.
            self._bell.release()

    def _run(self) -> None:
        due = time.monotonic() + self._every
        while True:
            later = self._later
            until = due if later is None else min(due, later[0])
            self._bell.acquire(timeout=max(0.0, until - time.monotonic()))
            if self._stopped:
                return
            if later is not None and later is self._later and time.monotonic() >= later[0]:
                self._later = None
                later[1]()
            if time.monotonic() >= due:
                if not self._renew():
                    return
                due = time.monotonic() + self._every


def forked_from(holder: Holder, lock: str) -> Holder:
    """Return the holder of a run whose owner is gone but whose lock is still taken.

    Args:
        holder: The owner.
        lock: Path of the lock file.
    """
    described = f"a process forked from {holder.described}, which is gone"
    return replace(holder, described=described, stale=True, lock=lock)


def after_orphans(look: Callable[[], Holder | None]) -> Holder | None:
    """Return the holder of a run, once no process ends any more that its dead owner has started.

    The processes of isolated steps and of items end with their run, but not in the same instant.

    Args:
        look: Returns the holder.
    """
    deadline = time.monotonic() + _ORPHANS
    while (holder := look()) is not None and holder.owner_is_gone:
        if time.monotonic() > deadline:
            break
        time.sleep(_PAUSE)
    return holder


def held_error(number: int, holder: Holder) -> RunHeldError:
    """Return the error for a claim of a run that has a holder."""
    if holder.journal is not None:
        there = shlex.quote(holder.journal)
        return RunHeldError(
            f"this journal is a copy; run {number} belongs to the journal at {holder.journal}",
            ways_out=(
                f"continue there: handrail resume {number} --journal {there}",
                "or, if this one is to replace it, remove that one first",
            ),
        )
    if holder.lock is not None:
        return RunHeldError(
            f"run {number} is held by {holder.described}, which inherited its lock",
            ways_out=(
                f"find that process and end it: fuser -v {shlex.quote(holder.lock)}",
                "or take the run from it: --take-over",
            ),
        )
    silent = "" if holder.silent is None else f"{holder.silent:.0f} s"
    if not holder.stale:
        return RunHeldError(
            f"run {number} is held by {holder.described}, which is alive"
            f"{f' (last heard of {silent} ago)' * bool(silent)}",
            ways_out=("wait for it to end, or end it",),
        )
    return RunHeldError(
        f"run {number} is held by {holder.described}, "
        f"which has given no sign of life{f' for {silent}' * bool(silent)}: stopped, or stuck",
        ways_out=("end it, or take the run from it: --take-over",),
    )


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
        self._asked = False
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
            if rows.ends:  # So that a row that is lost later is found.
                connection.execute(statements.count, ours)

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

    def _is_renewed(self, found: tuple[int, bool] | None) -> bool:
        """Return whether we own the run; the first time that we are asked to, stop it.

        Args:
            found: What the statement that renews has returned.
        """
        if found is not None and found[1] and not self._asked:
            self._asked = True
            interrupt()
        return found is not None

    @abstractmethod
    def _let_go(self, *, note: bool) -> None:
        """Release the lock, after writing that the run was given up if `note`; never raises."""
