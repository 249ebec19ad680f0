"""Reads published rows page by page, without blocking writers between two pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from handrail_upload.catalogue.database import Database, Row
from handrail_upload.catalogue.rows import CatalogueFile, CatalogueUnit, Published
from handrail_upload.units import DataFile

# A constant in the statements: a database plans for it better than for a value it does not know.
PAGE = 1000

_FILE = "f.role, f.name, f.location, f.key, f.size, f.sha256, f.etag, f.run"

_UNITS_OF_RUN = f"""
    SELECT u.id, c.name, u.name, u.metadata, u.run
    FROM (
        SELECT * FROM handrail_data_unit WHERE run = :run AND id > :after ORDER BY id LIMIT {PAGE}
    ) u
    JOIN handrail_collection c ON c.id = u.collection
    ORDER BY u.id
"""
_FILES_OF_RUN = f"""
    SELECT f.id, c.name, u.name, {_FILE}
    FROM (
        SELECT * FROM handrail_data_file WHERE run = :run AND id > :after ORDER BY id LIMIT {PAGE}
    ) f
    JOIN handrail_data_unit u ON u.id = f.unit
    JOIN handrail_collection c ON c.id = u.collection
    ORDER BY f.id
"""
_UNITS = f"""
    SELECT id, name, metadata, run FROM handrail_data_unit
    WHERE collection = (SELECT id FROM handrail_collection WHERE name = :collection)
    AND name > :after
    ORDER BY name LIMIT {PAGE}
"""
_FILES = f"""
    SELECT u.name, {_FILE}
    FROM ({_UNITS}) u
    JOIN handrail_data_file f ON f.unit = u.id
    ORDER BY u.name, f.role
"""


def published(database: Database, run: str) -> Published | None:
    """Return the numbers of rows that have, or had before others changed them, values of `run`."""
    with database.transaction():
        database.lock_run(run)
        tables = ("handrail_data_unit", "handrail_replaced_unit")
        if not any(
            database.rows(f"SELECT 1 FROM {table} WHERE run = :run LIMIT 1", run=run)
            for table in tables
        ):
            return None
        return _published(database, run)


def _published(database: Database, run: str) -> Published:
    def count(kind: str) -> tuple[int, int]:
        ((made, changed),) = database.rows(
            f"SELECT (SELECT count(*) FROM handrail_data_{kind} WHERE run = :run),"
            f" (SELECT count(*) FROM handrail_replaced_{kind} WHERE replaced_by = :run)",
            run=run,
        )
        return made - changed, changed

    units_added, units_changed = count("unit")
    files_added, files_changed = count("file")
    return Published(
        units_added=max(units_added, 0),
        units_changed=units_changed,
        files_added=max(files_added, 0),
        files_changed=files_changed,
    )


def units_of(database: Database, run: str) -> Iterator[CatalogueUnit]:
    """Yield the data units that have values of `run`, in the order in which they were added."""
    after = 0
    while rows := database.rows(_UNITS_OF_RUN, run=run, after=after):
        for _, collection, *unit in rows:
            yield _unit(collection, unit)
        after = rows[-1][0]


def files_of(database: Database, run: str) -> Iterator[CatalogueFile]:
    """Yield the data files that have values of `run`, in the order in which they were added."""
    after = 0
    while rows := database.rows(_FILES_OF_RUN, run=run, after=after):
        for _, collection, unit, *file in rows:
            yield _file(collection, unit, file)
        after = rows[-1][0]


def find_units(database: Database, collection: str) -> Iterator[CatalogueUnit]:
    """Yield the data units of `collection`, in the order of their names."""
    for _, page in _pages(database, collection):
        for _, *unit in page:
            yield _unit(collection, unit)


def find_files(database: Database, collection: str) -> Iterator[CatalogueFile]:
    """Yield the data files of `collection`, in the order of the names of units, and of roles."""
    for after, _ in _pages(database, collection):
        for unit, *file in database.rows(_FILES, collection=collection, after=after):
            yield _file(collection, unit, file)


def _pages(database: Database, collection: str) -> Iterator[tuple[str, list[Row]]]:
    after = ""
    while rows := database.rows(_UNITS, collection=collection, after=after):
        yield after, rows
        after = rows[-1][1]


def _unit(collection: str, row: list[Any]) -> CatalogueUnit:
    name, metadata, run = row
    return CatalogueUnit(collection=collection, name=name, metadata=json.loads(metadata), run=run)


def _file(collection: str, unit: str, row: list[Any]) -> CatalogueFile:
    role, name, location, key, size, sha256, etag, run = row
    file = DataFile(
        role=role, name=name, location=location, key=key, size=size, sha256=sha256, etag=etag
    )
    return CatalogueFile(collection=collection, unit=unit, file=file, run=run)
