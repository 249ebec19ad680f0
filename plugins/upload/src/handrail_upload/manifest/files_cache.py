"""FilesCache: what files were like when they were last equal to their objects at a target.

As in the index of git and the files cache of borg, a file counts as unchanged if its device, inode,
size, time of modification and time of status change are those of the last time: only what has
changed is read. The cache is an SQLite file of its own beside the manifests, one for each target.

Nothing depends on it: where it is missing, locked or damaged, the files are read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from handrail_storage import versions_of
from handrail_storage.manifests import remove_manifest
from handrail_upload.errors import UploadError
from handrail_upload.manifest.notes import Notes
from handrail_upload.manifest.source_file import FOUND, UNCHANGED

if TYPE_CHECKING:
    from handrail_storage import Listed

GRAIN = 2 * 10**9
"""Nanoseconds within which a file may be written twice with one time; FAT has the coarsest ones."""

FILES_CACHE = "files"
"""The folder in the state folder for the files caches of its targets."""

_VERSION = 1
_SPARE = 100_000  # Files of others that are kept beside as many as a run has.

_STATUS = ("dev", "ino", "size", "mtime", "ctime")
_RESULT = ("sha256", "etag", "version")
_COLUMNS = ", ".join(("key", *_STATUS, *_RESULT))
_IS_SAME = " AND ".join(f"k.{name} = file.{name}" for name in ("key", *_STATUS))
# Two statements: UPDATE ... FROM with RETURNING takes as long again as both.
_FIND_KNOWN = (
    f"SELECT id, file.key, k.version, file.size FROM file JOIN cache.known k ON {_IS_SAME}"
    f" WHERE id BETWEEN ? AND ? AND state = '{FOUND}'"
)
_SETTLE = (
    f"UPDATE file SET state = '{UNCHANGED}', ({', '.join(_RESULT)}) ="
    f" (SELECT {', '.join(_RESULT)} FROM cache.known k WHERE k.key = file.key) WHERE id"
)
_SCHEMA = f"""
CREATE TABLE cache.known (
    key TEXT PRIMARY KEY,
    {", ".join(f"{name} INTEGER NOT NULL" for name in _STATUS)},
    sha256 TEXT NOT NULL,
    etag TEXT,
    version TEXT NOT NULL
) STRICT, WITHOUT ROWID
"""


class FilesCache(Notes):
    """A manifest that uses the files cache of its target, once it is told to.

    Attributes:
        from_cache: The number of files that it has found unchanged.
    """

    from_cache = 0
    _totals: dict[str, Sequence[int]] | None = None  # Number and bytes, by state.
    _has_cache = False
    _own: Path | None = None  # The file, if it may be made.

    @contextmanager
    def _changing(self) -> Generator[None]:
        """Change files in a transaction; after that, they are counted anew."""
        try:
            with self._transaction():
                yield
        finally:
            self._totals = None

    def use_cache(self, path: Path, *, make: bool = True) -> None:
        """Use a files cache.

        Args:
            path: The file.
            make: Whether to make it if it is not there, or is damaged.
        """
        self._own = path if make else None
        with suppress(OSError):
            if make:
                path.parent.mkdir(exist_ok=True)
            # What is no database is made anew, and not passed over for ever.
            for _ in range(2 if make else 1):
                if not self._has_cache and (make or path.is_file()):
                    with self._doing_without():
                        self._attach(path, make=make)

    def _attach(self, path: Path, *, make: bool) -> None:
        self._db.execute("ATTACH ? AS cache", (str(path),))
        (version,) = self._db.execute("PRAGMA cache.user_version").fetchone()
        if version != _VERSION and not make:
            self._detach()
            return
        if version != _VERSION:
            with self._transaction():
                self._db.execute("DROP TABLE IF EXISTS cache.known")
                self._db.execute(_SCHEMA)
                self._db.execute(f"PRAGMA cache.user_version = {_VERSION}")
        self._has_cache = True

    def _detach(self) -> None:
        self._has_cache = False
        with suppress(UploadError):  # It is not attached if that has failed.
            self._db.execute("DETACH cache")

    @contextmanager
    def _doing_without(self) -> Generator[None]:
        """Stop using the cache if it fails; then remove a damaged one, if it may be made."""
        try:
            yield
        except UploadError as error:
            self._detach()
            code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
            if self._own is not None and code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                remove_manifest(self._own)

    def settle_known(self, first: int, last: int, there: Mapping[str, Listed]) -> tuple[int, int]:
        """Note which files and objects are as they were when they were last stored or compared.

        Args:
            first: The number of the first file to look at; of those in the state `found`.
            last: That of the last one.
            there: The objects under the keys of these files.

        Returns:
            The number of files that are unchanged, and their bytes.
        """
        if self._has_cache:
            with self._doing_without(), self._changing():
                rows = self._db.execute(_FIND_KNOWN, (first, last)).fetchall()
                versions = versions_of(there)
                known = [row for row in rows if versions.get(row[1]) == row[2]]
                if len(known) == last - first + 1:
                    self._db.execute(f"{_SETTLE} BETWEEN ? AND ?", (first, last))
                else:
                    numbers = ", ".join(str(row[0]) for row in known)
                    self._db.execute(f"{_SETTLE} IN ({numbers})")
                self.from_cache += len(known)
                return len(known), sum(row[3] for row in known)
        return 0, 0

    def remember(self, *states: str, before: int) -> None:
        """Keep in the cache how the files in these states are.

        A file that had been written just before it was found is left out: it may have been written
        once more, with the same time, after it was read.

        Args:
            states: The states.
            before: When the search for files began, in nanoseconds since the epoch.
        """
        if not self._has_cache:
            return
        among = ", ".join("?" * len(states))
        with self._doing_without(), self._transaction():
            self._db.execute(
                f"INSERT OR REPLACE INTO cache.known ({_COLUMNS}) SELECT {_COLUMNS} FROM file"
                f" WHERE state IN ({among}) AND sha256 > '' AND version IS NOT NULL"
                f" AND dev + ino + ctime IS NOT NULL AND max(mtime, ctime) < ?"
                f" AND NOT EXISTS (SELECT 1 FROM cache.known k WHERE {_IS_SAME}"
                " AND k.version = file.version)",
                (*states, before - GRAIN),
            )
            counts = "SELECT (SELECT count(*) FROM cache.known), (SELECT count(*) FROM file)"
            known, files = self._db.execute(counts).fetchone()
            if known > 2 * files + _SPARE:
                self._db.execute("DELETE FROM cache.known WHERE key NOT IN (SELECT key FROM file)")


def forget_files_caches(state: Path) -> None:
    """Delete the files caches in a state folder."""
    folder = state / FILES_CACHE
    if folder.is_dir() and not folder.is_symlink():
        for path in folder.glob("*.db"):
            remove_manifest(path)
        with suppress(OSError):
            folder.rmdir()
