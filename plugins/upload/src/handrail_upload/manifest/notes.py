"""Notes: the metadata and the ignored files in a manifest, besides its files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from handrail_upload.listing import EMPTY, as_json
from handrail_upload.manifest.side_file import ListOfFiles

# The name behind the last slash.
_BARE = "substr({0}, length(rtrim({0}, replace({0}, '/', ''))) + 1)"


class Notes(ListOfFiles):
    """The rows of the metadata file by name, and the files that were left alone."""

    def add_metadata(self, rows: Iterable[tuple[str, int, Mapping[str, Any]]]) -> str | None:
        """Add `(name, line, values)`, in one transaction; return a name that was there before."""
        with self._transaction():
            for name, line, values in rows:
                done = self._db.execute(
                    "INSERT OR IGNORE INTO sheet VALUES (?, ?, ?)",
                    (name, line, as_json(values)),
                )
                if not done.rowcount:
                    return name
        return None

    def clear_metadata(self) -> None:
        """Forget all metadata."""
        self._db.execute("DELETE FROM sheet")

    def metadata_line(self, name: str) -> int | None:
        """Return the line of `name` in the metadata file."""
        row = self._db.execute("SELECT line FROM sheet WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def metadata_of(self, name: str) -> dict[str, Any]:
        """Return the metadata of a file, by its path below the source or by its bare name."""
        for each in dict.fromkeys((name, name.rpartition("/")[2])):
            row = self._db.execute("SELECT data FROM sheet WHERE name = ?", (each,)).fetchone()
            if row is not None:
                values: dict[str, Any] = json.loads(row[0])
                return values
        return {}

    def _listed_units(self, condition: str) -> str:
        """Return the SELECT of a listing of units with files of `condition`; see `metadata_of`."""
        if not self._db.execute("SELECT EXISTS (SELECT 1 FROM sheet)").fetchone()[0]:
            return f"SELECT unit, '{EMPTY}' FROM listing.file WHERE {condition} GROUP BY unit"
        return f"""
            SELECT unit, CASE count(data)
                WHEN 0 THEN '{EMPTY}'
                WHEN 1 THEN max(data)
                ELSE merged(json_group_object(role, json(data)))
            END
            FROM (
                SELECT f.unit, f.role, coalesce(path.data, bare.data) AS data
                FROM listing.file f
                LEFT JOIN listing.sheet path ON path.name = f.name
                LEFT JOIN listing.sheet bare ON bare.name = {_BARE.format("f.name")}
                WHERE {condition}
            )
            GROUP BY unit
        """

    def unmatched_metadata(self, limit: int) -> tuple[int, list[tuple[str, int]], int]:
        """Return the metadata without a file, and the number of files without metadata.

        Returns:
            The number of rows, `(name, line)` of the first `limit` of them, and the number of
            files.
        """
        bare = _BARE.format("name")
        orphans = (
            " FROM sheet WHERE name NOT IN (SELECT name FROM file)"
            f" AND name NOT IN (SELECT {bare} FROM file)"
        )
        rows = self._db.execute(f"SELECT count(*){orphans}").fetchone()[0]
        first = self._db.execute(f"SELECT name, line{orphans} ORDER BY line LIMIT ?", (limit,))
        without = self._db.execute(
            "SELECT count(*) FROM file WHERE name NOT IN (SELECT name FROM sheet)"
            f" AND {bare} NOT IN (SELECT name FROM sheet)"
        ).fetchone()[0]
        return int(rows), [tuple(row) for row in first], int(without)

    # Files left alone

    def note(self, kind: str, name: str, why: str) -> None:
        """Note that a file was left alone: `hidden`, `symlink`, `unreadable`, ..."""
        self._db.execute("INSERT INTO oddity VALUES (?, ?, ?)", (kind, name, why))

    def note_many(self, notes: Iterable[tuple[str, str, str]]) -> None:
        """Note many that were left alone, in one transaction; see `note`."""
        with self._transaction():
            self._db.executemany("INSERT INTO oddity VALUES (?, ?, ?)", notes)

    def forget_notes(self, kind: str) -> None:
        """Forget what was noted of a kind."""
        self._db.execute("DELETE FROM oddity WHERE kind = ?", (kind,))

    def oddity_counts(self) -> dict[str, int]:
        """Return the number of files left alone, by kind."""
        rows = self._db.execute("SELECT kind, count(*) FROM oddity GROUP BY kind ORDER BY kind")
        return {kind: int(count) for kind, count in rows}
