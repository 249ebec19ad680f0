"""PostgresJournal: the journal in a PostgreSQL database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

from handrail.errors import JournalError
from handrail.journal import refuse_password
from handrail.sqlite import SECONDS, Claimed, SqlJournal, add_run, this_process, with_parts
from handrail_postgres.chunks import PostgresChunkFences, PostgresChunkSession
from handrail_postgres.claims import claim, holder_of, lock
from handrail_postgres.failures import UnreachableError
from handrail_postgres.owned import PostgresOwnedRun
from handrail_postgres.schema import MIGRATIONS, make_tables
from handrail_postgres.session import Session, patiently, without_options
from handrail_postgres.statements import LOCK_CLASS, LOCK_FOR_NOW, RUN_OF, SQL
from handrail_postgres.values import read_value

if TYPE_CHECKING:
    from handrail.journal import Change, Holder, Journal, NewRun
    from handrail.sqlite import Connection


T = TypeVar("T")


class PostgresJournal(SqlJournal[PostgresOwnedRun]):
    """A journal in a PostgreSQL database, for processes on several machines.

    Each run that this process owns has its own connection, which has the lock of the run. The
    tables are created in the first schema of the search path.

    Args:
        url: A libpq URL such as `postgresql://user@host/database`, without a password.
        lease: Seconds without a sign of life after which an owner is considered stopped.

    Raises:
        JournalUrlError: The URL contains a password.
        JournalError: The database cannot be used.
    """

    version = 1

    def __init__(self, url: str, *, lease: float = SECONDS) -> None:
        refuse_password(url)
        super().__init__(SQL)
        self._url = url
        self._lease = lease
        self._turn = threading.Lock()
        self._open = True
        self._session = Session(url)
        try:
            make_tables(self._session, MIGRATIONS)
            with self._session.using() as connection:
                row: Any = connection.execute(LOCK_CLASS).fetchone()
            self._locks: int = row[0]
        except BaseException:
            self._session.close()
            raise

    @property
    def url(self) -> str:
        """The URL with which other machines open it."""
        return self._url

    @property
    def shown(self) -> str:
        """The URL for display, without options."""
        return without_options(self._url)

    @property
    def format(self) -> int:
        """The version of the tables; older ones are migrated when the journal is opened."""
        return len(MIGRATIONS)

    def _opened(self, new: NewRun, changes: Sequence[Change]) -> PostgresOwnedRun:
        def insert(session: Session, former: int | None) -> Claimed:
            try:
                opened = self._insert(session, new, changes)
            except UnreachableError:
                raise
            except JournalError:
                found = None if former is None else self._inserted(session, new.uid, former)
                if found is None:
                    raise
                opened = found
            return Claimed(number=opened, uid=new.uid, fence=1)

        return self._owning(insert)

    def _insert(self, session: Session, new: NewRun, changes: Sequence[Change]) -> int:
        lease = {"lease": self._lease}
        with session.transaction() as connection:

            def own(number: int) -> str:
                if not lock(connection, self._locks, number):
                    raise JournalError(f"the number {number} of the new run is locked")
                return this_process(lease=self._lease).to_json()

            return add_run(connection, SQL, new, changes, lease, own)

    def _inserted(self, session: Session, uid: str, former: int) -> int | None:
        """Return the number of a run that was added though the answer was lost, and lock it."""
        with session.using() as connection:
            row = connection.execute(RUN_OF, (uid,)).fetchone()
            if row is None or not lock(connection, self._locks, row[0], former):
                return None
        return int(row[0])

    def claim(self, number: int, *, take_over: bool = False) -> PostgresOwnedRun:
        """Make this process the owner of a run; a closed run is reopened.

        Args:
            number: The number of the run.
            take_over: Whether to take the run from an owner whose lease has expired.

        Raises:
            NotFoundError: There is no such run.
            RunHeldError: The run belongs to another process that is, or may be, alive.
            JournalError: The claim could not be written.
        """

        def take(session: Session, former: int | None) -> Claimed:
            locks, lease = self._locks, self._lease
            return claim(session, locks, number, take_over=take_over, lease=lease, former=former)

        return self._own(self._owning(take))

    def _owning(self, become: Callable[[Session, int | None], Claimed]) -> PostgresOwnedRun:
        """Return the run that a new session owns.

        Args:
            become: Makes a session the owner. If its connection breaks, it is called again with
                another one, and with the backend of the one before.
        """
        former: list[int] = []

        def own() -> PostgresOwnedRun:
            session = Session(self._url)
            try:
                claimed = become(session, former[-1] if former else None)
            except BaseException:
                former.append(session.backend)
                session.close()
                raise
            connect = partial(Session, self._url)
            return PostgresOwnedRun(session, claimed, self._lease, connect, self._locks)

        return patiently(own)

    @contextmanager
    def _reading(self) -> Generator[Connection, None, None]:
        with ExitStack() as stack:
            yield patiently(lambda: stack.enter_context(self._reader_session().snapshot()))

    def stamp(self) -> str:
        """Return a text that is another one after each commit, of whichever database of the server.

        What a statement sees changes only if the transactions that it sees do.
        """
        with self._reading() as connection:
            row: Any = connection.execute("SELECT CAST(pg_current_snapshot() AS text)").fetchone()
        return str(row[0])

    def open_value(self, number: int, name: str) -> BinaryIO:
        """Return a file from which a stored value of a run can be read; it can be sought.

        Raises:
            JournalError: There is no such value, or it cannot be read.
        """
        return patiently(lambda: read_value(self._reader_session(), number, name))

    def chunk_session(self, label: str) -> PostgresChunkSession:
        """Return a connection for a worker; it does not end with the journal.

        Args:
            label: What the worker is called, of up to 50 ASCII characters.

        Raises:
            JournalError: The database cannot be used.
        """
        return PostgresChunkSession(self._url, label)

    def chunk_fences(self, number: int) -> PostgresChunkFences:
        """Return the fences of a run that this process owns.

        Raises:
            NotFoundError: There is no such run.
            JournalError: The database cannot be used.
        """
        return PostgresChunkFences(self._reader_session, number)

    def holder(self, number: int) -> Holder | None:
        """Return the process that owns the run, or None if its owner is gone.

        Raises:
            NotFoundError: There is no such run.
        """
        return patiently(lambda: holder_of(self._reader_session(), self._locks, number))

    def request_stop(self, number: int) -> None:
        """Ask the present owner of a run to stop it; see `Journal`."""
        with self._reader_session().transaction() as connection:
            connection.execute(SQL.request_stop, {"run": number})

    def prune(
        self, older_than: timedelta, release: Callable[[int], bool] | None = None
    ) -> list[int]:
        """Delete closed runs that ended longer ago than `older_than`; see `Journal`."""
        ago = older_than.total_seconds()
        with self._reader_session().using() as connection:
            found = with_parts(
                connection.execute(SQL.prunable, (ago,)),
                connection.execute(SQL.numbers_of_parts),
            )
        session = Session(self._url)  # The other one is for `release` to read with.
        try:
            return [number for number in found if self._prune_one(session, number, ago, release)]
        finally:
            session.close()

    def close(self) -> None:
        """Release the runs of this process and disconnect. Calling it twice is harmless."""
        self._open = False
        super().close()
        self._session.close()

    def _prune_one(
        self,
        session: Session,
        number: int,
        ago: float,
        release: Callable[[int], bool] | None,
    ) -> bool:
        with session.transaction() as connection:
            free = connection.execute(LOCK_FOR_NOW, (self._locks, number)).fetchone()
            if free != (True,):
                return False
            if release is not None:
                still = connection.execute(SQL.still_prunable, (ago, number)).fetchone()
                if still is None or not release(number):
                    return False
            return connection.execute(SQL.prune, (ago, number)).rowcount == 1

    def _add(self, write: Callable[[Connection], None]) -> None:
        with self._reader_session().transaction() as connection:
            write(connection)

    def _reader_session(self) -> Session:
        # This session has no lock, so it can be replaced by a new one.
        with self._turn:
            if self._session.lost and self._open:
                self._session = Session(self._url)
            return self._session


def _repeated(read: Callable[..., T]) -> Callable[..., T]:
    @wraps(read)
    def patient(*arguments: Any, **options: Any) -> T:
        return patiently(partial(read, *arguments, **options))

    return patient


# What only reads is read again if the connection breaks meanwhile.
for _name in (
    *("runs", "parts", "find_runs", "count_parts", "read", "reliance"),
    *("item_notes", "chunk_counts", "check_run"),
):
    setattr(PostgresJournal, _name, _repeated(getattr(PostgresJournal, _name)))


def open_journal(url: str, *, create: bool = True) -> Journal:
    """Open the journal at `url`; the entry point of this pack.

    Its tables are made if they are missing, whatever `create` says.

    Raises:
        JournalError: The database cannot be used.
    """
    return PostgresJournal(url)
