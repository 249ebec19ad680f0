"""Database: the process's only connection to the file of a journal."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Literal, NoReturn, TypeVar

from handrail.errors import JournalError
from handrail.journal.backend.fork_guard import process
from handrail.journal.sqlite.failures import journal_error
from handrail.journal.sqlite.schema import MIGRATIONS, make_tables, version_of

Synchronous = Literal["full", "normal"]
T = TypeVar("T")

# After this many pages SQLite copies its log into the file, which takes two syncs, and starts the
# log over. A sync is slower while the log grows. If each commit waits for a sync, the log is kept
# short, about 1 MB; if none does, the two syncs are kept rare.
LOG_PAGES: Mapping[Synchronous, int] = {"full": 250, "normal": 4000}
BUSY_SECONDS = 10.0
_NEEDED = (3, 37)  # STRICT tables


class Database:
    """An SQLite file with the tables of a journal; threads take turns.

    Args:
        path: The file, which must exist, but may be empty.
        synchronous: `"full"` if commits must survive a power failure; `"normal"` if surviving a
            killed process is enough.

    Raises:
        JournalError: The file is not a journal, or cannot be used.
    """

    def __init__(self, path: Path, synchronous: Synchronous) -> None:
        self.path = path
        self._name = str(path)
        self._process = process()
        self._turn = threading.RLock()
        if sqlite3.sqlite_version_info < _NEEDED:
            raise JournalError(
                f"a journal needs SQLite {'.'.join(map(str, _NEEDED))}; "
                f"this Python has {sqlite3.sqlite_version}",
                ways_out=("use another build of Python",),
            )
        try:
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            try:
                self._prepare(synchronous)
                self.file = _identity(self._name)
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise journal_error(error, path) from error

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
            except sqlite3.Error as error:
                raise journal_error(error, self.path) from error
            finally:
                _roll_back(connection)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return `work(connection)`, called within a transaction that is committed if it returns.

        Raises:
            JournalError: The journal cannot be written; nothing was changed.
        """
        if process() != self._process:
            self._refuse()
        connection = self._connection
        with self._turn:
            try:
                _roll_back(connection)  # A signal may have left a transaction open.
                connection.execute("BEGIN IMMEDIATE")
                found = work(connection)
                self._check_place()
                connection.execute("COMMIT")
                return found
            except sqlite3.Error as error:
                raise journal_error(error, self.path) from error
            finally:
                _roll_back(connection)

    def written(self, connection: sqlite3.Connection) -> tuple[int, int]:
        """Return two counters: writes by other connections, and rows changed by this one."""
        (others,) = connection.execute("PRAGMA data_version").fetchone()
        return others, connection.total_changes

    def write_at_once(self, statement: str, values: Sequence[object]) -> int:
        """Execute one statement as its own transaction; return the number of changed rows.

        Raises:
            JournalError: The journal cannot be written; nothing was changed.
        """
        if process() != self._process:
            self._refuse()
        connection = self._connection
        with self._turn:
            try:
                _roll_back(connection)
                self._check_place()
                return connection.execute(statement, values).rowcount
            except sqlite3.Error as error:
                raise journal_error(error, self.path) from error

    def close(self) -> None:
        """Close the connection. Calling it twice is harmless."""
        if process() == self._process:
            with self._turn:
                self._connection.close()

    def _refuse(self) -> NoReturn:
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

    def _prepare(self, synchronous: Synchronous) -> None:
        # Damaged text is read too, as lone surrogates, so that its row can be named.
        self._connection.text_factory = _decode
        execute = self._connection.execute
        execute("PRAGMA foreign_keys = ON")
        execute("PRAGMA mmap_size = 0")
        execute(f"PRAGMA synchronous = {synchronous}")
        execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES[synchronous]}")
        until = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._make_tables()
                return
            except sqlite3.OperationalError as error:
                # If several processes create the file at once, all but one get BUSY immediately.
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def _make_tables(self) -> None:
        shown = str(self.path)
        version_of(self._connection, shown, len(MIGRATIONS))  # Spare files of other programs.
        (mode,) = self._connection.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise JournalError(
                f"the journal {shown} would not be safe: SQLite has no write-ahead log there",
                ways_out=("use a file on a disk of this machine: --journal PATH",),
            )
        make_tables(self._connection, shown, MIGRATIONS)


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
