"""SqliteOwnedRun: a run in an SQLite journal that this process owns."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, NoReturn, TypeVar

from handrail.builtin.sqlite.kit.changes import attempts_of, lost
from handrail.builtin.sqlite.kit.lease import SHARE
from handrail.builtin.sqlite.kit.owned import Claimed, SqlOwnedRun
from handrail.builtin.sqlite.kit.owner import clock
from handrail.builtin.sqlite.statements import ATTEMPTS_OF_OPEN_RUN, SQL
from handrail.errors import JournalError
from handrail.journal import now

if TYPE_CHECKING:
    import sqlite3

    from handrail.builtin.sqlite.database import Database
    from handrail.builtin.sqlite.kit.owner_locks import OwnerLock
    from handrail.builtin.sqlite.value_files import ValueFiles
    from handrail.journal.records import Change

T = TypeVar("T")


class SqliteOwnedRun(SqlOwnedRun):
    """A claimed run in an SQLite journal.

    Args:
        database: The database of the journal.
        values: The files with the values of its runs.
        claimed: The result of the claim.
        lock: The lock of the run, or None if locks are not supported.
        lease: Length of the lease, in seconds.
    """

    def __init__(
        self,
        database: Database,
        values: ValueFiles,
        claimed: Claimed,
        lock: OwnerLock | None,
        lease: float,
    ) -> None:
        self._database = database
        self._values = values
        self._lock = lock
        self._mine = (claimed.number, claimed.fence)
        self._renew_at = clock() + lease / SHARE
        super().__init__(SQL, claimed, lease)

    @property
    def lock_descriptor(self) -> int | None:
        """The file descriptor of its lock, or None; see `OwnedRun`."""
        return None if self._lock is None else self._lock.descriptor

    def store_value(
        self, stem: str, suffix: str, write: Callable[[BinaryIO], None]
    ) -> dict[str, Any]:
        """Store a value of the run in a file; see `OwnedRun`.

        No check of the fence is needed: a file counts only once a result that names it is written.

        Raises:
            OSError: There is no room for it, or the folder cannot be written.
        """
        return self._values.store(self.number, stem, suffix, write)

    def _transact(self, work: Callable[[sqlite3.Connection], T], *, synced: bool = True) -> T:
        return self._database.write(work, synced=synced)

    def _let_go(self, *, note: bool) -> None:
        if note:
            with contextlib.suppress(JournalError):
                self._database.write(lambda each: each.execute(SQL.release, self._ours))
        if self._lock is not None:
            self._lock.close()

    def _commit(self, batches: list[Sequence[Change]]) -> None:
        at = clock()
        due = at >= self._renew_at
        attempts = None if due else attempts_of(self.number, self.uid, batches)
        small = ATTEMPTS_OF_OPEN_RUN.get(len(attempts or ()))
        if attempts and small:
            # Fast path: most steps write only this, and it is most of their cost.
            if not self._database.write_at_once(small, (now(), *attempts, *self._mine)):
                self._database.write(self._refuse)
            return
        # If the renewal is not due, only check the owner, which writes one page less.
        self._write(batches, {**self._ours, "until": at + self._lease}, renew=due)
        if due:
            self._renew_at = at + self._lease / SHARE

    def _refuse(self, connection: sqlite3.Connection) -> NoReturn:
        raise lost(connection, SQL, self._ours)

    def _renew(self) -> bool:
        at = clock()
        values = {**self._ours, "until": at + self._lease}

        def renew(connection: sqlite3.Connection) -> bool:
            return self._open and connection.execute(SQL.renew, values).fetchone() is not None

        try:
            renewed = self._database.write(renew)
        except JournalError:
            return True  # The next write reports it, unless it was temporary.
        if renewed:
            self._renew_at = at + self._lease / SHARE
        return renewed
