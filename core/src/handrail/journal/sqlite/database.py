"""The one connection of a process to the file of a journal."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, NoReturn, TypeVar

from handrail.errors import JournalError
from handrail.journal.backend.fork_guard import process
from handrail.journal.sqlite.failures import journal_error
from handrail.journal.sqlite.schema import MIGRATIONS, make_tables, version_of

Synchronous = Literal["full", "normal"]
T = TypeVar("T")

# After so many pages SQLite brings its log into the file, which takes two syncs, and writes the log
# from its beginning again. A sync takes longer while the log grows: where each commit waits for
# one, the log is short, about 1 MB; where none does, those two are rare.
LOG_PAGES: Mapping[Synchronous, int] = {"full": 250, "normal": 4000}
BUSY_SECONDS = 10.0
_NEEDED = (3, 37)  # STRICT tables


class Database:
    """An SQLite file with the tables of a journal; for one thread at a time, which waits its turn.

    Args:
        path: The file, which is there, though it may be empty.
        synchronous: `full`: a commit survives power loss; `normal`: it survives the process.

    Raises:
        JournalError: It is no journal, or cannot be used.
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
        """Read within the block; all that is read is of one moment.

        Raises:
            JournalError: It cannot be read.
        """
        if process() != self._process:
            self._refuse()
        connection = self._connection
        with self._turn:
            try:
                _roll_back(connection)  # What a signal may have left open.
                connection.execute("BEGIN")
                yield connection
            except sqlite3.Error as error:
                raise journal_error(error, self.path) from error
            finally:
                _roll_back(connection)

    def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Call `work` within a transaction, and commit unless it raises; return what it returns.

        Raises:
            JournalError: It cannot be written; nothing was.
        """
        if process() != self._process:
            self._refuse()
        connection = self._connection
        with self._turn:
            try:
                _roll_back(connection)  # What a signal may have left open.
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
        """Return what changes with each write to the file: by others, and by this connection.

        The second number grows by the rows that were changed.
        """
        (others,) = connection.execute("PRAGMA data_version").fetchone()
        return others, connection.total_changes

    def write_at_once(self, statement: str, values: Sequence[object]) -> int:
        """Execute a statement that is a transaction of its own; return how many rows it changed.

        Raises:
            JournalError: It cannot be written; nothing was.
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
        """Close the connection; harmless twice."""
        if process() == self._process:
            with self._turn:
                self._connection.close()

    def _refuse(self) -> NoReturn:
        # A connection that two processes use destroys the file.
        raise JournalError(
            f"the journal {self.path} was opened by the process {self._process}, "
            "from which this one was forked",
            ways_out=("open it again in this process",),
        )

    def _check_place(self) -> None:
        # SQLite would go on writing to a file that has no name any more.
        if _identity(self._name) != self.file:
            raise JournalError(
                f"the journal {self.path} was removed or replaced while it was in use",
                ways_out=("put it back, or begin a new one",),
            )

    def _prepare(self, synchronous: Synchronous) -> None:
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
                # Of those who make a file at the same time, all but one are turned away at once.
                busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
                if not busy or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def _make_tables(self) -> None:
        shown = str(self.path)
        version_of(self._connection, shown, len(MIGRATIONS))  # Leave the files of others alone.
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


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        # What went wrong before is what matters.
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
