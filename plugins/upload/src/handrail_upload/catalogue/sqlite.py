"""A catalogue in an SQLite file."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from handrail_upload.catalogue.address import SqliteAddress
from handrail_upload.catalogue.database import (
    Cursor,
    Database,
    NotACatalogueError,
    Row,
    TablesGoneError,
    Values,
)
from handrail_upload.catalogue.schema import MARKER, TABLES
from handrail_upload.errors import CatalogueError
from handrail_upload.listing import Listing

_OURS = ", ".join(f"'{name}'" for name in (MARKER, *TABLES))
_OTHERS = (
    "SELECT 1 FROM sqlite_master WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    f" AND NOT (type IN ('table', 'index') AND tbl_name IN ({_OURS}))"
)

_UNIT = "(name, metadata)"
_FILE = "(unit, role, name, location, key, size, sha256, etag)"
_DIFFERING = "(name TEXT PRIMARY KEY, id INTEGER, metadata TEXT) WITHOUT ROWID"


class SqliteDatabase(Database):
    """An SQLite file, with the journal that it has.

    A new file keeps SQLite's rollback journal: unlike with WAL, nothing stays beside the file, and
    it may be copied, or put on a share. EXTRA makes that journal's end durable too: with FULL, a
    power cut could take a transaction back that was already reported.
    """

    types: ClassVar[Mapping[str, str]] = {
        "id": "INTEGER PRIMARY KEY AUTOINCREMENT",
        "integer": "INTEGER",
        "text": "TEXT",
        "moment": "TEXT",
    }

    def __init__(self, address: SqliteAddress, timeout: float, *, create: bool = False) -> None:
        super().__init__(address.shown, timeout)
        self.path = address.path
        self._mode = "rwc" if create else "rw"
        self._file: tuple[int, int] | None = None

    @contextmanager
    def publishing(self, listing: Listing) -> Generator[None, None, None]:
        with self._converting_errors():
            connection = self._connected()
            listing.attach(connection)
        try:
            with self.transaction():
                self.change(f"CREATE TEMP VIEW given_unit {_UNIT} AS {listing.units}")
                self.change(f"CREATE TEMP VIEW given_file {_FILE} AS {listing.files}")
                self.change(f"CREATE TEMP TABLE differing_unit {_DIFFERING}")
                if listing.removed:
                    self.change(f"CREATE TEMP VIEW given_removed (location) AS {listing.removed}")
                yield
                self.change("DROP VIEW temp.given_unit")
                self.change("DROP VIEW temp.given_file")
                self.change("DROP TABLE temp.differing_unit")
                if listing.removed:
                    self.change("DROP VIEW temp.given_removed")
        finally:
            with suppress(sqlite3.Error):  # A connection that failed may be closed.
                connection.execute("DETACH listing")

    def fill(self, table: str, rows: Iterable[Row]) -> None:
        with self._converting_errors():
            self._connected().executemany(f"INSERT INTO {table} VALUES (?, ?)", rows)

    def moment(self, when: datetime) -> object:
        return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def exists(self) -> bool:
        path, shown = self.path, self.shown
        mode = 0
        try:
            # Asked once: others may make it meanwhile.
            with suppress(FileNotFoundError, NotADirectoryError):
                mode = path.stat().st_mode
            if stat.S_ISREG(mode):
                return True
            if mode:
                way_out = f"name a file, such as {shown.rstrip('/')}/uploads.db in a folder"
                raise NotACatalogueError(f"{shown} is not a file", ways_out=(way_out,))
            if not path.parent.is_dir():
                message = f"the folder of {shown} does not exist"
                raise NotACatalogueError(message, ways_out=(f"mkdir -p {path.parent}",))
        except OSError as error:
            raise CatalogueError(f"{shown} cannot be opened: {error.strerror}") from error
        return False

    def columns(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        of = "SELECT name FROM pragma_table_info(:table) ORDER BY cid"
        return [(table, name) for table in tables for (name,) in self.rows(of, table=table)]

    def lock(self, kind: str, name: str = "") -> None:
        """Do nothing: the transaction has locked the file, and a lock ends with its process."""

    def drop(self) -> bool:
        built_upon = f"{_OTHERS} AND sql LIKE '%handrail!_%' ESCAPE '!'"
        if not self.is_empty() or self.rows(built_upon):
            return False
        for table in (*TABLES, MARKER):
            self.change(f"DROP TABLE {table}")
        return True

    def has_others(self) -> bool:
        """Return whether the file has anything that is not ours."""
        return bool(self.rows(_OTHERS))

    def _connect(self) -> sqlite3.Connection:
        if self._mode == "rw" and not self.exists():
            raise CatalogueError(f"{self.shown} does not exist")
        connection = sqlite3.connect(
            f"file:{quote(os.fsencode(self.path))}?mode={self._mode}",
            uri=True,
            timeout=self.timeout,
            isolation_level=None,
            check_same_thread=False,  # A rollback may come from another thread.
        )
        try:
            self._file = _identity(self.path)
            connection.execute("PRAGMA synchronous = EXTRA")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA cache_size = -16384")  # KiB
        except BaseException:
            connection.close()
            raise
        return connection

    def _begin(self, connection: sqlite3.Connection, *, alone: bool) -> None:
        connection.execute("BEGIN EXCLUSIVE" if alone else "BEGIN IMMEDIATE")
        # It is only deleted under the lock that we have now, but may have been deleted before.
        # Writes to a deleted file are lost without an error.
        if _identity(self.path) != self._file:
            connection.execute("ROLLBACK")
            self.close()
            raise CatalogueError(
                f"{self.shown} was deleted or replaced while it was in use",
                ways_out=("run it again",),
            )

    def _execute(self, connection: sqlite3.Connection, statement: str, values: Values) -> Cursor:
        return connection.execute(statement, values)

    def _roll_back(self) -> None:
        connection: sqlite3.Connection | None = self._connection
        if connection is not None and self._process == os.getpid() and connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")

    @contextmanager
    def _converting_errors(self) -> Generator[None, None, None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._error(error) from error
        except UnicodeEncodeError as error:
            raise CatalogueError(f"{self.shown} takes no text that is not Unicode") from error

    def _error(self, error: sqlite3.Error) -> CatalogueError:
        # The low byte is the kind of the error; the rest is its place in SQLite.
        kind = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if kind in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            return CatalogueError(
                f"{self.shown} is locked: another program holds it; waited for {self.timeout:g} s",
                ways_out=("close the program that has it open, or wait for it; then run it again",),
            )
        if str(error).startswith("no such table: handrail_"):
            return TablesGoneError(self.shown, str(error))
        way_out = _WAYS_OUT.get(kind, "").format(shown=self.shown, folder=self.path.parent)
        raised = NotACatalogueError if kind == sqlite3.SQLITE_NOTADB else CatalogueError
        return raised(f"{self.shown}: {error}", ways_out=(way_out,))


_WRITABLE = "the file and its folder must be writable: ls -ld {folder} {shown}"
_WAYS_OUT = {
    sqlite3.SQLITE_NOTADB: "name another file; nothing in this one was touched",
    sqlite3.SQLITE_CORRUPT: "sqlite3 {shown} .recover shows what can still be read",
    sqlite3.SQLITE_FULL: "make space on the disk of {folder}; nothing was lost",
    sqlite3.SQLITE_READONLY: _WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _WRITABLE,
}


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
