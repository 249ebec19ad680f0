"""Removes the changes of a run, and keeps those of others.

A row and the values of it that were replaced are like a stack: each run that changed the row has
its layer there. Undo takes out the layer of its run, wherever it is: under others', it is as if it
had never been; on top, the next one becomes visible; and with the last one the row goes.
"""

from __future__ import annotations

from dataclasses import dataclass

from handrail_upload.catalogue.database import Database
from handrail_upload.catalogue.rows import Removed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layers:
    """A table, the table of its replaced values, their column with its id, and the values."""

    table: str
    replaced: str
    link: str
    values: tuple[str, ...]


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
    WHERE run = :run
    OR id IN (SELECT collection FROM handrail_data_unit WHERE run = :run)
    OR id IN (
        SELECT u.collection FROM handrail_replaced_unit r JOIN handrail_data_unit u ON u.id = r.unit
        WHERE r.run = :run
    )
    ORDER BY name
"""


def remove(database: Database, run: str) -> Removed:
    """Take back all that `run` has published."""
    with database.transaction():
        database.lock_run(run)
        # In the order of names, so that two of us do not wait for each other.
        for (name,) in database.rows(_COLLECTIONS, run=run):
            database.lock_collection(name)
        files_restored = _take_layer(database, _FILES, run)
        files_removed = database.change("DELETE FROM handrail_data_file WHERE run = :run", run=run)
        units_restored = _take_layer(database, _UNITS, run)
        units_removed = _remove_empty(
            database, run, table="handrail_data_unit", child="handrail_data_file", link="unit"
        )
        _remove_empty(
            database,
            run,
            table="handrail_collection",
            child="handrail_data_unit",
            link="collection",
        )
    return Removed(
        units_removed=units_removed,
        units_restored=units_restored,
        files_removed=files_removed,
        files_restored=files_restored,
    )


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
