"""The manifest: files, and the data units that they are grouped into."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from handrail_upload.manifest.notes import Notes
from handrail_upload.manifest.side_file import PAGE
from handrail_upload.manifest.source_file import FOUND, INVALID, STORED, SourceFile
from handrail_upload.units import DataFile, DataUnit

_LAST = chr(0x10FFFF)  # After every name of a role.
_COLUMNS = "id, path, name, key, unit, role, size, mtime, state, problem, sha256, etag"


def _file(row: Sequence[Any]) -> SourceFile:
    id_, path, name, key, unit, role, size, mtime, state, problem, sha256, etag = row
    return SourceFile(
        id=id_,
        path=os.fsdecode(path),
        name=name,
        key=key,
        unit=unit,
        role=role,
        size=size,
        mtime=mtime,
        state=state,
        problem=problem,
        sha256=sha256,
        etag=etag,
    )


class Manifest(Notes):
    """The files of one upload, in an SQLite file.

    Used by one thread at a time. Everything that iterates reads in pages, so the files may be
    changed meanwhile.

    Args:
        path: The file.
        make: Whether to create it, with the folders above it, if it does not exist.

    Attributes:
        closed: Whether it is closed.

    Raises:
        UploadError: The file cannot be opened or created, is not a manifest, or is of a newer
            version.
    """

    def add(self, files: Iterable[SourceFile]) -> list[tuple[SourceFile, str]]:
        """Add files, in one transaction.

        Returns:
            Those that were not added, because another file has their key, or their role in their
            unit; each with the name of that other file.
        """
        clashes: list[tuple[SourceFile, str]] = []
        with self._transaction():
            for each in files:
                row = (
                    os.fsencode(each.path),
                    *(each.name, each.key, each.unit, each.role),
                    *(each.size, each.mtime, each.state, each.problem),
                )
                done = self._db.execute(
                    "INSERT OR IGNORE INTO file (path, name, key, unit, role, size, mtime, state,"
                    " problem) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    row,
                )
                if not done.rowcount:
                    clashes.append((each, self._other(each)))
        return clashes

    def _other(self, file: SourceFile) -> str:
        row = self._db.execute(
            "SELECT name FROM file WHERE key = ? OR (unit = ? AND role = ?)",
            (file.key, file.unit, file.role),
        ).fetchone()
        return str(row[0])

    def update(self, files: Iterable[SourceFile]) -> None:
        """Update files in the manifest: everything but names, key, unit and role."""
        with self._transaction():
            self._db.executemany(
                "UPDATE file SET state = ?, problem = ?, sha256 = ?, etag = ?, size = ?, mtime = ?"
                " WHERE id = ?",
                ((f.state, f.problem, f.sha256, f.etag, f.size, f.mtime, f.id) for f in files),
            )

    def reopen_files(self) -> None:
        """Reset the states of the valid files, as if they had just been found."""
        with self._transaction():
            self._db.execute(
                "UPDATE file SET state = ?, sha256 = NULL, etag = NULL WHERE state <> ?",
                (FOUND, INVALID),
            )

    def clear(self) -> None:
        """Forget all files."""
        with self._transaction():
            for table in ("file", "oddity"):
                self._db.execute(f"DELETE FROM {table}")

    def files(self, *states: str) -> Iterator[SourceFile]:
        """Yield the files, or those in `states`, in the order in which they were found."""
        among = f" AND state IN ({', '.join('?' * len(states))})" if states else ""
        last = 0
        while True:
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM file WHERE id > ?{among} ORDER BY id LIMIT {PAGE}",
                (last, *states),
            ).fetchall()
            yield from map(_file, rows)
            if len(rows) < PAGE:
                return
            last = rows[-1][0]

    def count(self, *states: str) -> int:
        """Return the number of files, or of those in `states`."""
        return self.totals(*states)[0]

    def totals(self, *states: str) -> tuple[int, int]:
        """Return the number of files in `states` (or of all), and their bytes."""
        among = f" WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        row = self._db.execute(f"SELECT count(*), sum(size) FROM file{among}", states).fetchone()
        return int(row[0]), int(row[1] or 0)

    # Data units

    def count_units(self, *states: str) -> int:
        """Return the number of data units with a file in `states`, or with any file."""
        among = f" WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        row = self._db.execute(f"SELECT count(DISTINCT unit) FROM file{among}", states).fetchone()
        return int(row[0])

    def units(self, location: str, *states: str, after: str = "") -> Iterator[DataUnit]:
        """Yield the data units, by name, with their files in `states` and their metadata.

        Args:
            location: URL of the target, without a slash at its end.
            states: The states of the files; those that are stored unless given.
            after: Only units whose names come after it.
        """
        states = states or STORED
        among = ", ".join("?" * len(states))
        unit, role = after, _LAST if after else ""
        gathered: list[SourceFile] = []
        while True:
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM file WHERE (unit, role) > (?, ?) AND state IN ({among})"
                f" ORDER BY unit, role LIMIT {PAGE}",
                (unit, role, *states),
            ).fetchall()
            for each in map(_file, rows):
                if gathered and gathered[0].unit != each.unit:
                    yield self._unit(location, gathered)
                    gathered = []
                gathered.append(each)
            if len(rows) < PAGE:
                break
            unit, role = gathered[-1].unit, gathered[-1].role
        if gathered:
            yield self._unit(location, gathered)

    def _unit(self, location: str, files: list[SourceFile]) -> DataUnit:
        metadata: dict[str, Any] = {}
        for each in files:
            metadata.update(self.metadata_of(each.name))
        return DataUnit(
            name=files[0].unit,
            metadata=metadata,
            files=tuple(
                DataFile(
                    role=each.role,
                    name=each.name,
                    location=f"{location}/{each.key}",
                    key=each.key,
                    size=each.size,
                    sha256=each.sha256 or "",
                    etag=each.etag,
                )
                for each in files
            ),
        )

    def incomplete_units(self, roles: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield each unit in which some of `roles` are missing, with those, by name."""
        last = ""
        while True:
            rows = self._db.execute(
                "SELECT unit, group_concat(role, char(0)) FROM file WHERE unit > ? AND state <> ?"
                f" GROUP BY unit ORDER BY unit LIMIT {PAGE}",
                (last, INVALID),
            ).fetchall()
            for unit, there in rows:
                missing = [role for role in roles if role not in there.split("\0")]
                if missing:
                    yield unit, missing
            if len(rows) < PAGE:
                return
            last = rows[-1][0]

    def files_of(self, unit: str) -> list[SourceFile]:
        """Return the files of one data unit."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM file WHERE unit = ?", (unit,))
        return [_file(row) for row in rows]

    # Many at once, without an object for each

    def keys(self, *states: str) -> Iterator[list[str]]:
        """Yield the keys of the files in `states`, in pages."""
        rows = self._db.execute(f"SELECT key FROM file WHERE {_among(states)}", states)
        while page := rows.fetchmany(PAGE):
            yield [key for (key,) in page]

    def wanted_lines(self, *states: str) -> Iterator[str]:
        """Yield the lines of a `WantedList` of the files in `states`, with unknown digests."""
        return self._lines("key, NULL", states)

    def held_lines(self, *states: str) -> Iterator[str]:
        """Yield the lines of a `HeldList` of what is at the target for the files in `states`."""
        return self._lines("key, size, nullif(sha256, ''), etag", states)

    def _lines(self, values: str, states: Sequence[str]) -> Iterator[str]:
        rows = self._db.execute(
            f"SELECT json_array({values}) AS line FROM file WHERE {_among(states)} ORDER BY line",
            states,
        )
        return (line for (line,) in rows)


def _among(states: Sequence[str]) -> str:
    return f"state IN ({', '.join('?' * len(states))})"
