"""Finds and creates the tables of a catalogue, and checks whose they are."""

from __future__ import annotations

from handrail_upload.catalogue.database import Database, NotACatalogueError, TablesGoneError
from handrail_upload.catalogue.schema import MAKING, MARKER, MARKER_COLUMNS, TABLES, VERSION
from handrail_upload.errors import CatalogueError

_LEFT = " left "  # After the run that has made the tables, where it is undone; none has a space.


def version_of(database: Database) -> int:
    """Return the version of the tables in `database`; 0 for none.

    Raises:
        NotACatalogueError: The tables are not those of a catalogue.
        CatalogueError: Some are missing, or they are of a newer version than ours.
    """
    try:
        return _version(database)
    except TablesGoneError:
        return _version(database)  # They were dropped meanwhile, all at once.


def _version(database: Database) -> int:
    there, marker = _found(database)
    if len(there) not in (0, len(TABLES)) or bool(marker) != bool(there):
        # Others create and drop them all at once, maybe between two queries.
        there, marker = _found(database)
    if not marker and not there:
        return 0
    if not there or marker != MARKER_COLUMNS:
        table = there[0] if there else MARKER
        raise NotACatalogueError(
            f"{database.shown} has a table {table} that is not of a catalogue of handrail-upload",
            ways_out=(
                "name another database; nothing in this one was touched",
                "in PostgreSQL, another schema will do: ?options=-csearch_path%3DNAME",
            ),
        )
    missing = [table for table in TABLES if table not in there]
    found = database.rows(f"SELECT version FROM {MARKER}")
    if missing or len(found) != 1:
        raise CatalogueError(
            f"the catalogue {database.shown} is damaged: "
            + (f"{missing[0]} is missing" if missing else f"{MARKER} has {len(found)} rows"),
            ways_out=("restore it from a backup, or name another database",),
        )
    version = int(found[0][0])
    if version > VERSION:
        raise CatalogueError(
            f"the catalogue {database.shown} has version {version}; "
            f"this handrail-upload knows versions up to {VERSION}",
            ways_out=("pip install --upgrade handrail-upload",),
        )
    return version


def _found(database: Database) -> tuple[list[str], tuple[str, ...]]:
    found = database.columns((*TABLES, MARKER))
    marker = tuple(name for table, name in found if table == MARKER)
    return sorted({table for table, _ in found} - {MARKER}, key=TABLES.index), marker


def make_tables(database: Database, run: str) -> None:
    """Create the tables in one transaction, unless they are there."""
    with database.transaction():
        database.lock("making")
        if version_of(database):  # Under the lock no other process can create them.
            return
        for statement in MAKING:
            database.change(statement.format(**database.types))
        database.change(
            f"INSERT INTO {MARKER} (version, created, run) VALUES (:version, :now, :run)",
            version=VERSION,
            now=database.now(),
            run=run,
        )


def maker_of(database: Database) -> tuple[str, str]:
    """Return the run that has created the tables, and what of it was left to other runs.

    That is empty unless the run was undone while others had rows there.
    """
    ((run,),) = database.rows(f"SELECT run FROM {MARKER}")
    maker, _, left = str(run).partition(_LEFT)
    return maker, left


def leave_to_others(database: Database, what: str) -> None:
    """Note that the run which has created the tables is undone, and what goes with the last rows.

    Args:
        database: The database.
        what: That part: the tables, or the file.
    """
    maker, _ = maker_of(database)
    database.change(f"UPDATE {MARKER} SET run = :run", run=f"{maker}{_LEFT}{what}")


def identity_of(database: Database) -> str:
    """Return a text that no other catalogue has: who has made its tables, and when."""
    ((created,),) = database.rows(f"SELECT created FROM {MARKER}")
    return f"{maker_of(database)[0]} {created}"
