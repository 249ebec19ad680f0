"""A run in an SQLite journal that belongs to this process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from handrail.errors import JournalError
from handrail.journal.backend.changes import Rows, attempts_of, rows_of
from handrail.journal.backend.group_commit import Writer
from handrail.journal.backend.lease import SHARE, Renewal
from handrail.journal.backend.lease_errors import lost_error
from handrail.journal.backend.owner import clock
from handrail.journal.codec import now
from handrail.journal.sqlite import statements

if TYPE_CHECKING:
    import sqlite3

    from handrail.journal.records import Change
    from handrail.journal.sqlite.claims import Claimed
    from handrail.journal.sqlite.database import Database


class SqliteOwnedRun:
    """A claimed run.

    Args:
        database: The tables.
        claimed: What the claim brought.
        lease: Length of the lease, in seconds.
    """

    def __init__(self, database: Database, claimed: Claimed, lease: float) -> None:
        self._database = database
        self._claimed = claimed
        self._mine = (claimed.number, claimed.fence)
        self._lease = lease
        self._process = os.getpid()
        self._open = True
        self._closed = False
        self._renew_at = clock() + lease / SHARE
        self._writer = Writer(f"run {self.number}", self._commit)
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
        given_up = JournalError(f"run {self.number} was given up by this process")
        if self._writer.end(given_up) and not self._closed:
            # Whoever looks while the next one is claiming it sees no owner. A closed run has none.
            with contextlib.suppress(JournalError):
                self._database.write(lambda each: each.execute(statements.RELEASE, self._mine))
        if self._claimed.lock is not None:
            self._claimed.lock.close()

    def _commit(self, batches: list[Sequence[Change]]) -> None:
        moment = clock()
        attempts = attempts_of(self._mine[0], batches) if moment < self._renew_at else None
        small = statements.ATTEMPTS_OF_OPEN_RUN.get(len(attempts or ()))
        if attempts and small:
            # What most steps write, and what costs a step most of its time.
            if not self._database.write_at_once(small, (now(), *attempts, *self._mine)):
                self._database.write(self._refuse)
            return
        rows = rows_of(self._mine[0], batches)

        def write(connection: sqlite3.Connection) -> None:
            self._check(connection, rows, moment)
            write_rows(connection, rows)

        self._database.write(write)
        if rows.outcome is not None:
            self._closed = True
            self._renewal.stop()

    def _check(self, connection: sqlite3.Connection, rows: Rows, moment: float) -> None:
        """Make sure within the transaction that the run is ours, and change it."""
        if rows.changes_run:
            new = (rows.direction, rows.sealed, rows.outcome, moment + self._lease)
            values = statements.changed(*new, *self._mine)
            held = connection.execute(statements.CHANGE, values).rowcount == 1
        elif moment >= self._renew_at:
            values_of_lease = (moment + self._lease, *self._mine)
            held = connection.execute(statements.RENEW, values_of_lease).rowcount == 1
        else:
            # Only looked at, as nobody else writes now: that is one page less to write.
            held = connection.execute(statements.HELD, self._mine).fetchone() is not None
        if not held:
            self._refuse(connection)
        if rows.changes_run or moment >= self._renew_at:
            self._renew_at = moment + self._lease / SHARE

    def _refuse(self, connection: sqlite3.Connection) -> NoReturn:
        found = connection.execute(statements.STATE, (self.number,)).fetchone()
        raise lost_error(self.number, self._claimed.fence, found)

    def _renew(self) -> bool:
        moment = clock()
        values = (moment + self._lease, *self._mine)

        def renew(connection: sqlite3.Connection) -> bool:
            return self._open and connection.execute(statements.RENEW, values).rowcount == 1

        try:
            held = self._database.write(renew)
        except JournalError:
            return True  # The next write tells; or it was full only for a while.
        if held:
            self._renew_at = moment + self._lease / SHARE
        return held


def write_rows(connection: sqlite3.Connection, rows: Rows) -> None:
    """Write the rows of attempts, notes and fields."""
    at = now()
    for statement, values in (
        (statements.ATTEMPT, [(*attempt, at) for attempt in rows.attempts]),
        (statements.NOTE, rows.notes),
        (statements.FIELD, rows.fields),
    ):
        if len(values) == 1:
            connection.execute(statement, values[0])
        elif values:
            connection.executemany(statement, values)
