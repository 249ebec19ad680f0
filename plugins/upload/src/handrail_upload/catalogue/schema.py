"""The tables of a catalogue. Other tools read them, so this description is a promise.

Four tables are public; together they describe all uploads:

- `handrail_collection`: `id`; `name`, unique; `created`, the time of its creation; `run`.
- `handrail_data_unit`: `id`; `collection`, the id of its collection; `name`, unique within it;
  `metadata`, a JSON object with its keys in order; `published`, when these values became visible;
  `run`.
- `handrail_data_file`: `id`; `unit`, the id of its data unit; `role`, unique within it; `name`,
  the path below the source folder; `location`, the URL or absolute path of the stored file; `key`,
  its key below the target; `size` in bytes; `sha256` in hexadecimal digits, or empty where only
  sizes were compared; `etag` as the store reported it, or NULL; `published`; `run`.
- `handrail_published`: `run`; `collection`, the id of a collection in which it has registered;
  `units_added`, `units_changed`, `units_removed`, `files_added`, `files_changed`, `files_removed`
  and `files_left_out`, the numbers of what it has done there.

`run` is the id of the run that the values of a row come from: the run that added the row, or the
last one that changed it. A data unit counts as changed when its metadata or one of its files has.
Times are UTC: `2026-11-25T03:30:00.000Z` in SQLite, `timestamptz` in PostgreSQL. Text sorts by code
point in both. An id is never used again.

The other tables are for undo, and may change in any version: `handrail_replaced_unit` and
`handrail_replaced_file` have the values that a row had before another run, `replaced_by`, changed
or removed it, the newest last; `handrail_removed_unit` and `handrail_removed_file` have the rows
that are removed, with empty texts as the values of a file; `handrail_catalogue` has one row: the
version of the tables, and the run that created them.
"""

from __future__ import annotations

import re

VERSION = 1

MARKER = "handrail_catalogue"
MARKER_COLUMNS = ("version", "created", "run")

TABLES = (
    "handrail_data_file",
    "handrail_data_unit",
    "handrail_removed_file",
    "handrail_removed_unit",
    "handrail_collection",
    "handrail_replaced_file",
    "handrail_replaced_unit",
    "handrail_published",
)
"""The tables with rows of uploads, children before their parents."""

_UNIT_VALUES = """
        metadata {text} NOT NULL,
        published {moment} NOT NULL,
        run {text} NOT NULL,
"""
_FILE_VALUES = """
        name {text} NOT NULL,
        location {text} NOT NULL,
        key {text} NOT NULL,
        size {integer} NOT NULL,
        sha256 {text} NOT NULL,
        etag {text},
        published {moment} NOT NULL,
        run {text} NOT NULL,
"""
_UNITS = (
    f"""
    CREATE TABLE handrail_data_unit (
        id {{id}},
        collection {{integer}} NOT NULL REFERENCES handrail_collection (id),
        name {{text}} NOT NULL,
        {_UNIT_VALUES}
        UNIQUE (collection, name)
    )
    """,
    "CREATE INDEX handrail_data_unit_of_run ON handrail_data_unit (run, id)",
)
_FILES = (
    f"""
    CREATE TABLE handrail_data_file (
        id {{id}},
        unit {{integer}} NOT NULL REFERENCES handrail_data_unit (id),
        role {{text}} NOT NULL,
        {_FILE_VALUES}
        UNIQUE (unit, role)
    )
    """,
    "CREATE INDEX handrail_data_file_of_run ON handrail_data_file (run, id)",
)
# The undo tables have no foreign keys to the public tables, so as not to prevent deletions there.
_REPLACED = (
    "CREATE TABLE handrail_replaced_{kind} ("
    "id {{id}}, {kind} {{integer}} NOT NULL, {values} replaced_by {{text}} NOT NULL)",
    "CREATE INDEX handrail_replaced_{kind}_of ON handrail_replaced_{kind} ({kind})",
    "CREATE INDEX handrail_replaced_{kind}_of_run ON handrail_replaced_{kind} (run)",
    "CREATE INDEX handrail_replaced_{kind}_by ON handrail_replaced_{kind} (replaced_by)",
)

MAKING = (
    """
    CREATE TABLE handrail_catalogue (
        version {integer} NOT NULL,
        created {moment} NOT NULL,
        run {text} NOT NULL
    )
    """,
    """
    CREATE TABLE handrail_collection (
        id {id},
        name {text} NOT NULL UNIQUE,
        created {moment} NOT NULL,
        run {text} NOT NULL
    )
    """,
    *_UNITS,
    *_FILES,
    # Of a file whose location is empty: it is removed, and about to leave the table.
    "CREATE INDEX handrail_data_file_leaving ON handrail_data_file (unit) WHERE location = ''",
    *(
        re.sub(r" REFERENCES \w+ \(id\)", "", each).replace("_data_", "_removed_")
        for each in (*_UNITS, *_FILES)
    ),
    """
    CREATE TABLE handrail_published (
        run {text} NOT NULL,
        collection {integer} NOT NULL,
        units_added {integer} NOT NULL,
        units_changed {integer} NOT NULL,
        units_removed {integer} NOT NULL,
        files_added {integer} NOT NULL,
        files_changed {integer} NOT NULL,
        files_removed {integer} NOT NULL,
        files_left_out {integer} NOT NULL
    )
    """,
    "CREATE INDEX handrail_published_of_run ON handrail_published (run)",
    *(each.format(kind="unit", values=_UNIT_VALUES) for each in _REPLACED),
    *(each.format(kind="file", values=_FILE_VALUES) for each in _REPLACED),
)
"""The statements that make the tables."""
