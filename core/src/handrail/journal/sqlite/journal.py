"""The journal in an SQLite file."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from handrail.errors import JournalError
from handrail.journal.backend.changes import rows_of
from handrail.journal.backend.lease import SECONDS
from handrail.journal.backend.owner import boot, clock
from handrail.journal.backend.owner_locks import LocksUnsupportedError, OwnerLock, OwnerLocks
from handrail.journal.backend.rows import new_values
from handrail.journal.sqlite import statements
from handrail.journal.sqlite.claims import Claimed, claim, holder_of, owner_here
from handrail.journal.sqlite.database import Database, Synchronous
from handrail.journal.sqlite.failures import told_of_system
from handrail.journal.sqlite.owned import SqliteOwnedRun, write_rows
from handrail.journal.sqlite.place import prepare, resolved
from handrail.journal.sqlite.pruning import prune
from handrail.journal.sqlite.read_cache import ReadCache
from handrail.journal.sqlite.reading import read_run, read_runs
from handrail.journal.sqlite.schema import MIGRATIONS

if TYPE_CHECKING:
    import sqlite3

    from handrail.journal.protocol import Holder
    from handrail.journal.records import Change, NewRun, Outcome, RecordedRun, RunRow

NAME = "runs.db"  # The locks of the one that is usual are in `owners`, beside it.


class SqliteJournal:
    """A journal in an SQLite file, for the processes of one machine.

    Args:
        path: The file. A folder that has to be made for it is for this user alone.
        synchronous: `full`: a commit survives power loss; `normal`: it survives the process.
        lease: Seconds after which an owner without a sign of life counts as stopped.
        create: Whether to make the file where there is none.

    Raises:
        NotFoundError: There is no such file, and none is to be made.
        JournalError: It is no journal, or cannot be used.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        synchronous: Synchronous = "full",
        lease: float = SECONDS,
        create: bool = True,
    ) -> None:
        self._shown = os.fspath(path)
        file = self._path = resolved(path)
        prepare(file, create=create)
        self._lease = lease
        self._database = Database(file, synchronous)
        folder = "owners" if file.name == NAME else f"{file.name}-owners"
        self._locks = OwnerLocks(file.parent / folder)
        self._owned: weakref.WeakSet[SqliteOwnedRun] = weakref.WeakSet()
        self._seen = ReadCache()

    @property
    def shown(self) -> str:
        """Where it is, for people."""
        return self._shown

    @property
    def format(self) -> int:
        """Version of its tables: older ones were brought up to it."""
        return len(MIGRATIONS)

    def open_run(self, new: NewRun, changes: Sequence[Change] = ()) -> SqliteOwnedRun:
        """Add a run that belongs to this process, with its first changes, in one commit.

        Raises:
            JournalError: It could not be written; there is no run.
        """
        lock: OwnerLock | None = None

        def add(connection: sqlite3.Connection) -> int:
            nonlocal lock
            values = {
                **new_values(new),
                "boot": boot(),
                "until": clock() + self._lease,
            }
            number = connection.execute(statements.OPEN, values).lastrowid
            assert number is not None
            connection.execute(statements.PLAN, (number, new.plan))
            lock = self._lock_new(number)
            owner = owner_here(self._database, lock, self._lease)
            connection.execute(statements.NAME_OWNER, (owner.to_json(), number))
            rows = rows_of(number, (changes,))
            if rows.changes_run:
                change = (rows.direction, rows.sealed, rows.outcome, clock() + self._lease)
                connection.execute(statements.CHANGE, statements.changed(*change, number, 1))
            write_rows(connection, rows)
            return number

        try:
            with told_of_system(self._path):
                number = self._database.write(add)
        except BaseException:
            if lock is not None:
                lock.close()
            raise
        return self._own(Claimed(number=number, uid=new.uid, fence=1, lock=lock))

    def claim(self, number: int, *, take_over: bool = False) -> SqliteOwnedRun:
        """Make an unfinished or ended run belong to this process; a closed one is opened again.

        Args:
            number: The number of the run.
            take_over: Whether to take it from an owner that gives no sign of life.

        Raises:
            NotFoundError: There is no such run.
            RunHeldError: It belongs to a process that lives, or may live.
            JournalError: It could not be written.
        """
        with told_of_system(self._path):
            claimed = claim(
                self._database, self._locks, number, take_over=take_over, lease=self._lease
            )
        self._seen.claimed(number)
        return self._own(claimed)

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
        with self._database.reading() as connection:
            return read_runs(connection, limit, action, outcome, project, plans=plans)

    def read(self, number: int, *, fields: bool = True) -> RecordedRun:
        """Return all that is recorded of one run.

        Args:
            number: The number of the run.
            fields: Whether to read the values of its context too.

        Raises:
            NotFoundError: There is no such run; near numbers are named.
        """
        with self._database.reading() as connection:
            written = self._database.written(connection)
            known = self._seen.still(number, written)
            found = read_run(connection, number, known, fields=fields)
        if fields:
            self._seen = ReadCache(found, written)
        return found

    def holder(self, number: int) -> Holder | None:
        """Return whom the run belongs to now, or None if its owner is gone.

        Raises:
            NotFoundError: There is no such run.
        """
        return holder_of(self._database, self._locks, number)

    def prune(self, older_than: timedelta) -> list[int]:
        """Delete closed runs that ended longer ago than that; return their numbers.

        Runs that are not closed, held, or `rollback_incomplete` stay.
        """
        before = datetime.now(UTC) - older_than
        with told_of_system(self._path):
            return prune(self._database, self._locks, before)

    def close(self) -> None:
        """Give up the runs that belong to this process, and close the file; harmless twice."""
        for run in list(self._owned):
            run.release()
        self._database.close()

    def _own(self, claimed: Claimed) -> SqliteOwnedRun:
        run = SqliteOwnedRun(self._database, claimed, self._lease)
        self._owned.add(run)
        return run

    def _lock_new(self, number: int) -> OwnerLock | None:
        try:
            lock = self._locks.take(str(number))
        except LocksUnsupportedError:
            return None
        if lock is None:
            raise JournalError(
                f"the number {number} of the new run is in use: "
                f"{self._locks.path(str(number))} is locked",
                ways_out=("was the journal deleted while a run went on? end that run",),
            )
        return lock
