"""Sources of rows: a database, a catalogue in one, or files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from handrail_export.sources.address import MAIN, parse_named, parse_source

if TYPE_CHECKING:
    from handrail_export.params import ExportParams
    from handrail_export.sources.address import Address
    from handrail_export.sources.files import FileSource
    from handrail_export.sources.source import Source

__all__ = ["MAIN", "addresses_of", "make_source"]


def make_source(
    options: ExportParams,
    scratch: str = "",
    on_status: Callable[[str | None], object] | None = None,
) -> tuple[Source, str | None]:
    """Return the source for the params, and the collection if it is a catalogue.

    Args:
        options: The params.
        scratch: A folder for copies of objects and sheets; needed for those only.
        on_status: Called with what requests of objects wait for.

    Raises:
        SourceError: The source does not exist, or has no such table or collection.
    """
    from handrail_export.sources.catalogue import choose_collection  # noqa: PLC0415 - not to plan
    from handrail_export.sources.postgres import PostgresSource  # noqa: PLC0415 - not to plan
    from handrail_export.sources.sqlite import SqliteSource  # noqa: PLC0415 - not to plan

    address = parse_source(options.source)
    if address.is_files:
        return _files(options, Path(scratch), on_status), None
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


def addresses_of(options: ExportParams) -> dict[str, Address]:
    """Return the addresses of all sources, by their names in a query.

    Raises:
        SourceError: An address is malformed.
    """
    return {MAIN: parse_source(options.source), **parse_named(options.sources)}


def _files(
    options: ExportParams, scratch: Path, on_status: Callable[[str | None], object] | None
) -> Source:
    from handrail_export.sources.fetched import Fetched, Objects  # noqa: PLC0415 - not to plan
    from handrail_export.sources.files import FileSource  # noqa: PLC0415 - not to plan
    from handrail_export.sources.query import FileQuery  # noqa: PLC0415 - not to plan

    files: dict[str, FileSource] = {}
    for name, address in addresses_of(options).items():
        fetched = None
        if address.remote:
            objects = Objects(address, retries=options.retries, on_status=on_status)
            fetched = Fetched(objects, scratch / "fetched" / name)
        text = options.csv_types == "text"
        sheets = scratch / "sheets" / name
        files[name] = FileSource(address, name=name, text=text, fetched=fetched, sheets=sheets)
    if options.query is None:
        return files[MAIN]
    return FileQuery(files, options.query, options.parameters)
