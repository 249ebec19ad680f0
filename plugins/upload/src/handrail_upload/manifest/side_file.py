"""The SQLite file of a manifest: opened carefully, and with errors that name it."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from handrail_storage.manifests import manifest_files, remove_manifest
from handrail_upload.errors import UploadError
from handrail_upload.names import readable

VERSION = 2
PAGE = 1000  # Rows read at a time.
_WAL = 16384  # Pages of changes, 64 MiB, that are collected before they are put in their place.
TIMEOUT = 5.0  # Seconds to wait for other processes.

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS file (
    id INTEGER PRIMARY KEY,
    path BLOB NOT NULL,
    name TEXT NOT NULL,
    key TEXT NOT NULL UNIQUE,
    unit TEXT NOT NULL,
    role TEXT NOT NULL,
    size INTEGER NOT NULL,
    mtime INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'found',
    problem TEXT,
    sha256 TEXT,
    etag TEXT,
    version TEXT,
    dev INTEGER,
    ino INTEGER,
    ctime INTEGER,
    UNIQUE (unit, role)
) STRICT;
CREATE TABLE IF NOT EXISTS sheet (
    name TEXT PRIMARY KEY, line INTEGER NOT NULL, data TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS oddity (
    kind TEXT NOT NULL, name TEXT NOT NULL, why TEXT NOT NULL
) STRICT;
"""


# What the lists of earlier versions lack.
_COLUMNS = {"version": "TEXT", "dev": "INTEGER", "ino": "INTEGER", "ctime": "INTEGER"}


class SideFile:
    """An SQLite file, with the description of an upload.

    Used by one thread at a time.

    Args:
        path: The file.
        make: Whether to create it, with the folders above it, if it does not exist.

    Attributes:
        closed: Whether it is closed.

    Raises:
        UploadError: The file cannot be opened or created, is not a manifest, or is of a newer
            version.
    """

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self.path = path
        self.closed = True
        if not make and not path.is_file():
            raise UploadError(f"there is no list of files {path}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path,
                timeout=TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
                factory=_Connection,
            )
            self._db.path = path
            self.closed = False
            self._open(make)
        except BaseException as error:
            if not self.closed:
                self.close()
            if isinstance(error, OSError | sqlite3.Error):
                raise _unusable(path, error) from error
            raise

    def _open(self, make: bool) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise UploadError(
                f"{self.path} was made by a newer version of handrail-upload",
                ways_out=("pip install --upgrade handrail-upload",),
            )
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_schema")}
        if "about" not in tables and (tables or not make):
            raise UploadError(f"{self.path} is no list of files of an upload")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_WAL}")
        if version < VERSION:
            added = _COLUMNS.items() if "file" in tables else ()
            columns = "".join(f"ALTER TABLE file ADD COLUMN {name} {of};" for name, of in added)
            # All tables or none, or after a kill it is no longer known to be a list of files.
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} {columns} PRAGMA user_version = {VERSION}; COMMIT;"
            )

    def close(self) -> None:
        """Close the file. Calling it twice is harmless."""
        self._db.close()
        self.closed = True

    def remove(self) -> None:
        """Close the file and delete it, if it exists."""
        self.close()
        remove_manifest(self.path)

    def keep(self) -> None:
        """Make all changes survive a loss of power, not only of the process."""
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def describe(self, **values: Any) -> None:
        """Keep values of JSON types under their names; None takes one away."""
        with self._transaction():
            for name, value in values.items():
                if value is None:
                    self._db.execute("DELETE FROM about WHERE name = ?", (name,))
                else:
                    text = json.dumps(value)
                    self._db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, text))

    def description(self) -> dict[str, Any]:
        """Return the values that `describe` has stored."""
        rows = self._db.execute("SELECT name, value FROM about")
        return {name: json.loads(value) for name, value in rows}

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


def what_else(path: Path, run: str) -> str | None:
    """Return a description of a file that is not the manifest of `run`; None if there is none.

    An empty SQLite file is the remains of a process that was killed while it created a manifest.
    """
    for each in manifest_files(path):
        if os.path.lexists(each) and not stat.S_ISREG(each.lstat().st_mode):
            return "no file"
    if not path.exists() or not path.stat().st_size:
        return None
    found = _found_in(path, "mode=ro&immutable=1")
    if not (found and found[0]) and any(each.exists() for each in manifest_files(path)[1:]):
        # All changes of a killed process may be in the file beside it.
        found = _found_in(path, "mode=rw") or found
    if found is None:
        return "no list of files of an upload"
    tables, whose = found
    if not tables:
        return None
    if not tables >= {"about", "file"}:
        return "no list of files of an upload"
    return None if whose in (None, run) else f"the list of files of {readable(str(whose))}"


def sent_lines_in(path: Path) -> Iterator[str]:
    """Yield the lines of a `HeldList` of the files that were sent; creates no other files.

    Raises:
        ValueError: The file cannot be read.
    """
    try:
        with closing(_as_it_stands(path, "mode=ro&immutable=1")) as database:
            rows = database.execute(
                "SELECT json_array(key, CAST(size AS INTEGER), nullif(sha256, ''), etag) AS line"
                " FROM file WHERE state = 'sent' ORDER BY line"
            )
            yield from (line for (line,) in rows)
    except sqlite3.Error as error:
        raise ValueError(str(error)) from error


def sizes_in(path: Path) -> Iterator[tuple[str, int, str]]:
    """Yield key, size and state of each file; creates no other files.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    with closing(_as_it_stands(path, "mode=ro&immutable=1")) as database:
        yield from database.execute("SELECT key, CAST(size AS INTEGER), state FROM file")


def _found_in(path: Path, how: str) -> tuple[set[str], object] | None:
    """Return the tables in an SQLite file, and the run that it names, if any."""
    try:
        with closing(_as_it_stands(path, how)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
            if "about" in tables:
                with suppress(sqlite3.Error, ValueError):
                    about = dict(database.execute("SELECT name, value FROM about"))
                    return tables, json.loads(about["run"]) if "run" in about else None
            return tables, None
    except sqlite3.Error:
        return None


def _as_it_stands(path: Path, how: str) -> sqlite3.Connection:
    """Open an existing file; with `immutable`, without a lock or a file beside it."""
    return sqlite3.connect(f"file:{quote(os.fsencode(path))}?{how}", uri=True)


class _Connection(sqlite3.Connection):
    """A connection whose errors name the file."""

    path: Path

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute a statement."""
        try:
            return super().execute(sql, parameters)
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Execute a statement for each of the parameters."""
        try:
            return super().executemany(sql, parameters)
        except sqlite3.Error as error:
            raise _unusable(self.path, error) from error


def _unusable(path: Path, error: Exception) -> UploadError:
    return UploadError(
        f"the list of files {path} cannot be used: {error}",
        ways_out=("use another folder for it: --state-folder FOLDER",),
    )


class _Transaction:
    """A transaction that joins an open one, if any."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._inner = False

    def __enter__(self) -> None:
        self._inner = self._db.in_transaction
        if not self._inner:
            self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if self._inner:
            return
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            # It may be over already: some errors, such as of a full disk, end it by themselves.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
