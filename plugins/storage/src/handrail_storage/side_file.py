"""SideFile: the SQLite file of a run in the state folder, opened carefully; its errors name it."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import weakref
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar, NoReturn
from urllib.parse import quote

from handrail.errors import HandrailError
from handrail_storage.manifests import manifest_files, remove_manifest

__all__ = ["TIMEOUT", "SideFile", "as_it_stands"]

TIMEOUT = 5.0  # Seconds to wait for other processes.
_ABOUT = "CREATE TABLE IF NOT EXISTS about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"


class SideFile:
    """An SQLite file with the description of a run, and the tables of a pack.

    Used by one thread at a time. A pack derives its own, with these class attributes.

    Args:
        path: The file.
        make: Whether to create it, with the folders above it, if it does not exist.

    Attributes:
        error: The class of the errors.
        what: What it is for people, such as `list of files`.
        whose: What it is of, such as `an upload`.
        distribution: The one that makes it.
        schema: The statements that create its tables, besides that of the description.
        synchronous: How changes are flushed before `keep`; `OFF` survives a kill only.
        way_out: What to do if it cannot be written.
        way_out_of_reading: What to do if it cannot be read.

    Raises:
        HandrailError: The file cannot be opened or created, is none of these, or is of a newer
            version; raises the class of the pack.
    """

    error: ClassVar[type[HandrailError]]
    what: ClassVar[str]
    whose: ClassVar[str]
    distribution: ClassVar[str]
    schema: ClassVar[str]
    synchronous: ClassVar[str] = "NORMAL"
    version: ClassVar[int] = 1
    way_out: ClassVar[str] = "use another folder for it: --state-folder FOLDER"
    way_out_of_reading: ClassVar[str] = way_out

    def __init__(self, path: Path, *, make: bool = True) -> None:
        self.path = path
        self._way_out = self.way_out if make else self.way_out_of_reading
        if path.is_symlink():
            raise self.error(f"the {self.what} {path} is a link", ways_out=(self._way_out,))
        if not make and not path.is_file():
            raise self.error(f"there is no {self.what} {path}")
        with self._converting_errors():
            if make:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(
                path,
                timeout=TIMEOUT,
                isolation_level=None,
                check_same_thread=False,
                factory=_Connection,
            )
        self._db.unusable = self.error, f"the {self.what} {path} cannot be used", self._way_out
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
        if version > self.version:
            raise self.error(
                f"{self.path} was made by a newer version of {self.distribution}",
                ways_out=(f"pip install --upgrade {self.distribution}",),
            )
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_schema")}
        if "about" not in tables and (tables or not make):
            raise self.error(f"{self.path} is no {self.what} of {self.whose}")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {self.synchronous}")
        if version < self.version:
            # All tables or none, or after a kill it is no longer known to be one of ours.
            self._db.executescript(
                f"BEGIN IMMEDIATE; {_ABOUT} {self.schema}"
                f" PRAGMA user_version = {self.version}; COMMIT;"
            )

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return not self._closing.alive

    def close(self) -> None:
        """Close the file. Calling it twice is harmless."""
        self._closing()

    def remove(self) -> None:
        """Close the file and delete it, if it exists."""
        self.close()
        remove_manifest(self.path)

    def keep(self) -> None:
        """Make all changes survive a loss of power, not only of the process."""
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")
        self._db.execute(f"PRAGMA synchronous = {self.synchronous}")

    def describe(self, **values: Any) -> None:
        """Keep values of JSON types under their names; None takes one away."""
        with self._transaction():
            for name, value in values.items():
                if value is None:
                    self._db.execute("DELETE FROM about WHERE name = ?", (name,))
                else:
                    row = (name, json.dumps(value))
                    self._db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", row)

    def description(self) -> dict[str, Any]:
        """Return the values that `describe` has stored."""
        rows = self._rows("SELECT name, value FROM about")
        try:
            return {name: json.loads(value) for name, value in rows}
        except ValueError as error:
            raise self.error(f"the {self.what} {self.path} is damaged: {error}") from error

    def _rows(self, statement: str, values: Iterable[Any] = ()) -> list[Any]:
        """Return all rows of a result."""
        with self._converting_errors():
            return self._db.execute(statement, tuple(values)).fetchall()

    @contextmanager
    def _transaction(self) -> Generator[None]:
        """Execute the statements within it in one transaction, or in that which is open."""
        joins = self._db.in_transaction
        if joins:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        finally:
            # It may be over already: some errors, such as of a full disk, end it by themselves.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")

    @contextmanager
    def _converting_errors(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self.error(
                f"the {self.what} {self.path} cannot be used: {error}", ways_out=(self._way_out,)
            ) from error

    @classmethod
    def what_else(cls, path: Path, run: str | None) -> str | None:
        """Return a description of a file that is not that of a run; None if there is none.

        An empty SQLite file is the remains of a process that was killed while it created one.

        Args:
            path: The file.
            run: The run, as the description has it; None for any.
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
        if found is not None and not found[0]:
            return None
        if found is None or not found[0] >= {"about", "file"}:
            return f"no {cls.what} of {cls.whose}"
        whose = str(found[1])
        named = whose if whose.isprintable() else ascii(whose)
        return None if run is None or found[1] in (None, run) else f"the {cls.what} of {named}"


def as_it_stands(path: Path, how: str = "mode=ro&immutable=1") -> closing[sqlite3.Connection]:
    """Return an existing file, opened without a lock or a file beside it.

    Args:
        path: The file.
        how: The options of its URI.

    Raises:
        sqlite3.Error: The file cannot be opened.
    """
    return closing(sqlite3.connect(f"file:{quote(os.fsencode(path))}?{how}", uri=True))


def _found_in(path: Path, how: str) -> tuple[set[str], object] | None:
    """Return the tables in an SQLite file, and the run that it names, if any."""
    try:
        with as_it_stands(path, how) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_schema")}
            if "about" in tables:
                with suppress(sqlite3.Error, ValueError):
                    about = dict(database.execute("SELECT name, value FROM about"))
                    return tables, json.loads(about["run"]) if "run" in about else None
            return tables, None
    except sqlite3.Error:
        return None


class _Connection(sqlite3.Connection):
    """A connection whose errors name the file."""

    unusable: tuple[type[HandrailError], str, str]

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Execute a statement."""
        try:
            return super().execute(sql, parameters)
        except sqlite3.Error as error:
            self._convert(error)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Execute a statement for each of the parameters."""
        try:
            return super().executemany(sql, parameters)
        except sqlite3.Error as error:
            self._convert(error)

    def _convert(self, error: sqlite3.Error) -> NoReturn:
        kind, message, way_out = self.unusable
        raise kind(f"{message}: {error}", ways_out=(way_out,)) from error
