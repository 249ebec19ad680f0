"""The manifest: files, and the data units that they are grouped into."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from handrail_storage import Listed, Stored, pages
from handrail_storage.claims import NOTHING
from handrail_upload.listing import Listing
from handrail_upload.manifest.files_cache import FilesCache
from handrail_upload.manifest.outcome import OUTCOMES, FileOutcome, selects_of
from handrail_upload.manifest.side_file import PAGE
from handrail_upload.manifest.source_file import (
    FILE_NAMES,
    FOUND,
    INCOMPLETE,
    INVALID,
    LATEST,
    LEFT_OUT,
    STORED,
    UNSETTLED,
    FoundRow,
    SourceFile,
)
from handrail_upload.units import DataFile, DataUnit

# Those of a SourceFile, in its order.
_COLUMNS = (
    "path, name, key, unit, role, size, mtime, dev, ino, ctime, state, problem, sha256, etag,"
    " version, id"
)

_INSERT = (
    "INSERT OR IGNORE INTO file (path, name, key, unit, role, size, mtime, dev, ino, ctime, state,"
    " problem, sha256, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

# What identifies the file is that of the old path, so another path does not keep it.
_UPDATE = (
    "UPDATE file SET state = ?2, problem = ?3, sha256 = ?4, etag = ?5, version = ?6, size = ?7,"
    " mtime = ?8, path = ?9, dev = iif(path = ?9, dev, NULL), ino = iif(path = ?9, ino, NULL),"
    " ctime = iif(path = ?9, ctime, NULL) WHERE id = ?1"
)


def _changed(file: SourceFile) -> tuple[Any, ...]:
    known = (file.state, file.problem, file.sha256, file.etag, file.version)
    return (file.id, *known, file.size, min(file.mtime, LATEST), file.path.encode(*FILE_NAMES))


def _row(file: SourceFile) -> tuple[Any, ...]:
    path, mtime = file.path.encode(*FILE_NAMES), min(file.mtime, LATEST)
    known = (file.size, mtime, file.dev, file.ino, file.ctime, file.state, file.problem)
    return (path, file.name, file.key, file.unit, file.role, *known, file.sha256, file.version)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _file(row: Sequence[Any]) -> SourceFile:
    path, *others = row
    return SourceFile(path.decode(*FILE_NAMES), *others)


class Manifest(FilesCache):
    """The files of one upload, in an SQLite file.

    Everything that iterates reads in pages, so the files may be changed meanwhile.
    """

    def add(self, files: Iterable[SourceFile]) -> list[tuple[SourceFile, str]]:
        """Add files, in one transaction.

        Returns:
            Those that were not added, because another file has their key, or their role in their
            unit; each with the name of that other file.
        """
        clashes: list[tuple[SourceFile, str]] = []
        with self._changing():
            for page in pages(files, PAGE):
                found = self._insert(list(map(_row, page)))
                clashes += ((page[place], name) for place, name, _ in found)
        return clashes

    def add_found(self, rows: Sequence[FoundRow]) -> list[tuple[FoundRow, str, bytes]]:
        """Add files in the state `found`; see `add`. The other file comes with its path, too."""
        with self._changing():
            clashes = self._insert([(*row, FOUND, None, None, None) for row in rows])
            return [(rows[place], name, path) for place, name, path in clashes]

    def _insert(self, rows: Sequence[tuple[Any, ...]]) -> Sequence[tuple[int, str, bytes]]:
        """Insert rows; return the places of those that clash, with name and path of the other."""
        self._db.execute("SAVEPOINT page")
        clashes: list[tuple[int, str, bytes]] = []
        if self._db.executemany(_INSERT, rows).rowcount < len(rows):
            # That is rare; which of them clash, only single ones tell.
            self._db.execute("ROLLBACK TO page")
            clashes += self._insert_singly(rows)
        self._db.execute("RELEASE page")
        return clashes

    def _insert_singly(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[int, str, bytes]]:
        for place, row in enumerate(rows):
            if not self._db.execute(_INSERT, row).rowcount:
                _, _, key, unit, role, *_ = row
                name, path = self._db.execute(
                    "SELECT name, path FROM file WHERE key = ? OR (unit = ? AND role = ?)",
                    (key, unit, role),
                ).fetchone()
                yield place, name, path

    def update(self, files: Iterable[SourceFile]) -> None:
        """Update files in the manifest: everything but name, key, unit and role.

        A file may get another path, with the size and the time of the file there: that one is read
        from then on, and stored under the same key.
        """
        with self._changing():
            self._db.executemany(_UPDATE, map(_changed, files))

    def settle(self, state: str, first: int, last: int, but: Collection[int] = ()) -> None:
        """Give the files that were found a state, by their numbers from `first` to `last`.

        Args:
            state: The state.
            first: The number of the first file.
            last: That of the last one.
            but: The numbers of files that keep theirs.
        """
        others = f"AND id NOT IN ({', '.join(map(str, but))})" if but else ""
        with self._changing():
            self._db.execute(
                f"UPDATE file SET state = ? WHERE id BETWEEN ? AND ? AND state = ? {others}",
                (state, first, last, FOUND),
            )

    def reopen_files(self) -> None:
        """Reset the states of the valid files, as if they had just been found."""
        with self._changing():
            self._db.execute(
                # The version of what is not settled is that of an object to be fetched.
                "UPDATE file SET state = ?, problem = NULL, etag = NULL,"
                f" version = iif({_in(UNSETTLED)}, version, NULL) WHERE state <> ?",
                (FOUND, INVALID),
            )
            self.forget_notes(INCOMPLETE)

    def clear(self) -> None:
        """Forget all files."""
        with self._changing():
            for table in ("file", "oddity"):
                self._db.execute(f"DELETE FROM {table}")

    def numbered_keys(self, *states: str) -> Iterator[list[tuple[int, str]]]:
        """Yield pages of the numbers and keys of files in these states, as they were found."""
        return self._pages(
            f"SELECT id, key FROM file WHERE id > ? AND {_in(states)} ORDER BY id", 0
        )

    def _pages(self, select: str, last: int | str, *values: str) -> Iterator[list[Any]]:
        """Yield the rows of a SELECT in pages, each from the first column of the last row on."""
        while rows := self._rows(f"{select} LIMIT {PAGE}", (last, *values)):
            yield rows
            if len(rows) < PAGE:
                return
            last = rows[-1][0]

    def files(
        self,
        *states: str,
        largest: int | None = None,
        first: int = 1,
        last: int | None = None,
    ) -> Iterator[SourceFile]:
        """Yield the files, or those in `states`, in the order in which they were found.

        Args:
            states: The states.
            largest: Only files of up to this number of bytes.
            first: Only files from this number on.
            last: Only files up to this number.
        """
        among = f" AND {_in(states)}" if states else ""
        if largest is not None:
            among += f" AND size <= {largest}"
        if last is not None:
            among += f" AND id <= {last}"
        while True:
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM file WHERE id >= ?{among} ORDER BY id LIMIT {PAGE}",
                (first,),
            ).fetchall()
            yield from map(_file, rows)
            if len(rows) < PAGE:
                return
            first = rows[-1][-1] + 1

    def count(self, *states: str) -> int:
        """Return the number of files, or of those in `states`."""
        return self.totals(*states)[0]

    def totals(self, *states: str) -> tuple[int, int]:
        """Return the number of files in `states` (or of all), and their bytes."""
        if self._totals is None:
            by_state = "SELECT state, count(*), sum(size) FROM file GROUP BY state"
            self._totals = {state: totals for state, *totals in self._db.execute(by_state)}
        found = [self._totals.get(each, (0, 0)) for each in {*(states or self._totals)}]
        return sum(count for count, _ in found), sum(size for _, size in found)

    def _among(self, states: Sequence[str]) -> str:
        """Return the condition for files in `states`; none and all are found without a look."""
        count = self.count(*states)
        return _in(states) if 0 < count < self.count() else str(int(count > 0))

    def largest(self, most: int, *states: str) -> list[tuple[str, int]]:
        """Return the keys and sizes of the largest files in `states`, the largest first."""
        among = self._among(states)
        found = self._db.execute(
            f"SELECT key, size FROM file WHERE {among} ORDER BY size DESC, key LIMIT {most}"
        )
        return [(str(key), int(size)) for key, size in found]

    def problems(self, *kinds: str) -> Iterator[tuple[str, str]]:
        """Yield `(name, why)` of invalid files, and of those left alone, by name.

        Args:
            kinds: The kinds of the files left alone.
        """
        # No pages: nothing is changed meanwhile.
        yield from self._db.execute(
            "SELECT name, coalesce(problem, 'it is not valid') FROM file"
            f" WHERE {self._among([INVALID])} UNION ALL"
            f" SELECT name, why FROM oddity WHERE kind IN ({', '.join('?' * len(kinds))})"
            " ORDER BY name",
            kinds,
        )

    def outcomes(self, *among: str, match: str | None = None) -> Iterator[FileOutcome]:
        """Yield what the run has done so far with each file, in the order in which it found them.

        Args:
            among: Only these outcomes; see `OUTCOMES`.
            match: Only keys that this glob pattern of SQLite matches.
        """
        for select, place in selects_of(among or OUTCOMES):
            fits = "" if match is None else "AND key GLOB ?2"
            select = f"{select} AND {place} > ?1 {fits} ORDER BY {place}"
            given = () if match is None else (match,)
            for rows in self._pages(select, "" if place == "key" else 0, *given):
                yield from (FileOutcome(*values) for _, *values in rows)

    def outcome_totals(self) -> dict[str, tuple[int, int]]:
        """Return the number of files with each outcome that there is, and their bytes."""
        found = {word: self.totals(*states) for word, states in OUTCOMES.items() if states}
        count, size = found["left-out"]
        found["left-out"] = (count + sum(self.oddity_counts().values()), size)
        [found["deleted"]] = self._rows("SELECT count(*), coalesce(sum(size), 0) FROM deleted")
        return {word: each for word, each in found.items() if each[0] and word != "invalid"}

    # Data units

    def count_units(self, *states: str) -> int:
        """Return the number of data units with a file in `states`, or with any file."""
        among = self._complete(self._among(states))  # Of all files, an index has it.
        row = self._db.execute(f"SELECT count(DISTINCT unit) FROM file WHERE {among}").fetchone()
        return int(row[0])

    def units(self, location: str, *states: str) -> Iterator[DataUnit]:
        """Yield the data units, by name, with their files in `states` and their metadata.

        Args:
            location: URL of the target, without a slash at its end.
            states: The states of the files; those that are stored unless given.
        """
        among = self._complete(_in(states or STORED))
        unit = role = ""
        gathered: list[SourceFile] = []
        while True:
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM file WHERE (unit, role) > (?, ?) AND {among}"
                f" ORDER BY unit, role LIMIT {PAGE}",
                (unit, role),
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

    def listing(self, location: str) -> Listing:
        """Return the data units with stored files, to be registered; the same as from `units`.

        And what was deleted.

        Args:
            location: URL of the target, without a slash at its end.
        """
        stored = self._complete(self._among(STORED), "listing.")
        place = f"{_literal(f'{location}/')} || key"
        return Listing(
            path=self.path,
            units=self._listed_units(stored),
            files=f"SELECT unit, role, name, {place}, key, size,"
            f" coalesce(sha256, ''), etag FROM listing.file WHERE {stored}",
            removed=f"SELECT {place} FROM listing.deleted" if self.count_deleted() else "",
            left_out=self.count(LEFT_OUT),
        )

    def incomplete_units(self, roles: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
        """Yield each unit in which some of `roles` are missing, with those, by name."""
        select = (
            "SELECT unit, group_concat(role, char(0)) FROM file WHERE unit > ?"
            f" AND NOT {_in((INVALID, LEFT_OUT))} GROUP BY unit ORDER BY unit"
        )
        for unit, there in chain.from_iterable(self._pages(select, "")):
            missing = [role for role in roles if role not in there.split("\0")]
            if missing:
                yield unit, missing

    def _complete(self, among: str, schema: str = "") -> str:
        """Return the condition for files `among` others without those of incomplete units."""
        if INCOMPLETE not in self.oddity_counts():
            return among
        incomplete = f"SELECT name FROM {schema}oddity WHERE kind = '{INCOMPLETE}'"
        return f"{among} AND unit NOT IN ({incomplete})"

    def files_of(self, unit: str) -> list[SourceFile]:
        """Return the files of one data unit."""
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM file WHERE unit = ?", (unit,))
        return [_file(row) for row in rows]

    # Many at once, without an object for each

    def keys(self, *states: str) -> Iterator[list[str]]:
        """Yield the keys of the files in `states`, in pages."""
        rows = self._db.execute(f"SELECT key FROM file WHERE {self._among(states)}")
        while page := rows.fetchmany(PAGE):
            yield [key for (key,) in page]

    def above_others(self) -> Iterator[list[tuple[int, str]]]:
        """Yield the numbers of found files whose keys are folders of others, with one of those."""
        return self._pages(
            "SELECT id, (SELECT key FROM file WHERE key > f.key || '/' AND key < f.key || '0')"
            f" AS other FROM file f WHERE id > ? AND {_in((FOUND,))} AND other NOTNULL ORDER BY id",
            0,
        )

    def extent(self, *states: str) -> tuple[int, str, str]:
        """Return the number of the keys of a `WantedList`, the first and the last of them."""
        row = self._db.execute(
            "SELECT count(*), coalesce(min(key), ''), coalesce(max(key), '') FROM ("
            f"SELECT key FROM file WHERE {self._among(states)} UNION ALL SELECT key FROM missing)"
        ).fetchone()
        return int(row[0]), str(row[1]), str(row[2])

    def wanted_lines(self, *states: str) -> Iterator[str]:
        """Yield the lines of a `WantedList` of the files in `states`, with unknown digests.

        And of what is to be deleted.
        """
        return self._lines("key, NULL", states, emptied="key, ''", among="missing")

    def held_lines(self, *states: str, emptied: bool = False) -> Iterator[str]:
        """Yield the lines of a `HeldList` of what is at the target for the files in `states`.

        Args:
            states: The states.
            emptied: Whether to say of what was deleted that nothing is there.
        """
        nothing = f"key, {NOTHING}, NULL, NULL" if emptied else ""
        return self._lines("key, size, nullif(sha256, ''), etag", states, emptied=nothing)

    def _lines(
        self, values: str, states: Sequence[str], emptied: str, among: str = "deleted"
    ) -> Iterator[str]:
        more = f" UNION ALL SELECT json_array({emptied}) FROM {among}" if emptied else ""
        rows = self._db.execute(
            f"SELECT json_array({values}) AS line FROM file WHERE {self._among(states)}{more}"
            " ORDER BY line"
        )
        return map(itemgetter(0), rows)

    # What is deleted at the target

    def lacking(self, keys: Sequence[str]) -> list[str]:
        """Return those of many keys under which no file was found, and that are not noted yet."""
        rows = self._db.execute(
            "SELECT value FROM json_each(?)"
            " WHERE NOT EXISTS (SELECT 1 FROM file WHERE file.key = value)"
            " AND NOT EXISTS (SELECT 1 FROM missing WHERE missing.key = value)",
            (json.dumps(keys),),
        )
        return [key for (key,) in rows]

    def note_missing(self, found: Iterable[Listed], instead_of: Sequence[str] | None = ()) -> None:
        """Note objects to be deleted, instead of what was noted under some keys; None for all."""
        values = [
            (e.key, e.size, e.sha256 if isinstance(e, Stored) else None, e.etag) for e in found
        ]
        with self._transaction():
            if instead_of is None:
                self._db.execute("DELETE FROM missing")
            else:
                forgotten = [(key,) for key in instead_of]
                self._db.executemany("DELETE FROM missing WHERE key = ?", forgotten)
            self._db.executemany("INSERT INTO missing VALUES (?, ?, ?, ?, 0)", values)

    def note_gone(self, keys: Iterable[str], emptied: Collection[str]) -> None:
        """Note under which of some keys, all of which were to be emptied, is nothing now."""
        with self._transaction():
            given = ((key in emptied, key) for key in keys)
            self._db.executemany("UPDATE missing SET gone = ? WHERE key = ?", given)

    def missing_lines(self) -> Iterator[str]:
        """Yield the lines of a `WantedList` of what is to be deleted, which may be changed."""
        # They are put in order, so all are read before the first one is yielded.
        rows = self._db.execute("SELECT json_array(key, '') AS line FROM missing ORDER BY line")
        return map(itemgetter(0), rows)

    def missing(self) -> Iterator[list[tuple[str, int]]]:
        """Yield the keys and sizes of what is to be deleted, in pages."""
        return self._pages("SELECT key, size FROM missing WHERE key > ? ORDER BY key", "")

    def count_missing(self, among: Sequence[str] | None = None) -> int:
        """Return the number of objects that are to be deleted, or of those among some keys."""
        which = "" if among is None else "WHERE key IN (SELECT value FROM json_each(?))"
        given = () if among is None else (json.dumps(among),)
        [[count]] = self._db.execute(f"SELECT count(*) FROM missing {which}", given)
        return int(count)

    def count_deleted(self) -> int:
        """Return the number of those that the run has deleted."""
        return int(self._db.execute("SELECT count(*) FROM deleted").fetchone()[0])


def _in(states: Sequence[str]) -> str:
    return f"state IN ({', '.join(map(_literal, states))})"
