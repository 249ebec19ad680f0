"""Parses the address of a source."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import unquote

from handrail.frozen import frozen, replace
from handrail_export.errors import SourceError, StorageError
from handrail_storage import Caller, parse_place

Kind = Literal["sqlite", "postgres", "parquet", "csv", "jsonl", "arrow", "excel"]

CALLER = Caller(
    error=StorageError,
    noun="source",
    user="the user who exports",
    distribution="handrail-export",
)
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_STORAGES = ("s3", "gs", "az", "memory")
_ENDINGS: Mapping[Kind, Sequence[str]] = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".csv.gz", ".tsv", ".tsv.gz"),
    "jsonl": (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"),
    "arrow": (".arrow", ".feather", ".ipc"),
    "excel": (".xlsx", ".xlsm"),
}
_KINDS = (
    "photos.db: an SQLite file (any ending other than those of files)",
    "postgresql://user@host/database: a PostgreSQL database",
    "rows.parquet, 'in/*.csv' or s3://bucket/rows.jsonl: files, that end in "
    + ", ".join(sorted(ending for endings in _ENDINGS.values() for ending in endings))
    + "; book.xlsx#Orders is a sheet",
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

MAIN = "source"
"""The name of the positional source in a query over files."""


@frozen
class Address:
    """The address of a source.

    Attributes:
        kind: Its kind, such as `parquet`.
        place: An absolute path or pattern, or the URL of a database or of objects.
        shown: Its name for people; without the options of a URL.
        remote: Whether its files are objects in a storage.
        sheet: The name of a sheet of a workbook; None for the first one.
    """

    kind: Kind
    place: str
    shown: str
    remote: bool = False
    sheet: str | None = None

    @property
    def is_files(self) -> bool:
        """Whether it is one or many files, not a database."""
        return self.kind in _ENDINGS


def parse_named(places: Mapping[str, str]) -> dict[str, Address]:
    """Parse the addresses of further sources, each of files, by their names in a query.

    Raises:
        SourceError: A name is no name in SQL or is taken, or a source is something else than files.
    """
    found: dict[str, Address] = {}
    for name, place in places.items():
        if not _NAME.fullmatch(name):
            raise SourceError(
                f"{name!r} cannot be the name of a source: letters, digits and _ can",
                ways_out=("--source people=people.csv",),
            )
        if name.casefold() in (MAIN, *map(str.casefold, found)):
            raise SourceError(
                f"there are two sources with the name {name}",
                ways_out=(f"the first one given is called {MAIN} in a query",),
            )
        address = parse_source(place)
        if not address.is_files:
            raise SourceError(
                f"{address.shown} is a database, and sources with a name are files",
                ways_out=(_KINDS[-1],),
            )
        found[name] = address
    return found


def parse_source(text: str) -> Address:
    """Parse the address of a source, without opening it.

    Raises:
        SourceError: The address is not that of a source that can be exported.
    """
    if not text.strip() or "\0" in text:
        raise SourceError("the source is empty", ways_out=_KINDS)
    if ".xls" in text.lower():
        from handrail_arrow.excel import split_address  # noqa: PLC0415 - only for workbooks

        book, sheet = split_address(text)
        if sheet is not None:
            return replace(parse_source(book), sheet=sheet, shown=text)
    scheme = _SCHEME.match(text)
    if scheme is None:
        return _file(text, text)
    kind = scheme["scheme"].lower()
    if kind in ("postgres", "postgresql"):
        return Address(kind="postgres", place=text, shown=re.split("[?#]", text, maxsplit=1)[0])
    if kind in ("file", "sqlite"):
        path = text[scheme.end() :]
        if not path.startswith("/"):
            raise SourceError(f"{text} does not lead to a file; write {kind}:///PATH")
        found = _file("/" + unquote(path).lstrip("/"), text)
        return found if kind == "file" else Address(kind="sqlite", place=found.place, shown=text)
    if kind in _STORAGES:
        return _objects(text)
    raise SourceError(f"no source is known as {kind}://", ways_out=_KINDS)


def _objects(text: str) -> Address:
    place = parse_place(text, CALLER)
    kind = _kind_of(place.path)
    if kind is None:
        raise SourceError(
            f"{text} does not end as a file of rows, and no database is read there",
            ways_out=(_KINDS[-1],),
        )
    return Address(kind=kind, place=place.address, shown=place.shown, remote=True)


def _file(path: str, shown: str) -> Address:
    place = os.path.abspath(os.path.expanduser(path))
    return Address(kind=_kind_of(path) or "sqlite", place=place, shown=shown)


def _kind_of(path: str) -> Kind | None:
    """Return the kind of files that a path ends like, or None."""
    for kind, endings in _ENDINGS.items():
        if path.lower().endswith(tuple(endings)):
            return kind
    return None
