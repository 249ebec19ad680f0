"""PostgresOwnedRun: a run in a PostgreSQL journal that this process owns."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from handrail.errors import JournalError
from handrail.sqlite import Claimed, SqlOwnedRun, change_run, lost_error, rows_of
from handrail_postgres.claims import lock
from handrail_postgres.failures import UnreachableError
from handrail_postgres.session import patiently
from handrail_postgres.statements import SQL, TRANSACTION, UNLOCK, WRITTEN_BY
from handrail_postgres.values import insert_value, written

if TYPE_CHECKING:
    from handrail.sqlite import Connection
    from handrail_postgres.session import Session

T = TypeVar("T")


class PostgresOwnedRun(SqlOwnedRun):
    """A claimed run and the session that has its lock.

    If the session is lost, another one takes the lock, unless the run was claimed meanwhile. It
    also tells whether a transaction was committed whose answer was lost: the row of the run, which
    only its owner writes, has the number of the transaction that has written it last.

    Args:
        session: The session, which is closed when the run is released.
        claimed: The result of the claim.
        lease: Length of the lease, in seconds.
        connect: Returns a new session.
        locks: The number that all locks of this journal share.
    """

    def __init__(
        self,
        session: Session,
        claimed: Claimed,
        lease: float,
        connect: Callable[[], Session],
        locks: int,
    ) -> None:
        self._connect = connect
        self._locks = locks
        self._session_turn = threading.RLock()
        # The transaction that has last written the row of the run, and one that may have.
        self._written: str | None = None
        self._in_doubt: str | None = None
        self._use(session)
        super().__init__(SQL, claimed, lease, {"lease": lease})

    def _use(self, session: Session) -> None:
        self._session = session
        # One that is closed may be dropped without being released.
        weakref.finalize(self, session.close).atexit = False

    @property
    def lock_descriptor(self) -> int | None:
        """The descriptor of the connection that has the lock; see `OwnedRun`."""
        return self._session.descriptor

    def store_value(
        self, stem: str, suffix: str, write: Callable[[BinaryIO], None]
    ) -> dict[str, Any]:
        """Store a value of the run in a table; see `OwnedRun`.

        Raises:
            ValueTooLargeError: It is larger than 64 MB.
            JournalError: It could not be written, for example because the run was taken over.
        """
        content = written(write)

        def store(connection: Connection) -> dict[str, Any]:
            change_run(connection, SQL, rows_of(self.number, self.uid, ()), self._ours)
            return insert_value(connection, self.number, stem, suffix, content)

        return self._transact(store)

    def _let_go(self, *, note: bool) -> None:
        with suppress(JournalError), self._session.using() as connection:
            if note:
                connection.execute(SQL.release, self._ours)
            # Unlock explicitly, because the server takes a moment to end a session.
            connection.execute(UNLOCK)
        self._session.close()

    def _renew(self) -> bool:
        if not self._session_turn.acquire(blocking=False):
            return True  # A commit renews it, too.
        try:
            if not self._open:
                return False
            if self._session.lost:
                self._retake()
            found = self._attempt(lambda of: of.execute(SQL.renew, self._ours).fetchone())
            return self._is_renewed(found)
        except UnreachableError:
            return True  # Tried again at the next renewal, or write.
        except JournalError:
            return False  # The next write reports the error.
        finally:
            self._session_turn.release()

    def _transact(self, work: Callable[[Connection], T], *, synced: bool = True) -> T:
        self._session.refuse_fork()
        result: list[T] = []

        def keeping(connection: Connection) -> T:
            result[:] = [work(connection)]
            return result[0]

        with self._session_turn:
            while True:
                # Without a result it was a renewal that was committed.
                if self._session.lost and self._retake_patiently() and result:
                    return result[0]
                try:
                    return self._attempt(keeping, synced=synced)
                except UnreachableError:
                    continue

    def _attempt(self, work: Callable[[Connection], T], *, synced: bool = True) -> T:
        self._in_doubt = None
        with self._session.batch() as connection:
            asked = connection.execute(TRANSACTION)
            if not synced:
                connection.execute("SET LOCAL synchronous_commit = off")
            result = work(connection)
            number: str = asked.fetchone()[0]
            # From here on the commit may be under way.
            self._in_doubt = number if synced else None
        self._written = self._in_doubt or self._written
        return result

    def _retake_patiently(self) -> bool:
        try:
            return patiently(self._retake, self._interruptible)
        except KeyboardInterrupt as error:
            message = f"the wait for the journal {self._session.shown} was interrupted"
            raise JournalError(message) from error

    def _retake(self) -> bool:
        """Take the lock on a new connection; return whether what is in doubt was committed.

        Raises:
            LeaseLostError: The run was taken over meanwhile.
            UnreachableError: The server cannot be reached, or another process looks at the run.
            JournalError: Commits of this process are gone.
        """
        session = self._connect()
        try:
            with session.using() as connection:
                free = lock(connection, self._locks, self.number, self._session.backend)
                row = connection.execute(WRITTEN_BY, (self.number,)).fetchone()
            if row is None or row[0] != self._claimed.fence:
                raise lost_error(self.number, self._claimed.fence, row and row[:3])
            if not free:
                raise UnreachableError(f"run {self.number} in {session.shown} is locked by another")
            if row[3] != self._in_doubt and self._written not in (None, row[3]):
                raise JournalError(
                    f"the journal {session.shown} does not have what this process has written last "
                    f"of run {self.number}: has an older copy taken its place?"
                )
        except BaseException:
            session.close()
            raise
        session.replace(self._session)
        self._use(session)
        committed: bool = self._in_doubt == row[3]
        self._written = row[3]
        return committed
