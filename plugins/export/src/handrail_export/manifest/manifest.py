"""The list of the files of one export, in an SQLite file: a million files take no memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from handrail.frozen import frozen
from handrail_export.errors import ExportError
from handrail_storage.containment import key
from handrail_storage.side_file import SideFile, as_it_stands

State = Literal["staged", "saved", "retired"]
STAGED: State = "staged"
SAVED: State = "saved"
RETIRED: State = "retired"  # Of an older export, which is to go.

_OURS = (STAGED, SAVED)
_ALL = (*_OURS, RETIRED)
_PAGE = 1000
_SCHEMA = """
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


class Manifest(SideFile):
    """The files of an export, with its description; see `SideFile`."""

    error = ExportError
    what = "manifest"
    whose = "an export"
    distribution = "handrail-export"
    schema = _SCHEMA
    # Until `keep`, changes have to survive a kill, not a loss of power.
    synchronous = "OFF"
    way_out_of_reading = "of an export that is a folder: handrail export verify FOLDER"

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
            page = self._rows(
                "SELECT id, path, rows, size, sha256, location, state, etag, made FROM file"
                f" WHERE id > ? AND state IN ({_places(wanted)}) ORDER BY id LIMIT {_PAGE}",
                (last, *wanted),
            )
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
        return bool(self._rows(query, (path, *wanted)))

    def totals(self) -> tuple[int, int]:
        """Return the number of files of the export, and their bytes."""
        query = "SELECT count(*), COALESCE(sum(size), 0) FROM file"
        ((count, size),) = self._rows(f"{query} WHERE state IN ({_places(_OURS)})", _OURS)
        return int(count), int(size)


def made_files(path: Path) -> Iterator[tuple[str, int, str, str | None]]:
    """Yield path, size, SHA-256 and ETag of each file that a run has saved; changes nothing.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    with _reading(path) as database:
        yield from database.execute(
            "SELECT path, size, sha256, etag FROM file WHERE state = ? AND made", (SAVED,)
        )


def count_files(path: Path) -> int:
    """Return the number of files of an export, saved or not; changes nothing.

    Raises:
        sqlite3.Error: The file cannot be read.
    """
    query = f"SELECT count(*) FROM file WHERE state IN ({_places(_OURS)})"
    with _reading(path) as database:
        return int(database.execute(query, _OURS).fetchone()[0])


def _reading(path: Path) -> closing[sqlite3.Connection]:
    # SQLite makes files beside it to read it, unless nobody can be writing.
    return as_it_stands(path, "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1")


def _places(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
