"""The journal in a PostgreSQL database."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from handrail.errors import JournalError
from handrail.journal.backend.changes import rows_of
from handrail.journal.backend.db_text import to_stored
from handrail.journal.backend.lease import SECONDS
from handrail.journal.backend.owner import Owner, this_process
from handrail.journal.backend.rows import (
    attempt_rows,
    field_rows,
    new_values,
    no_run,
    note_rows,
    run_row,
)
from handrail.journal.opening import refuse_password
from handrail.journal.records import Outcome, RecordedRun, RunRow
from handrail_postgres import statements
from handrail_postgres.claims import Claimed, claim, holder_of, near
from handrail_postgres.owned import PostgresOwnedRun, change_run, write_rows
from handrail_postgres.schema import MIGRATIONS, migrate
from handrail_postgres.session import Session, without_options

if TYPE_CHECKING:
    from handrail.journal import Change, Holder, Journal, NewRun


class PostgresJournal:
    """A journal in a PostgreSQL database, for the processes of several machines.

    Each run that belongs to this process has a connection of its own, which holds its lock. The
    tables are made in the first schema of the search path.

    Args:
        url: What libpq takes, such as `postgresql://user@host/database`; without a password.
        lease: Seconds after which an owner without a sign of life counts as stopped.

    Raises:
        JournalUrlError: There is a password in the URL.
        JournalError: The database cannot be used.
    """

    def __init__(self, url: str, *, lease: float = SECONDS) -> None:
        refuse_password(url)
        self._url = url
        self._lease = lease
        self._owned: weakref.WeakSet[PostgresOwnedRun] = weakref.WeakSet()
        self._turn = threading.Lock()
        self._open = True
        self._session = Session(url)
        try:
            with self._session.using() as connection:
                migrate(connection, self.shown, MIGRATIONS)
                row: Any = connection.execute(statements.LOCK_CLASS).fetchone()
            self._locks: int = row[0]
        except BaseException:
            self._session.close()
            raise

    @property
    def shown(self) -> str:
        """Where it is, for people; without options."""
        return without_options(self._url)

    @property
    def format(self) -> int:
        """Version of its tables: older ones were brought up to it."""
        return len(MIGRATIONS)

    def open_run(self, new: NewRun, changes: Sequence[Change] = ()) -> PostgresOwnedRun:
        """Add a run that belongs to this process, with its first changes, in one commit.

        Raises:
            JournalError: It could not be written; there is no run.
        """
        values = {
            **new_values(new),
            "plan": new.plan,
            "owner": this_process(lease=self._lease).to_json(),
            "lease": self._lease,
        }
        session = Session(self._url)
        try:
            with session.transaction() as connection:
                row: Any = connection.execute(statements.OPEN, values).fetchone()
                number: int = row[0]
                lock = connection.execute(statements.LOCK, (self._locks, number)).fetchone()
                if lock != (True,):
                    raise JournalError(f"the number {number} of the new run is locked")
                rows = rows_of(number, (changes,))
                change_run(connection, rows, number, 1, self._lease)
                write_rows(connection, rows)
        except BaseException:
            session.close()
            raise
        return self._own(session, Claimed(number=number, uid=new.uid, fence=1))

    def claim(self, number: int, *, take_over: bool = False) -> PostgresOwnedRun:
        """Make an unfinished or ended run belong to this process; a closed one is opened again.

        Args:
            number: The number of the run.
            take_over: Whether to take it from an owner that gives no sign of life.

        Raises:
            NotFoundError: There is no such run.
            RunHeldError: It belongs to a process that lives, or may live.
            JournalError: It could not be written.
        """
        session = Session(self._url)
        try:
            claimed = claim(session, self._locks, number, take_over=take_over, lease=self._lease)
        except BaseException:
            session.close()
            raise
        return self._own(session, claimed)

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
        with self._reading().using() as connection:
            values = {
                "limit": limit,
                "action": None if action is None else to_stored(action),
                "outcome": outcome,
                "project": None if project is None else to_stored(project),
            }
            statement = statements.RUNS if plans else statements.RUNS_WITHOUT_PLANS
            return [_row(row) for row in connection.execute(statement, values)]

    def read(self, number: int, *, fields: bool = True) -> RecordedRun:
        """Return all that is recorded of one run.

        Args:
            number: The number of the run.
            fields: Whether to read the values of its context too.

        Raises:
            NotFoundError: There is no such run; near numbers are named.
        """
        with self._reading().transaction() as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            row = connection.execute(statements.RUN, (number,)).fetchone()
            if row is None:
                raise no_run(number, near(connection, number))
            return RecordedRun(
                row=_row(row),
                attempts=attempt_rows(connection.execute(statements.ATTEMPTS, (number,))),
                notes=note_rows(connection.execute(statements.NOTES, (number,))),
                fields=field_rows(connection.execute(statements.FIELDS, (number,)))
                if fields
                else (),
            )

    def holder(self, number: int) -> Holder | None:
        """Return whom the run belongs to now, or None if its owner is gone.

        Raises:
            NotFoundError: There is no such run.
        """
        return holder_of(self._reading(), self._locks, number)

    def prune(self, older_than: timedelta) -> list[int]:
        """Delete closed runs that ended longer ago than that; return their numbers.

        Runs that are not closed, held, or `rollback_incomplete` stay.
        """
        session = self._reading()
        with session.using() as connection:
            found = [row[0] for row in connection.execute(statements.PRUNABLE, (older_than,))]
        return [number for number in found if self._prune_one(session, number, older_than)]

    def close(self) -> None:
        """Give up the runs of this process, and close the connection; harmless twice."""
        self._open = False
        for run in list(self._owned):
            run.release()
        self._session.close()

    def _prune_one(self, session: Session, number: int, older_than: timedelta) -> bool:
        with session.transaction() as connection:
            lock = connection.execute(statements.LOCK_FOR_NOW, (self._locks, number)).fetchone()
            if lock != (True,):
                return False
            return connection.execute(statements.PRUNE, (older_than, number)).rowcount == 1

    def _own(self, session: Session, claimed: Claimed) -> PostgresOwnedRun:
        run = PostgresOwnedRun(session, claimed, self._lease, self._state)
        self._owned.add(run)
        return run

    def _reading(self) -> Session:
        # No lock hangs on it, so it may be made anew.
        with self._turn:
            if self._session.lost and self._open:
                self._session = Session(self._url)
            return self._session

    def _state(self, number: int) -> tuple[int, str | None, str] | None:
        with self._reading().using() as connection:
            row = connection.execute(statements.STATE, (number,)).fetchone()
        return None if row is None else (row[0], row[1], row[2])


def _row(row: tuple[Any, ...]) -> RunRow:
    *values, lease_until, now = row
    owner, closed = values[14:16]
    seen = None
    if closed is None and lease_until is not None:
        seen = min(now, lease_until - Owner.of_json(owner).lease)
    return run_row(tuple(values), seen=seen, given_up=closed is None and lease_until is None)


def open_journal(url: str) -> Journal:
    """Open the journal that `url` leads to; the entry point of this pack.

    Raises:
        JournalError: The database cannot be used.
    """
    return PostgresJournal(url)
