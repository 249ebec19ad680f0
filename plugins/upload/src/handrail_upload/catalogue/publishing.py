"""Publishes the data units of a run that differ from the catalogue, all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from handrail.frozen import replace
from handrail_upload.catalogue import removed_rows
from handrail_upload.catalogue.database import Database
from handrail_upload.catalogue.rows import Published
from handrail_upload.listing import Listing

# If only sizes were compared, the content was never read, and its checksum is an empty text.
_FILE_DIFFERS = (
    "f.name <> g.name OR f.location <> g.location OR f.key <> g.key"
    " OR f.size <> g.size OR f.sha256 <> g.sha256"
)
# The units and files are looked for by keys, never by their run: a database that has just got a
# million rows of a run may take them for one, and then compare each with each.
_FIND_DIFFERING = f"""
    INSERT INTO differing_unit (name, id, metadata)
    SELECT s.name, u.id, s.metadata
    FROM given_unit s
    LEFT JOIN handrail_data_unit u ON u.collection = :collection AND u.name = s.name
    WHERE u.id IS NULL OR u.metadata <> s.metadata OR EXISTS (
        SELECT 1 FROM given_file g
        LEFT JOIN handrail_data_file f ON f.unit = u.id AND f.role = g.role
        WHERE g.unit = s.name AND (f.id IS NULL OR {_FILE_DIFFERS})
    )
"""

# A run that changes its own row again keeps nothing: its undo leads to before the first time.
_KEEP_UNITS = """
    INSERT INTO handrail_replaced_unit (unit, metadata, published, run, replaced_by)
    SELECT u.id, u.metadata, u.published, u.run, :run
    FROM differing_unit d
    JOIN handrail_data_unit u ON u.id = d.id
    WHERE u.run <> :run
    ORDER BY d.name
"""
_CHANGE_UNITS = """
    UPDATE handrail_data_unit
    SET metadata = d.metadata, published = :now, run = :run
    FROM differing_unit d
    WHERE handrail_data_unit.id = d.id
"""
_ADD_UNITS = """
    INSERT INTO handrail_data_unit (collection, name, metadata, published, run)
    SELECT :collection, d.name, d.metadata, :now, :run
    FROM differing_unit d
    WHERE d.id IS NULL
    ORDER BY d.name
"""

# CROSS JOIN, because SQLite takes its tables in this order: the few that differ come first.
_DIFFERING_FILES = f"""
    FROM differing_unit d
    CROSS JOIN given_file g
    JOIN handrail_data_file f ON f.unit = d.id AND f.role = g.role
    WHERE d.id IS NOT NULL AND g.unit = d.name AND ({_FILE_DIFFERS})
"""
_KEEP = """
    INSERT INTO handrail_replaced_file
        (file, name, location, key, size, sha256, etag, published, run, replaced_by)
    SELECT f.id, f.name, f.location, f.key, f.size, f.sha256, f.etag, f.published, f.run, :run
"""
_KEEP_FILES = f"{_KEEP} {_DIFFERING_FILES} AND f.run <> :run ORDER BY d.name, g.role"
_CHANGE_FILES = f"""
    UPDATE handrail_data_file
    SET name = c.name, location = c.location, key = c.key, size = c.size, sha256 = c.sha256,
        etag = c.etag, published = :now, run = :run
    FROM (
        SELECT f.id, g.name, g.location, g.key, g.size, g.sha256, g.etag {_DIFFERING_FILES}
    ) c
    WHERE handrail_data_file.id = c.id
"""
# No join for the ids of new units: then a database could begin with all units of the collection.
_ADD_FILES = """
    INSERT INTO handrail_data_file
        (unit, role, name, location, key, size, sha256, etag, published, run)
    SELECT
        coalesce(d.id, (
            SELECT id FROM handrail_data_unit WHERE collection = :collection AND name = d.name
        )),
        g.role, g.name, g.location, g.key, g.size, g.sha256, g.etag, :now, :run
    FROM differing_unit d
    CROSS JOIN given_file g
    WHERE g.unit = d.name AND NOT EXISTS (
        SELECT 1 FROM handrail_data_file f WHERE f.unit = d.id AND f.role = g.role
    )
    ORDER BY d.name, g.role
"""

_GONE_FILES = """
    FROM handrail_data_unit u
    JOIN handrail_data_file f ON f.unit = u.id
    WHERE u.collection = :collection AND f.location IN (SELECT location FROM given_removed)
"""
_KEEP_GONE = f"{_KEEP} {_GONE_FILES} AND f.run <> :run ORDER BY f.id"
_REMOVE_GONE = f"""
    UPDATE handrail_data_file
    SET name = '', location = '', key = '', size = 0, sha256 = '', etag = NULL,
        published = :now, run = :run
    WHERE id IN (SELECT f.id {_GONE_FILES})
"""

_COLLECTION = "SELECT id FROM handrail_collection WHERE name = :name"
_ADD_COLLECTION = (
    "INSERT INTO handrail_collection (name, created, run) VALUES (:name, :now, :run)"
    " ON CONFLICT (name) DO NOTHING"
)


def publish(
    database: Database,
    run: str,
    collection: str,
    listing: Listing,
    confirm: Callable[[], None] = lambda: None,
) -> Published:
    """Publish what differs of `listing` for `collection`, compared within the same transaction.

    Where nothing differs, is gone or was left out, nothing is written.
    """
    with database.publishing(listing):
        database.lock("run", run)
        database.lock("collection", collection)
        confirm()
        there = database.rows(_COLLECTION, name=collection)
        number = there[0][0] if there else 0
        shown = removed_rows.show_given(database, number)
        published = Published()
        if database.change(_FIND_DIFFERING, collection=number):
            if not there:
                database.change(_ADD_COLLECTION, name=collection, now=database.now(), run=run)
                number = database.rows(_COLLECTION, name=collection)[0][0]
            published = _publish_differing(database, run, number, *shown)
        if listing.removed:
            published = _remove_gone(database, run, number, published)
        published = replace(published, files_left_out=listing.left_out)
        if number and published != Published():
            numbers = {"run": run, "collection": number, **asdict(published)}
            columns, values = ", ".join(numbers), ", :".join(numbers)
            database.change(
                f"INSERT INTO handrail_published ({columns}) VALUES (:{values})", **numbers
            )
    return published


def _publish_differing(
    database: Database, run: str, collection: int, units_shown: int, files_shown: int
) -> Published:
    """Publish the units that differ.

    Args:
        database: The database.
        run: The run.
        collection: The id of the collection.
        units_shown: Number of the units that were removed before.
        files_shown: Number of the files that were removed before.
    """
    values = {"run": run, "now": database.now()}
    database.change(_KEEP_UNITS, run=run)
    units_changed = database.change(_CHANGE_UNITS, **values)
    units_added = database.change(_ADD_UNITS, collection=collection, **values)
    database.change(_KEEP_FILES, run=run)
    files_changed = database.change(_CHANGE_FILES, **values)
    files_added = database.change(_ADD_FILES, collection=collection, **values)
    return Published(
        units_added=units_added + units_shown,
        units_changed=units_changed - units_shown,
        files_added=files_added + files_shown,
        files_changed=files_changed - files_shown,
    )


def _remove_gone(database: Database, run: str, collection: int, published: Published) -> Published:
    """Remove the files that are gone, and units that have no other; return the numbers of all."""
    values = {"run": run, "collection": collection}
    database.change(_KEEP_GONE, **values)
    if not database.change(_REMOVE_GONE, now=database.now(), **values):
        return published
    units, files = removed_rows.hide(database)
    return replace(published, units_removed=units, files_removed=files)
