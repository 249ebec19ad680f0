"""Publishes all staged rows of a run at once."""

from __future__ import annotations

from handrail_upload.catalogue.database import Database
from handrail_upload.catalogue.rows import Published

# Only staged units are looked for by their run, and the rest by keys: a database that has just got
# a million rows of a run may take them for one, and then compare each with each.
_STAGED = "s.run = :run AND s.collection = :collection"
_UNIT = """
    JOIN handrail_collection c ON c.name = s.collection
    JOIN handrail_data_unit u ON u.collection = c.id AND u.name = s.name
"""

# Equal rows are removed from staging first, so that new and changed ones remain. If only sizes were
# compared, the content was never read, and its checksum is an empty text.
_DROP_SAME_FILES = f"""
    DELETE FROM handrail_staged_file
    WHERE (unit, role) IN (
        SELECT g.unit, g.role
        FROM handrail_staged_unit s {_UNIT}
        JOIN handrail_staged_file g ON g.unit = s.id
        JOIN handrail_data_file f ON f.unit = u.id AND f.role = g.role
        WHERE {_STAGED} AND f.name = g.name AND f.location = g.location AND f.key = g.key
        AND f.size = g.size AND f.sha256 = g.sha256
    )
"""
_DROP_SAME_UNITS = f"""
    DELETE FROM handrail_staged_unit
    WHERE id IN (
        SELECT s.id
        FROM handrail_staged_unit s {_UNIT}
        WHERE {_STAGED} AND u.metadata = s.metadata
        AND NOT EXISTS (SELECT 1 FROM handrail_staged_file g WHERE g.unit = s.id)
    )
"""

# A run that changes its own row again keeps nothing: its undo leads to before the first time.
_KEEP_UNITS = f"""
    INSERT INTO handrail_replaced_unit (unit, metadata, published, run, replaced_by)
    SELECT u.id, u.metadata, u.published, u.run, s.run
    FROM handrail_staged_unit s {_UNIT}
    WHERE {_STAGED} AND u.run <> s.run
    ORDER BY s.id
"""
_CHANGE_UNITS = f"""
    UPDATE handrail_data_unit
    SET metadata = s.metadata, published = :now, run = s.run
    FROM handrail_staged_unit s {_UNIT}
    WHERE {_STAGED} AND handrail_data_unit.id = u.id
"""
_ADD_UNITS = f"""
    INSERT INTO handrail_data_unit (collection, name, metadata, published, run)
    SELECT c.id, s.name, s.metadata, :now, s.run
    FROM handrail_staged_unit s
    JOIN handrail_collection c ON c.name = s.collection
    WHERE {_STAGED} AND NOT EXISTS (
        SELECT 1 FROM handrail_data_unit u WHERE u.collection = c.id AND u.name = s.name
    )
    ORDER BY s.id
"""

_KEEP_FILES = f"""
    INSERT INTO handrail_replaced_file
        (file, name, location, key, size, sha256, etag, published, run, replaced_by)
    SELECT f.id, f.name, f.location, f.key, f.size, f.sha256, f.etag, f.published, f.run, s.run
    FROM handrail_staged_unit s {_UNIT}
    JOIN handrail_staged_file g ON g.unit = s.id
    JOIN handrail_data_file f ON f.unit = u.id AND f.role = g.role
    WHERE {_STAGED} AND f.run <> s.run
    ORDER BY s.id, g.role
"""
_CHANGE_FILES = f"""
    UPDATE handrail_data_file
    SET name = g.name, location = g.location, key = g.key, size = g.size, sha256 = g.sha256,
        etag = g.etag, published = :now, run = s.run
    FROM handrail_staged_unit s {_UNIT}
    JOIN handrail_staged_file g ON g.unit = s.id
    WHERE {_STAGED} AND handrail_data_file.unit = u.id AND handrail_data_file.role = g.role
"""
_ADD_FILES = f"""
    INSERT INTO handrail_data_file
        (unit, role, name, location, key, size, sha256, etag, published, run)
    SELECT u.id, g.role, g.name, g.location, g.key, g.size, g.sha256, g.etag, :now, s.run
    FROM handrail_staged_unit s {_UNIT}
    JOIN handrail_staged_file g ON g.unit = s.id
    WHERE {_STAGED} AND NOT EXISTS (
        SELECT 1 FROM handrail_data_file f WHERE f.unit = u.id AND f.role = g.role
    )
    ORDER BY s.id, g.role
"""

_IS_STAGED = f"SELECT 1 FROM handrail_staged_unit s WHERE {_STAGED} LIMIT 1"
_EMPTY_FILES = f"""
    DELETE FROM handrail_staged_file
    WHERE unit IN (SELECT s.id FROM handrail_staged_unit s WHERE {_STAGED})
"""
_EMPTY_UNITS = "DELETE FROM handrail_staged_unit WHERE run = :run AND collection = :collection"


def publish(database: Database, run: str, collection: str) -> Published:
    """Publish the staged rows of `run` for `collection`, in one transaction."""
    values: dict[str, object] = {"run": run, "collection": collection, "now": database.now()}
    database.take_statistics(("handrail_staged_unit", "handrail_staged_file"))
    with database.transaction():
        database.lock_run(run)
        if not database.rows(_IS_STAGED, **values):
            return Published()
        _lock_collection(database, values)
        counts = _publish(database, values)
        database.change(_EMPTY_FILES, **values)
        database.change(_EMPTY_UNITS, **values)
    return counts


def _publish(database: Database, values: dict[str, object]) -> Published:
    files_unchanged = database.change(_DROP_SAME_FILES, **values)
    units_unchanged = database.change(_DROP_SAME_UNITS, **values)
    database.change(_KEEP_UNITS, **values)
    units_changed = database.change(_CHANGE_UNITS, **values)
    units_added = database.change(_ADD_UNITS, **values)
    database.change(_KEEP_FILES, **values)
    files_changed = database.change(_CHANGE_FILES, **values)
    files_added = database.change(_ADD_FILES, **values)
    return Published(
        units_added=units_added,
        units_changed=units_changed,
        units_unchanged=units_unchanged,
        files_added=files_added,
        files_changed=files_changed,
        files_unchanged=files_unchanged,
    )


def _lock_collection(database: Database, values: dict[str, object]) -> None:
    """Create the collection if necessary, and lock it until the end of the transaction.

    Publishing into a collection and removing from it lock its row, so they take turns; other
    collections are not affected.
    """
    make = (
        "INSERT INTO handrail_collection (name, created, run) VALUES (:collection, :now, :run)"
        " ON CONFLICT (name) DO NOTHING"
    )
    lock = f"SELECT id FROM handrail_collection WHERE name = :collection {database.for_update}"
    database.change(make, **values)
    while not database.rows(lock, **values):
        # A run that was undone meanwhile took the row with it.
        database.change(make, **values)
