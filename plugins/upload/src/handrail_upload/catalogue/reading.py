"""Reads published rows page by page, without blocking writers between two pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields

from handrail_upload.catalogue.database import Database
from handrail_upload.catalogue.rows import Published
from handrail_upload.units import DataFile, DataUnit

# A constant in the statements: a database plans for it better than for a value it does not know.
PAGE = 1000

_COLUMNS = ("role", "name", "location", "key", "size", "sha256", "etag", "run")

_UNITS = f"""
    SELECT id, name, metadata, run FROM handrail_data_unit
    WHERE collection = (SELECT id FROM handrail_collection WHERE name = :collection)
    AND name > :after
    ORDER BY name LIMIT {PAGE}
"""
_FILES = f"""
    SELECT u.name, {", ".join(f"f.{each}" for each in _COLUMNS)}
    FROM ({_UNITS}) u
    JOIN handrail_data_file f ON f.unit = u.id
    ORDER BY u.name, f.role
"""


def published(database: Database, run: str) -> Published | None:
    """Return the numbers of rows that `run` has added, changed and removed; None if nothing."""
    names = [each.name for each in fields(Published)]
    sums = ", ".join(f"CAST(sum({name}) AS {database.types['integer']})" for name in names)
    with database.transaction():
        database.lock("run", run)
        (row,) = database.rows(f"SELECT {sums} FROM handrail_published WHERE run = :run", run=run)
    return Published(**dict(zip(names, row, strict=True))) if any(row) else None


def units(database: Database, collection: str) -> Iterator[DataUnit]:
    """Yield the data units of `collection`, in the order of their names, with their files."""
    after = ""
    while rows := database.rows(_UNITS, collection=collection, after=after):
        files: dict[str, list[DataFile]] = {name: [] for _, name, _, _ in rows}
        for unit, *values in database.rows(_FILES, collection=collection, after=after):
            if unit in files:  # Else it has come meanwhile.
                files[unit].append(DataFile(**dict(zip(_COLUMNS, values, strict=True))))
        for _, name, metadata, run in rows:
            told = json.loads(metadata)
            yield DataUnit(name=name, files=tuple(files[name]), metadata=told, run=run)
        after = rows[-1][1]
