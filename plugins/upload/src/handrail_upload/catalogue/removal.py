"""Removes the changes of a run, and keeps those of others.

A row and the values of it that were replaced are like a stack: each run that changed the row, or
removed it, has its layer there. Undo takes out the layer of its run, wherever it is: under others',
it is as if it had never been; on top, the next one becomes visible; and with the last one the row
goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from handrail.frozen import frozen
from handrail_upload.catalogue import removed_rows
from handrail_upload.catalogue.database import Database
from handrail_upload.catalogue.rows import Removed


@frozen
class _Layers:
    """A table, the table of its replaced values, their column with its id, and the values."""

    table: str
    replaced: str
    link: str
    values: tuple[str, ...]

    def change(self, database: Database, statement: str, rows: str, **values: object) -> None:
        """Execute a statement about the rows that a temporary table names."""
        names = {
            "table": self.table,
            "replaced": self.replaced,
            "link": self.link,
            "rows": rows,
            "values": ", ".join(self.values),
            "visible": ", ".join(f"{self.table}.{name}" for name in self.values),
            "changes": ", ".join(f"{name} = r.{name}" for name in self.values),
        }
        database.change(statement.format(**names), **values)


_UNITS = _Layers(
    table="handrail_data_unit",
    replaced="handrail_replaced_unit",
    link="unit",
    values=("metadata", "published", "run"),
)
_FILES = _Layers(
    table="handrail_data_file",
    replaced="handrail_replaced_file",
    link="file",
    values=("name", "location", "key", "size", "sha256", "etag", "published", "run"),
)

_COLLECTIONS = """
    SELECT name FROM handrail_collection
    WHERE id IN (SELECT collection FROM handrail_published WHERE run = :run) {more}
    ORDER BY name
"""
_MORE = """
    OR id IN (
        SELECT u.collection FROM file_in_place p
        JOIN handrail_data_file f ON f.location = p.location
        JOIN handrail_data_unit u ON u.id = f.unit
    )
"""

# Of the values that describe what is there, the newest; and those of the unit that came with them.
_HIDDEN_FILES = """
    INSERT INTO hidden_file (id, layer)
    SELECT f.id, max(r.id) FROM file_in_place p
    JOIN handrail_data_file f ON f.location = p.location
    JOIN handrail_replaced_file r ON r.file = f.id
    WHERE r.location = p.location AND r.sha256 = p.sha256 AND f.sha256 <> p.sha256
    GROUP BY f.id
"""
_HIDDEN_UNITS = """
    INSERT INTO hidden_unit (id, layer)
    SELECT u.unit, max(u.id) FROM hidden_file p
    JOIN handrail_replaced_file r ON r.id = p.layer
    JOIN handrail_data_file f ON f.id = p.id
    JOIN handrail_replaced_unit u ON u.unit = f.unit AND u.run = r.run
    GROUP BY u.unit
"""
# A layer is taken out from where it is, and put on top.
_RAISE_LAYERS = (
    "UPDATE {replaced} SET replaced_by = ("
    "SELECT mine.replaced_by FROM {rows} p JOIN {replaced} mine ON mine.id = p.layer"
    " WHERE p.id = {replaced}.{link})"
    " WHERE id IN (SELECT max(below.id) FROM {rows} p JOIN {replaced} below"
    " ON below.{link} = p.id AND below.id < p.layer GROUP BY p.id)",
    "INSERT INTO {replaced} ({link}, {values}, replaced_by)"
    " SELECT {table}.id, {visible}, r.run FROM {rows} p JOIN {table} ON {table}.id = p.id"
    " JOIN {replaced} r ON r.id = p.layer ORDER BY p.id",
    "UPDATE {table} SET {changes} FROM {rows} p JOIN {replaced} r ON r.id = p.layer"
    " WHERE p.id = {table}.id",
    "DELETE FROM {replaced} WHERE id IN (SELECT layer FROM {rows})",
)


# The layers of a run under the rows of these ids, wherever they are, become those of another run.
_PASS_LAYERS = (
    "UPDATE {replaced} SET replaced_by = p.run FROM {rows} p"
    " WHERE p.id = {replaced}.{link} AND replaced_by = :run",
    "UPDATE {replaced} SET run = p.run FROM {rows} p"
    " WHERE p.id = {replaced}.{link} AND {replaced}.run = :run",
    "UPDATE {table} SET run = p.run FROM {rows} p WHERE p.id = {table}.id AND {table}.run = :run",
)
_HAS_FILES = """
    SELECT 1 FROM handrail_data_file WHERE run = :run
    UNION ALL
    SELECT 1 FROM handrail_replaced_file WHERE run = :run
    LIMIT 1
"""
_PASSED_FILES = """
    INSERT INTO passed_file (id, run)
    SELECT f.id, p.run FROM handrail_data_file f JOIN passed_key p ON p.key = f.key
    WHERE f.run = :run
    UNION
    SELECT r.file, p.run FROM handrail_replaced_file r JOIN passed_key p ON p.key = r.key
    WHERE r.run = :run
"""
_PASSED_TO = """
    INSERT INTO handrail_published
    SELECT DISTINCT p.run, u.collection, 0, 0, 0, 0, 0, 0, 0 FROM passed_file p
    JOIN handrail_data_file f ON f.id = p.id
    JOIN handrail_data_unit u ON u.id = f.unit
"""
_PASSED_UNITS = """
    INSERT INTO passed_unit (id, run)
    SELECT f.unit, min(p.run) FROM passed_file p JOIN handrail_data_file f ON f.id = p.id
    GROUP BY f.unit
"""


def remove(
    database: Database,
    run: str,
    passing_on: Iterable[tuple[str, str]] = (),
    in_place: Iterable[tuple[str, str]] = (),
) -> Removed:
    """Take back all that `run` has published, but for what other runs rely on.

    Args:
        database: The database.
        run: The run.
        passing_on: Keys of files that stay, each with the run that relies on it.
        in_place: Locations of files that stay where it had replaced others, each with its SHA-256.
    """
    passing_on, in_place = _begun(passing_on), _begun(in_place)
    with database.transaction():
        database.lock("run", run)
        if in_place:
            _make(database, "file_in_place", "location {text} PRIMARY KEY, sha256 {text}")
            database.fill("file_in_place", in_place)
        # In the order of names, so that two of us do not wait for each other.
        for (name,) in database.rows(_COLLECTIONS.format(more=_MORE if in_place else ""), run=run):
            database.lock("collection", name)
        shown = removed_rows.show_of_run(database, run)
        # A run that found all files registered has none, and relies on many.
        if passing_on and database.rows(_HAS_FILES, run=run):
            _pass_on(database, run, passing_on)
        files_restored = _take_layer(database, _FILES, run)
        files_removed = database.change("DELETE FROM handrail_data_file WHERE run = :run", run=run)
        units_restored = _take_layer(database, _UNITS, run)
        units_removed = _remove_empty(
            database, run, table="handrail_data_unit", child="handrail_data_file", link="unit"
        )
        if in_place:  # Else nothing is written, for which there may be no space on the disk.
            _raise_hidden(database)
        hidden = removed_rows.hide(database)
        database.change("DELETE FROM handrail_published WHERE run = :run", run=run)
        _remove_empty(
            database,
            run,
            table="handrail_collection",
            child="handrail_published",
            link="collection",
        )
    # Rows that were removed come back, go, or stay so; and others that were published anew are
    # removed once more.
    return Removed(
        units_removed=max(0, units_removed + hidden[0] - shown[0]),
        units_restored=max(0, units_restored - hidden[0] + max(0, shown[0] - units_removed)),
        files_removed=max(0, files_removed + hidden[1] - shown[1]),
        files_restored=max(0, files_restored - hidden[1]),
    )


def _begun(rows: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Return `rows` once the first is known: to find it may take long, and blocks nobody yet."""
    left = iter(rows)
    first = next(left, None)
    return () if first is None else chain((first,), left)


def _pass_on(database: Database, run: str, passed: Iterable[tuple[str, str]]) -> None:
    """Let rows of a run, and what it has replaced, become those of the runs that rely on them."""
    _make(database, "passed_key", "key {text} PRIMARY KEY, run {text}")
    _make(database, "passed_file", "id {integer} PRIMARY KEY, run {text}")
    _make(database, "passed_unit", "id {integer} PRIMARY KEY, run {text}")
    database.fill("passed_key", passed)
    database.change(_PASSED_FILES, run=run)
    database.change(_PASSED_UNITS)
    database.change(_PASSED_TO)
    for statement in _PASS_LAYERS:
        _FILES.change(database, statement, "passed_file", run=run)
        _UNITS.change(database, statement, "passed_unit", run=run)
    for table in ("passed_key", "passed_file", "passed_unit"):
        database.change(f"DROP TABLE {table}")


def _make(database: Database, table: str, columns: str) -> None:
    columns = columns.format(**database.types)
    database.change(f"CREATE TEMPORARY TABLE {table} ({columns})")


def _raise_hidden(database: Database) -> None:
    """Let the values that describe what is there become visible, over those that do not."""
    _make(database, "hidden_file", "id {integer} PRIMARY KEY, layer {integer}")
    _make(database, "hidden_unit", "id {integer} PRIMARY KEY, layer {integer}")
    database.change(_HIDDEN_FILES)
    database.change(_HIDDEN_UNITS)
    for statement in _RAISE_LAYERS:
        _FILES.change(database, statement, "hidden_file")
        _UNITS.change(database, statement, "hidden_unit")
    for table in ("file_in_place", "hidden_file", "hidden_unit"):
        database.change(f"DROP TABLE {table}")


def _take_layer(database: Database, layers: _Layers, run: str) -> int:
    """Take the layer of `run` out of each row; return the number of rows where it was visible."""
    table, replaced, link = layers.table, layers.replaced, layers.link
    # Layers are looked up by their row, of which each has a few. Adding nothing to a run and an id
    # keeps a database from going through all layers of the run instead, or through all ids in their
    # order; and a subquery of one value is never made a join.
    above = (
        f"(SELECT mine.replaced_by FROM {replaced} mine WHERE mine.{link} = {replaced}.{link}"
        f" AND mine.run || '' = :run AND mine.id + 0 > {replaced}.id ORDER BY mine.id + 0 LIMIT 1)"
    )
    database.change(
        f"UPDATE {replaced} SET replaced_by = {above}"
        f" WHERE replaced_by = :run AND {above} IS NOT NULL",
        run=run,
    )
    database.change(f"DELETE FROM {replaced} WHERE run = :run", run=run)
    # The values that this run still replaces are those it covered while it was on top.
    values = ", ".join(f"{name} = r.{name}" for name in layers.values)
    restored = database.change(
        f"UPDATE {table} SET {values} FROM {replaced} r"
        f" WHERE r.replaced_by = :run AND r.{link} = {table}.id AND {table}.run || '' = :run",
        run=run,
    )
    database.change(f"DELETE FROM {replaced} WHERE replaced_by = :run", run=run)
    return restored


def _remove_empty(database: Database, run: str, *, table: str, child: str, link: str) -> int:
    """Delete the rows of `run` that have no children; others become those of a child's run."""
    children = f"FROM {child} WHERE {child}.{link} = {table}.id"
    removed = database.change(
        f"DELETE FROM {table} WHERE run = :run AND NOT EXISTS (SELECT 1 {children})", run=run
    )
    database.change(
        f"UPDATE {table} SET run = (SELECT min({child}.run) {children}) WHERE run = :run", run=run
    )
    return removed
