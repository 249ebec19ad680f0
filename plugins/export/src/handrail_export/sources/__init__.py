"""Sources of rows: a database, a catalogue in one, or files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail_export.sources.address import parse_source

if TYPE_CHECKING:
    from handrail_export.params import ExportParams
    from handrail_export.sources.source import Source

__all__ = ["Source", "make_source"]


def make_source(options: ExportParams) -> tuple[Source, str | None]:
    """Return the source for the params, and the collection if it is a catalogue.

    Raises:
        SourceError: The source does not exist, or has no such table or collection.
    """
    from handrail_export.sources.catalogue import choose_collection  # noqa: PLC0415 - not to plan
    from handrail_export.sources.files import FileSource  # noqa: PLC0415 - not to plan
    from handrail_export.sources.postgres import PostgresSource  # noqa: PLC0415 - not to plan
    from handrail_export.sources.sqlite import SqliteSource  # noqa: PLC0415 - not to plan

    address = parse_source(options.source)
    if address.kind in ("parquet", "csv"):
        return FileSource(address, text=options.csv_types == "text"), None
    make = PostgresSource if address.kind == "postgres" else SqliteSource
    database = make(address, options.query or "", options.parameters)
    try:
        if options.query is not None:
            return database, None
        if options.table is not None:
            database.choose_table(options.table)
            return database, None
        return database, choose_collection(database, options.collection)
    except BaseException:
        database.close()
        raise
