"""The catalogue of uploads: its tables, as handrail-upload documents them."""

from __future__ import annotations

from handrail.suggest import did_you_mean
from handrail_export.errors import SourceError
from handrail_export.names import listed
from handrail_export.sources.database import Database

TABLES = ("handrail_collection", "handrail_data_unit", "handrail_data_file")

# An etag is often NULL, and SQLite has no type for a column that begins with NULLs.
_QUERY = """
SELECT collection.name AS collection, unit.name AS unit, unit.metadata AS metadata,
       file.role AS role, file.name AS name, file.location AS location, file.key AS key,
       file.size AS size, file.sha256 AS sha256, COALESCE(file.etag, '') AS etag, file.run AS run
FROM handrail_data_unit AS unit
JOIN handrail_collection AS collection ON collection.id = unit.collection
JOIN handrail_data_file AS file ON file.unit = unit.id
WHERE unit.collection = {collection}
ORDER BY unit.name, file.role
"""

COLUMNS = ("unit", "metadata", "role", "name", "location", "size", "sha256")
"""The columns that a format for collections needs, in the order of `CatalogueFile`."""


def choose_collection(database: Database, name: str | None) -> str:
    """Make the source a query of the files of a collection, unit by unit; return its name.

    Raises:
        SourceError: There is no catalogue, no such collection, or several and no name.
    """
    known = database.tables()
    shown = database.address.shown
    if not set(TABLES) <= set(known):
        raise SourceError(
            f"{shown} is not a catalogue of uploads",
            ways_out=(
                "for a table of it: --table NAME, or --query SQL",
                f"tables: {listed(known)}" if known else "it has no tables at all",
            ),
        )
    found = dict(database.rows("SELECT name, id FROM handrail_collection ORDER BY name"))
    if name is None:
        if len(found) != 1:
            many = f"has the collections {listed(found)}" if found else "has no collection"
            raise SourceError(f"{shown} {many}", ways_out=("--collection NAME" if found else "",))
        name = str(next(iter(found)))
    if name not in found:
        near = did_you_mean(name, found)
        raise SourceError(
            f"{shown} has no collection {name}{near and f'; {near}'}",
            ways_out=(f"collections: {listed(found)}",),
        )
    database.query = _QUERY.format(collection=int(found[name]))
    database.shown = f"the collection {name} of {shown}"
    return name
