"""The SQLite file of a manifest: its tables, and what is read of it as it stands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from handrail_storage.side_file import SideFile, as_it_stands
from handrail_upload.errors import UploadError

PAGE = 1000  # Rows read at a time.
PAGE_SIZE = 16384  # Bytes: with the usual ones, four times as many are read and written.
_WAL = 4096  # Pages of changes, 64 MiB, that are collected before they are put in their place.
_CACHE = 16384  # KiB


class ListOfFiles(SideFile):
    """The list of the files of an upload, with its description; see `SideFile`."""

    error = UploadError
    what = "list of files"
    whose = "an upload"
    distribution = "handrail-upload"
    schema = """
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
        CREATE TABLE IF NOT EXISTS missing (
            key TEXT PRIMARY KEY, size INTEGER NOT NULL, sha256 TEXT, etag TEXT,
            gone INTEGER NOT NULL DEFAULT 0
        ) STRICT, WITHOUT ROWID;
        CREATE VIEW IF NOT EXISTS deleted AS
            SELECT key, size, sha256, etag FROM missing WHERE gone;
    """

    def _open(self, make: bool) -> None:
        self._db.execute(f"PRAGMA page_size = {PAGE_SIZE}")  # Of a file that is made.
        super()._open(make)
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_WAL}")
        self._db.execute(f"PRAGMA cache_size = -{_CACHE}")


def arrived_lines_in(path: Path) -> Iterator[str]:
    """Yield the lines of a `HeldList` of the files that the run has stored; creates no other files.

    Raises:
        ValueError: The file cannot be read.
    """
    try:
        with as_it_stands(path) as database:
            rows = database.execute(
                "SELECT json_array(key, CAST(size AS INTEGER), nullif(sha256, ''), etag) AS line"
                " FROM file WHERE state IN ('sent', 'replaced') ORDER BY line"
            )
            yield from (line for (line,) in rows)
    except sqlite3.Error as error:
        raise ValueError(str(error)) from error


def sizes_in(path: Path) -> Iterator[tuple[str, int, str]]:
    """Yield key, size and state of each file; creates no other files.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    with as_it_stands(path) as database:
        yield from database.execute("SELECT key, CAST(size AS INTEGER), state FROM file")
