"""A run in a PostgreSQL journal that belongs to this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from handrail.errors import JournalError
from handrail.journal.backend.changes import Rows, rows_of
from handrail.journal.backend.group_commit import Writer
from handrail.journal.backend.lease import Renewal
from handrail.journal.backend.lease_errors import lost_error
from handrail_postgres import statements

if TYPE_CHECKING:
    import psycopg

    from handrail.journal import Change
    from handrail_postgres.claims import Claimed
    from handrail_postgres.session import Session


class PostgresOwnedRun:
    """A claimed run, with the session that holds its lock.

    Args:
        session: The session; it ends with the run.
        claimed: What the claim brought.
        lease: Length of the lease, in seconds.
        state: Returns fence, outcome and owner, as they are recorded now, through another session.
    """

    def __init__(
        self,
        session: Session,
        claimed: Claimed,
        lease: float,
        state: Callable[[int], tuple[int, str | None, str] | None],
    ) -> None:
        self._session = session
        self._claimed = claimed
        self._lease = lease
        self._state = state
        self._process = os.getpid()
        self._open = True
        self._closed = False
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
            JournalError: They could not be written, or an earlier write failed, or the connection
                is lost, and with it the lock.
        """
        self._writer.write(changes)

    def release(self) -> None:
        """Give the run up, so that others can claim it; harmless twice."""
        if not self._open or os.getpid() != self._process:
            return
        self._open = False
        self._renewal.stop()
        given_up = JournalError(f"run {self.number} was given up by this process")
        well = self._writer.end(given_up)
        with suppress(JournalError), self._session.using() as connection:
            if well and not self._closed:
                connection.execute(statements.RELEASE, (self.number, self._claimed.fence))
            # At once, while the end of a session takes the server a moment.
            connection.execute(statements.UNLOCK)
        self._session.close()

    def _commit(self, batches: list[Sequence[Change]]) -> None:
        rows = rows_of(self.number, batches)
        try:
            with self._session.batch() as connection:
                change_run(connection, rows, self.number, self._claimed.fence, self._lease)
                write_rows(connection, rows)
        except JournalError as error:
            if self._session.lost:
                raise self._lost(error) from error
            raise
        if rows.outcome is not None:
            self._closed = True
            self._renewal.stop()

    def _renew(self) -> bool:
        values = (self._lease, self.number, self._claimed.fence)
        try:
            with self._session.using() as connection:
                if not self._open:
                    return False
                return connection.execute(statements.RENEW, values).fetchone() is not None
        except JournalError:
            return not self._session.lost  # The next write tells.

    def _lost(self, error: JournalError) -> JournalError:
        with suppress(JournalError):
            found = self._state(self.number)
            if found is None or found[0] != self._claimed.fence:
                return lost_error(self.number, self._claimed.fence, found)
        return JournalError(
            f"{error.message}; the lock on run {self.number} went with the connection",
            ways_out=(f"handrail resume {self.number}, or handrail rollback {self.number}",),
        )


def change_run(
    connection: psycopg.Connection[Any], rows: Rows, number: int, fence: int, lease: float
) -> None:
    """Make sure within the transaction that the run is ours, renew the lease, and change it.

    Raises:
        LeaseLostError: It is not ours any more, or is closed.
    """
    if rows.changes_run:
        new = {"direction": rows.direction, "sealed": rows.sealed, "outcome": rows.outcome}
        ours = {"lease": lease, "run": number, "fence": fence}
        held = connection.execute(statements.CHANGE, {**new, **ours}).fetchone()
    else:
        held = connection.execute(statements.RENEW, (lease, number, fence)).fetchone()
    if held is None:
        found: Any = connection.execute(statements.STATE, (number,)).fetchone()
        raise lost_error(number, fence, found)


def write_rows(connection: psycopg.Connection[Any], rows: Rows) -> None:
    """Write the rows of attempts, notes and fields."""
    with connection.cursor() as cursor:
        if rows.attempts:
            cursor.executemany(statements.ATTEMPT, rows.attempts)
        if rows.notes:
            cursor.executemany(statements.NOTE, rows.notes)
        if rows.fields:
            cursor.executemany(statements.FIELD, rows.fields)
