"""PostgresOwnedRun: a run in a PostgreSQL journal that this process owns."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

from handrail.errors import JournalError
from handrail.journal.backend import (
    Claimed,
    SqlOwnedRun,
    change_run,
    count_rows,
    lost_error,
    rows_of,
    write_observations,
    write_rows,
)
from handrail_postgres.statements import SQL, UNLOCK
from handrail_postgres.values import insert_value, written

if TYPE_CHECKING:
    from handrail.journal import Change, ObservationChange
    from handrail_postgres.session import Session


class PostgresOwnedRun(SqlOwnedRun):
    """A claimed run and the session that has its lock; a lost session is never replaced.

    Args:
        session: The session, which is closed when the run is released.
        claimed: The result of the claim.
        lease: Length of the lease, in seconds.
        other: Returns another session, to read the run after its own session was lost.
    """

    def __init__(
        self, session: Session, claimed: Claimed, lease: float, other: Callable[[], Session]
    ) -> None:
        self._session = session
        # One that is closed may be dropped without being released.
        weakref.finalize(self, session.close).atexit = False
        self._other = other
        super().__init__(claimed, lease, {"lease": lease})

    @property
    def lock_descriptor(self) -> int | None:
        """The descriptor of the connection that has the lock; see `SharesLock`."""
        return self._session.descriptor

    def store_value(
        self, stem: str, suffix: str, write: Callable[[BinaryIO], None]
    ) -> dict[str, Any]:
        """Store a value of the run in a table; see `WritesValues`.

        Raises:
            ValueTooLargeError: It is larger than 64 MB.
            JournalError: It could not be written, for example because the run was taken over.
        """
        content = written(write)
        with self._session.transaction() as connection:
            change_run(connection, SQL, rows_of(self.number, ()), self._ours)
            return insert_value(connection, self.number, stem, suffix, content)

    def observe(self, changes: Sequence[ObservationChange]) -> None:
        """Write what steps said in a commit of their own; see `WritesObservations`.

        Raises:
            LeaseLostError: The run was taken over, or is closed.
            JournalError: It could not be written, for example by a forked child.
        """
        with self._session.transaction() as connection:
            connection.execute("SET LOCAL synchronous_commit = off")
            write_observations(connection, SQL, changes, self.uid, self._ours)

    def _let_go(self, *, note: bool) -> None:
        with suppress(JournalError), self._session.using() as connection:
            if note:
                connection.execute(SQL.release, self._ours)
            # Unlock explicitly, because the server takes a moment to end a session.
            connection.execute(UNLOCK)
        self._session.close()

    def _commit(self, batches: list[Sequence[Change]]) -> None:
        rows = rows_of(self.number, batches, self.uid)
        try:
            with self._session.batch() as connection:
                change_run(connection, SQL, rows, self._ours)
                write_rows(connection, SQL, rows)
                count_rows(connection, SQL, rows, self._ours)
        except JournalError as error:
            if self._session.lost:
                raise self._without_lock(error) from error
            raise
        if rows.outcome is not None:
            self._end()

    def _renew(self) -> bool:
        try:
            with self._session.using() as connection:
                if not self._open:
                    return False
                return connection.execute(SQL.renew, self._ours).fetchone() is not None
        except JournalError:
            return not self._session.lost  # The next write reports the error.

    def _without_lock(self, error: JournalError) -> JournalError:
        with suppress(JournalError), self._other().using() as connection:
            found = connection.execute(SQL.state, self._ours).fetchone()
            if found is None or found[0] != self._claimed.fence:
                return lost_error(self.number, self._claimed.fence, found)
        return JournalError(
            f"{error.message}; the lock on run {self.number} went with the connection",
            ways_out=(f"handrail resume {self.number}, or handrail rollback {self.number}",),
        )
