"""Stages rows of a run; until they are published, others do not see them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from handrail_upload.catalogue.database import Database
from handrail_upload.errors import CatalogueError
from handrail_upload.units import DataUnit

BATCH = 2000
"""Data units in one transaction: few enough for memory, and enough to make its sync cheap."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_STAGED = """
    SELECT id FROM handrail_staged_unit
    WHERE run = :run AND collection = :collection AND name = :unit
"""
_FORGET_FILES = f"DELETE FROM handrail_staged_file WHERE unit = ({_STAGED})"
_FORGET_UNIT = f"DELETE FROM handrail_staged_unit WHERE id = ({_STAGED})"
_ADD_UNIT = """
    INSERT INTO handrail_staged_unit (run, collection, name, metadata)
    VALUES (:run, :collection, :unit, :metadata)
"""
_ADD_FILE = """
    INSERT INTO handrail_staged_file (unit, role, name, location, key, size, sha256, etag)
    SELECT id, :role, :name, :location, :key, :size, :sha256, :etag
    FROM handrail_staged_unit
    WHERE run = :run AND collection = :collection AND name = :unit
"""


def stage(database: Database, run: str, collection: str, units: Iterable[DataUnit]) -> int:
    """Write `units` to the staging tables, in place of earlier staged rows of the run.

    Returns:
        The number of units.
    """
    count = 0
    remaining = iter(units)
    while batch := list(islice(remaining, BATCH)):
        # Convert first: a unit that cannot be stored must not delay others with a lock.
        rows = [_unit(run, collection, unit) for unit in batch]
        with database.transaction():
            database.lock_run(run)
            _write(database, rows, run, collection, batch)
        count += len(batch)
    return count


def _write(
    database: Database,
    rows: Sequence[dict[str, object]],
    run: str,
    collection: str,
    batch: Sequence[DataUnit],
) -> None:
    last = {unit.name: (unit, row) for unit, row in zip(batch, rows, strict=True)}
    database.change_many(_FORGET_FILES, rows)
    database.change_many(_FORGET_UNIT, rows)
    database.change_many(_ADD_UNIT, [row for _, row in last.values()])
    database.change_many(_ADD_FILE, _files(run, collection, (unit for unit, _ in last.values())))


def as_json(metadata: Any) -> str:
    """Return `metadata` as canonical JSON: equal values have the same text.

    Raises:
        ValueError: A value has no JSON form, such as NaN.
        TypeError: A value has a type without a JSON form.
    """
    text = json.dumps(metadata, ensure_ascii=False, allow_nan=False, sort_keys=True)
    # Databases reject lone surrogates; as an escape it is valid JSON, and is restored on reading.
    return _LONE_SURROGATE.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def _unit(run: str, collection: str, unit: DataUnit) -> dict[str, object]:
    try:
        metadata = as_json(dict(unit.metadata))
    except (TypeError, ValueError, RecursionError) as error:
        raise CatalogueError(
            f"the metadata of data unit '{unit.name}' cannot be stored as JSON: {error}"
        ) from error
    return {"run": run, "collection": collection, "unit": unit.name, "metadata": metadata}


def _files(run: str, collection: str, units: Iterable[DataUnit]) -> Iterator[dict[str, object]]:
    for unit in units:
        for file in unit.files:
            yield {
                "run": run,
                "collection": collection,
                "unit": unit.name,
                "role": file.role,
                "name": file.name,
                "location": file.location,
                "key": file.key,
                "size": file.size,
                "sha256": file.sha256,
                "etag": file.etag,
            }
