"""Database: the process's only connection to the file of a journal, its SQL and its tables."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Literal, NoReturn, TypeVar

from handrail.builtin.sqlite.kit.rows import ATTEMPT
from handrail.builtin.sqlite.kit.statements import Dialect, Statements, marks
from handrail.builtin.sqlite.kit.tables import Migrations, migrate, refuse_newer, tables_of
from handrail.builtin.sqlite.place import (
    ERRORS,
    READ_ONLY,
    convert_os_errors,
    journal_error,
    unwritable,
)
from handrail.errors import JournalError
from handrail.journal.this_process import process


def _between(first: str, last: str) -> str:
    # julianday() is accurate to about 40 us, and the times to 1 ms.
    return f"max(0.0, round((julianday({last}) - julianday({first})) * 86400.0, 3))"


DIALECT = Dialect(
    now="strftime('%Y-%m-%dT%H:%M:%fZ')",  # Constant within a statement.
    at="?",
    before="strftime('%Y-%m-%dT%H:%M:%fZ', 'now', -CAST(? AS REAL) || ' seconds')",
    between=_between,
    least="min",
    greatest="max",
    bytewise="COLLATE BINARY",
    lease={"lease_boot": ":boot", "lease_until": ":until"},
    lease_of_closed="NULL",
    lease_columns={"lease_boot": "TEXT NOT NULL", "lease_until": "REAL"},
    integer="INTEGER",
    real="REAL",
    id="INTEGER PRIMARY KEY",
    run_id="INTEGER PRIMARY KEY AUTOINCREMENT",
    strict=" STRICT",
    keyed=" STRICT, WITHOUT ROWID",
)
SQL = Statements(DIALECT)
OWNER = "SELECT fence, owner, lease_boot, lease_until FROM run WHERE id = ?"


def _attempts_of_open_run(count: int) -> str:
    width = len(ATTEMPT.written)
    rows = ", ".join([f"({marks(width)})"] * count)
    columns = ", ".join(f"column{number + 1}" for number in range(width))
    return f"""
        {SQL.attempts_into} SELECT {columns}, ? FROM run, (VALUES {rows})
        WHERE id = ? AND fence = ? AND outcome IS NULL {SQL.same_attempt}
    """


# A whole commit in one statement, by the number of values: the end of a step and the start of the
# next. Parameters are the time, the rows, and the id and fence of the run; it changes all rows or
# none.
ATTEMPTS_OF_OPEN_RUN = {
    len(ATTEMPT.written) * count: _attempts_of_open_run(count) for count in (1, 2)
}


# "Hrjl": identifies a journal among the SQLite files of other programs.
APPLICATION = 0x48726A6C

MIGRATIONS: Migrations = tables_of(DIALECT)


def make_tables(connection: sqlite3.Connection, shown: str, migrations: Migrations) -> None:
    """Create or migrate the tables, in one commit.

    Raises:
        JournalError: The tables are newer, or belong to another program.
    """
    migrate(
        migrations,
        version=lambda: version_of(connection, shown, len(migrations)),
        alone=lambda: _alone(connection),
        stamp="PRAGMA user_version = {}",
    )


def version_of(connection: sqlite3.Connection, shown: str, known: int) -> int:
    """Return the version of the tables, 0 if there are none.

    Raises:
        JournalError: The version is greater than `known`, or the tables belong to another program.
    """
    application, version, tables = _read(connection)
    if application != APPLICATION and (application or version or tables):
        raise JournalError(
            f"{shown} is a database of another program, not a journal",
            ways_out=("name another file: --journal PATH",),
        )
    ways_out = ("pip install --upgrade handrail", "or another file: --journal PATH")
    refuse_newer(shown, version, known, by="Handrail", ways_out=ways_out)
    return version


@contextmanager
def _alone(connection: sqlite3.Connection) -> Generator[sqlite3.Connection, None, None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _read(connection: sqlite3.Connection) -> list[int]:
    """Return the application id, the version and the number of the tables."""
    # In one transaction, so that a migration by another process is seen as a whole or not at all.
    begun = not connection.in_transaction
    if begun:
        connection.execute("BEGIN")
    try:
        statements = (
            "PRAGMA application_id",
            "PRAGMA user_version",
            "SELECT count(*) FROM sqlite_master",
        )
        return [connection.execute(each).fetchone()[0] for each in statements]
    finally:
        if begun and connection.in_transaction:
            connection.execute("ROLLBACK")


Synchronous = Literal["full", "normal"]
T = TypeVar("T")

# After this many pages SQLite copies its log into the file, which takes two syncs, and starts the
# log over. A sync is slower while the log grows. If each commit waits for a sync, the log is kept
# short, about 1 MB; if none does, the two syncs are kept rare.
LOG_PAGES: Mapping[Synchronous, int] = {"full": 250, "normal": 4000}
_SYNC = "PRAGMA synchronous = {}"
BUSY_SECONDS = 10.0
_NEEDED = (3, 37)  # STRICT tables


class Database:
    """An SQLite file with the tables of a journal; threads take turns.

    Args:
        path: The file, which must exist, but may be empty.
        synchronous: `"full"` if commits must survive a power failure; `"normal"` if surviving a
            killed process is enough.
        writable: Whether the file and its folder can be written; otherwise it is only read.

    Raises:
        JournalError: The file is not a journal, or cannot be used.
    """

    def __init__(self, path: Path, synchronous: Synchronous, *, writable: bool = True) -> None:
        self.path = path
        self._writable = writable
        self._drop_copy: Callable[[], object] = int
        self._name = str(path)
        self._synchronous = synchronous
        self._process = process()
        self._turn = threading.RLock()
        if sqlite3.sqlite_version_info < _NEEDED:
            raise JournalError(
                f"a journal needs SQLite {'.'.join(map(str, _NEEDED))}; "
                f"this Python has {sqlite3.sqlite_version}",
                ways_out=("use another build of Python",),
            )
        try:
            self._connection = self._connected(synchronous)
            try:
                self.file = _identity(self._name)
            except BaseException:
                self._connection.close()
                raise
        except ERRORS as error:
            raise journal_error(error, path) from error

    def _connected(self, synchronous: Synchronous) -> sqlite3.Connection:
        if self._writable:
            return _open(self.path, self._name, synchronous)
        read = read_only(self.path)
        if read is not None:
            return read
        # Its log, or older tables, could only be read by writing to the file.
        copy = tempfile.mkdtemp(prefix="handrail-journal-")
        self._drop_copy = weakref.finalize(self, shutil.rmtree, copy, ignore_errors=True)
        with convert_os_errors(self.path):
            for end in ("", "-wal"):
                with suppress(FileNotFoundError):
                    shutil.copyfile(f"{self.path}{end}", os.path.join(copy, f"journal{end}"))
        return _open(Path(copy, "journal"), self._name, "normal")

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection, None, None]:
        """Return a context manager with a connection that reads a consistent snapshot.

        Raises:
            JournalError: The journal cannot be read.
        """
        if process() != self._process:
            self._refuse()
        connection = self._connection
        with self._turn:
            try:
                _roll_back(connection)  # A signal may have left a transaction open.
                connection.execute("BEGIN")
                yield connection
            except ERRORS as error:
                raise journal_error(error, self.path) from error
            finally:
                _roll_back(connection)

    def write(self, work: Callable[[sqlite3.Connection], T], *, synced: bool = True) -> T:
        """Return `work(connection)`, called within a transaction that is committed if it returns.

        Args:
            work: What to do.
            synced: Whether the commit is as durable as all others; otherwise it is with the next
                one that is.

        Raises:
            JournalError: The journal cannot be written; it may have been changed all the same.
        """
        if process() != self._process or not self._writable:
            self._refuse()
        connection = self._connection
        with self._turn:
            try:
                _roll_back(connection)  # A signal may have left a transaction open.
                if not synced:
                    connection.execute(_SYNC.format("normal"))
                connection.execute("BEGIN IMMEDIATE")
                found = work(connection)
                self._check_place()
                connection.execute("COMMIT")
                return found
            except ERRORS as error:
                raise journal_error(error, self.path) from error
            finally:
                _roll_back(connection)
                if not synced:
                    connection.execute(_SYNC.format(self._synchronous))

    def written(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """Return two counters: writes by other connections, and rows changed by this one."""
        (others,) = connection.execute("PRAGMA data_version").fetchone()
        return others, connection.total_changes

    def write_at_once(self, statement: str, values: Sequence[object]) -> int:
        """Execute one statement as its own transaction; return the number of changed rows.

        Raises:
            JournalError: The journal cannot be written; it may have been changed all the same.
        """
        if process() != self._process or not self._writable:
            self._refuse()
        connection = self._connection
        with self._turn:
            try:
                _roll_back(connection)
                self._check_place()
                return connection.execute(statement, values).rowcount
            except ERRORS as error:
                raise journal_error(error, self.path) from error

    def close(self) -> None:
        """Close the connection. Calling it twice is harmless."""
        if process() == self._process:
            with self._turn:
                self._connection.close()
                self._drop_copy()

    def _refuse(self) -> NoReturn:
        if not self._writable:
            raise unwritable(self.path, "the file system or its folder is read-only for this user")
        # Using one connection in two processes corrupts the file.
        raise JournalError(
            f"the journal {self.path} was opened by the process {self._process}, "
            "from which this one was forked",
            ways_out=("open it again in this process",),
        )

    def _check_place(self) -> None:
        # SQLite would continue to write to a deleted file.
        if _identity(self._name) != self.file:
            raise JournalError(
                f"the journal {self.path} was removed or replaced while it was in use",
                ways_out=("put it back, or begin a new one",),
            )


def _open(path: Path, shown: str, synchronous: Synchronous) -> sqlite3.Connection:
    """Return a connection that can write, with the tables of today.

    Args:
        path: The file.
        shown: Its name in errors.
        synchronous: See `Database`.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        # Damaged text is read too, as lone surrogates, so that its row can be named.
        connection.text_factory = _decode
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute(_SYNC.format(synchronous))
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES[synchronous]}")
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                _make_tables(connection, shown)
                return connection
            except sqlite3.OperationalError as error:
                # If several processes create the file at once, all but one get BUSY immediately.
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > until:
                    raise
                time.sleep(0.01)
    except BaseException:
        connection.close()
        raise


def _make_tables(connection: sqlite3.Connection, shown: str) -> None:
    version_of(connection, shown, len(MIGRATIONS))  # Spare files of other programs.
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise JournalError(
            f"the journal {shown} would not be safe: SQLite has no write-ahead log there",
            ways_out=("use a file on a disk of this machine: --journal PATH",),
        )
    make_tables(connection, shown, MIGRATIONS)


def read_only(path: Path) -> sqlite3.Connection | None:
    """Return a connection that only reads, or None if SQLite would have to write for that.

    Raises:
        JournalError: The file is not a journal, or is newer.
    """
    log = f"{path}-wal"
    ways = ["mode=ro"]
    if not (os.path.exists(log) and os.path.getsize(log)):
        ways.append("immutable=1")  # All that was committed is in the file itself.
    for way in ways:
        connection = sqlite3.connect(
            f"{path.as_uri()}?{way}", uri=True, isolation_level=None, check_same_thread=False
        )
        try:
            connection.text_factory = _decode
            version = version_of(connection, str(path), len(MIGRATIONS))
            if version == len(MIGRATIONS):
                return connection
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in READ_ONLY:
                connection.close()
                raise
        except BaseException:
            connection.close()
            raise
        connection.close()
    return None


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


# A partial of a type makes no Python call for each text.
_decode = partial(str, encoding="utf-8", errors="surrogateescape")


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        # The earlier error matters more.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
