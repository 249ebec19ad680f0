"""Creates the file and the tables of a catalogue before its first run, and removes them again."""

from __future__ import annotations

import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from handrail_storage.backend import flush_folder
from handrail_upload.catalogue.address import SqliteAddress
from handrail_upload.catalogue.database import Database, NotACatalogueError
from handrail_upload.catalogue.sqlite import SqliteDatabase
from handrail_upload.catalogue.tables import leave_to_others, make_tables, maker_of, version_of
from handrail_upload.errors import CatalogueError

FILE = "file"
TABLES_MADE = "tables"

_BESIDE = ("-journal", "-wal", "-shm")  # Suffixes that SQLite appends to the name of a file.


def missing(database: Database) -> list[str]:
    """Return the parts that `prepare` would create: `file`, `tables`."""
    if not database.exists():
        return [FILE, TABLES_MADE]
    return [] if version_of(database) else [TABLES_MADE]


def prepare(database: Database, run: str) -> None:
    """Create the missing parts, marked as created by `run`."""
    if isinstance(database, SqliteDatabase) and not database.exists():
        _make_file(database, run)
    if missing(database):
        database.patiently(lambda: make_tables(database, run))


def withdraw(database: Database, run: str, made: Collection[str]) -> None:
    """Remove the parts that `prepare` has created for `run`, unless they are in use.

    Args:
        database: The database.
        run: The run.
        made: The earlier result of `missing`: with `file`, the file itself may be deleted.
    """
    if isinstance(database, SqliteDatabase):
        _remove_draft(database, run)
    with suppress(NotACatalogueError):  # Not created by us, so not ours to remove.
        if TABLES_MADE in made and database.exists() and version_of(database):
            if isinstance(database, SqliteDatabase) and FILE in made and not database.has_others():
                _remove_file(database, run)
            else:
                database.patiently(lambda: _remove_tables(database, run))


def withdraw_abandoned(database: Database) -> None:
    """Remove tables, or a file, with nothing in it that the run which made it has had to leave.

    They stay if another program uses them: nobody's undo depends on that.
    """
    with suppress(CatalogueError):
        if not (database.exists() and version_of(database)):
            return
        maker, left = maker_of(database)
        if left and database.is_empty():
            withdraw(database, maker, left.split())


def _remove_tables(database: Database, run: str) -> None:
    with database.transaction(alone=True):
        database.lock("making")
        if not version_of(database) or maker_of(database)[0] != run:
            return
        if not database.drop():
            leave_to_others(database, TABLES_MADE)


def _make_file(database: SqliteDatabase, run: str) -> None:
    """Create the whole file under another name, then give it its own name atomically.

    So a file of that name is never ours by mistake: if it has our mark, we have created it.
    """
    draft = _draft(database, run)
    _remove_draft(database, run)
    address = SqliteAddress(path=draft, shown=database.shown)
    making = SqliteDatabase(address, database.timeout, create=True)
    try:
        make_tables(making, run)
        making.close()
        with suppress(FileExistsError):  # Another process was faster.
            os.link(draft, database.path)
            flush_folder(database.path.parent)
    except OSError as error:
        raise CatalogueError(f"{database.shown} cannot be made: {error.strerror}") from error
    finally:
        making.close()
        _remove_draft(database, run)


def _draft(database: SqliteDatabase, run: str) -> Path:
    return database.path.with_name(f"{database.path.name}.tmp-{run}")


def _remove_draft(database: SqliteDatabase, run: str) -> None:
    draft = _draft(database, run)
    for path in (draft, *(Path(f"{draft}{end}") for end in _BESIDE)):
        with suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()


def _remove_file(database: SqliteDatabase, run: str) -> None:
    """Remove the file that a run has made, or leave it to those who use it."""
    if database.rows("PRAGMA journal_mode") == [("wal",)]:
        # Its mode was changed since. Its content must not depend on a file beside it.
        database.rows("PRAGMA journal_mode = DELETE")
    with database.transaction(alone=True):
        ours = maker_of(database)[0] == run
        if ours and database.is_empty() and not database.has_others():
            # Under the lock: a process that waits for it finds the file deleted. A killed process
            # may have left a journal, which has nothing to recover.
            for end in ("-journal", ""):
                Path(f"{database.path}{end}").unlink(missing_ok=True)
            flush_folder(database.path.parent)
        elif ours:
            leave_to_others(database, f"{FILE} {TABLES_MADE}")
    database.close()
