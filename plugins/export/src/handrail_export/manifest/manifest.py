"""The list of the files of one export, in an SQLite file: a million files take no memory."""

from __future__ import annotations

import json
import sqlite3
import weakref
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal

from handrail.frozen import frozen
from handrail_export.errors import ExportError
from handrail_storage.containment import key

VERSION = 1

State = Literal["staged", "saved", "retired"]
STAGED: State = "staged"
SAVED: State = "saved"
RETIRED: State = "retired"  # Of an older export, which is to go.

_OURS = (STAGED, SAVED)
_ALL = (*_OURS, RETIRED)
_PAGE = 1000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS file (
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    rows INTEGER,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    location TEXT,
    state TEXT NOT NULL,
    etag TEXT,
    made INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS file_of_state ON file (state, id);
"""


@frozen
class ExportedFile:
    """A file of an export.

    Attributes:
        path: Its path below the target.
        rows: Number of rows; None for files without rows.
        size: Bytes.
        sha256: SHA-256 of its content, or "" for a picture whose checksum is not yet known.
        location: The source of a copy; None for a file that this run has written.
        state: Its state, such as whether it is at the target already.
        etag: The target's identifier of its content, once it is there, if any.
        made: Whether this run has stored it; else an equal one was there.
    """

    path: str
    size: int
    sha256: str
    rows: int | None = None
    location: str | None = None
    state: State = STAGED
    etag: str | None = None
    made: bool = True


class Manifest:
    """The files of an export, with its description.

    Used by one thread at a time.

    Args:
        path: The SQLite file.
        make: Whether to create it if it does not exist.

    Raises:
        ExportError: The file cannot be opened or created, or is not a manifest.
    """

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self.path = path
        self._way_out = (
            "use another folder for it: --state-folder FOLDER"
            if make
            else "of an export that is a folder: handrail export verify FOLDER"
        )
        if path.is_symlink():
            raise ExportError(f"the manifest {path} is a link", ways_out=(self._way_out,))
        if not make and not path.is_file():
            raise ExportError(f"there is no manifest {path}")
        with self._converting_errors():
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # A run that is kept, or undone, never comes to the step that closes it.
        self._closing = weakref.finalize(self, self._db.close)
        self._closing.atexit = False
        try:
            with self._converting_errors():
                self._open(make)
        except BaseException:
            self.close()
            raise

    def _open(self, make: bool) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise ExportError(
                f"{self.path} was made by a newer version of handrail-export",
                ways_out=("pip install --upgrade handrail-export",),
            )
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_schema")}
        if "about" not in tables and (tables or not make):
            raise ExportError(f"{self.path} is no manifest of an export")
        self._db.execute("PRAGMA journal_mode = WAL")
        # Until `keep`, changes have to survive a kill, not a loss of power.
        self._db.execute("PRAGMA synchronous = OFF")
        if version < VERSION:
            # All tables or none, or after a kill it is no longer known to be a manifest.
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {VERSION}; COMMIT;"
            )

    def describe(self, **values: Any) -> None:
        """Keep values of JSON types under their names."""
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO about VALUES (?, ?)", rows)

    def description(self) -> dict[str, Any]:
        """Return the values that `describe` has stored."""
        with self._converting_errors():
            rows = self._db.execute("SELECT name, value FROM about").fetchall()
        try:
            return {name: json.loads(value) for name, value in rows}
        except ValueError as error:
            raise ExportError(f"the manifest {self.path} is damaged: {error}") from error

    def clear(self, *states: State) -> None:
        """Forget the files of these states; all files if none is given."""
        wanted = states or _ALL
        with self._transaction():
            self._db.execute(f"DELETE FROM file WHERE state IN ({_places(wanted)})", wanted)

    def add(self, files: Iterable[ExportedFile]) -> None:
        """Add files; one of the same path is replaced."""
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO file (path, rows, size, sha256, location, state)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                ((f.path, f.rows, f.size, f.sha256, f.location, f.state) for f in files),
            )

    def settle(self, files: Iterable[ExportedFile], state: State) -> None:
        """Update the state, checksum and ETag of files, and whether the run has stored them."""
        with self._transaction():
            self._db.executemany(
                "UPDATE file SET state = ?, sha256 = ?, etag = ?, made = ? WHERE path = ?",
                ((state, each.sha256, each.etag, each.made, each.path) for each in files),
            )

    def reopen(self) -> None:
        """Let all saved files be staged again."""
        with self._transaction():
            self._db.execute("UPDATE file SET state = ? WHERE state = ?", (STAGED, SAVED))

    def files(self, *states: State) -> Iterator[ExportedFile]:
        """Yield the files, in the order in which they were added; they may change meanwhile.

        Args:
            states: Those that are wanted; by default, all files of the export.
        """
        wanted = states or _OURS
        last = 0
        while True:
            with self._converting_errors():
                page = self._db.execute(
                    "SELECT id, path, rows, size, sha256, location, state, etag, made FROM file"
                    f" WHERE id > ? AND state IN ({_places(wanted)}) ORDER BY id LIMIT {_PAGE}",
                    (last, *wanted),
                ).fetchall()
            if not page:
                return
            for number, path, rows, size, sha256, location, state, etag, made in page:
                last = number
                yield ExportedFile(
                    path=self._key(path),
                    rows=rows,
                    size=size,
                    sha256=sha256,
                    location=location,
                    state=state,
                    etag=etag,
                    made=made != 0,
                )

    def _key(self, path: str) -> str:
        try:
            return key(path)
        except ValueError as error:
            raise ExportError(f"the manifest {self.path} names {path!r}: {error}") from error

    def has(self, path: str, *states: State) -> bool:
        """Return whether there is a file of this path in one of these states.

        Args:
            path: The path.
            states: The states; by default, all of files of the export.
        """
        wanted = states or _OURS
        query = f"SELECT 1 FROM file WHERE path = ? AND state IN ({_places(wanted)})"
        with self._converting_errors():
            found = self._db.execute(query, (path, *wanted)).fetchone()
        return found is not None

    def totals(self) -> tuple[int, int]:
        """Return the number of files of the export, and their bytes."""
        query = "SELECT count(*), COALESCE(sum(size), 0) FROM file"
        with self._converting_errors():
            row = self._db.execute(f"{query} WHERE state IN ({_places(_OURS)})", _OURS).fetchone()
        return int(row[0]), int(row[1])

    def keep(self) -> None:
        """Make all changes survive a loss of power, not only of the process."""
        with self._converting_errors():
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._db.execute("PRAGMA synchronous = OFF")

    def close(self) -> None:
        """Close the file. Calling it twice is harmless."""
        self._closing()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        with self._converting_errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    @contextmanager
    def _converting_errors(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise ExportError(
                f"the manifest {self.path} cannot be used: {error}",
                ways_out=(self._way_out,),
            ) from error


def made_files(path: Path) -> Iterator[tuple[str, int, str, str | None]]:
    """Yield path, size, SHA-256 and ETag of each file that a run has saved; changes nothing.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    with _only_reading(path) as database:
        yield from database.execute(
            "SELECT path, size, sha256, etag FROM file WHERE state = ? AND made", (SAVED,)
        )


def count_files(path: Path) -> int:
    """Return the number of files of an export, saved or not; changes nothing.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    query = f"SELECT count(*) FROM file WHERE state IN ({_places(_OURS)})"
    with _only_reading(path) as database:
        return int(database.execute(query, _OURS).fetchone()[0])


def _only_reading(path: Path) -> closing[sqlite3.Connection]:
    # SQLite makes files beside it to read it, unless nobody can be writing.
    how = "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"
    return closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True))


def _places(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
