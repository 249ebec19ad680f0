"""Parses the address of a source."""

from __future__ import annotations

import os
import re
from typing import Literal
from urllib.parse import unquote

from handrail.frozen import frozen
from handrail_export.errors import SourceError

Kind = Literal["sqlite", "postgres", "parquet", "csv"]

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_PARQUET = (".parquet", ".pq")
_CSV = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
_KINDS = (
    "photos.db: an SQLite file (any ending other than those of Parquet and CSV)",
    "postgresql://user@host/database: a PostgreSQL database",
    "rows.parquet or 'in/*.csv': files",
)


@frozen
class Address:
    """The address of a source.

    Attributes:
        kind: Its kind, such as `parquet`.
        place: An absolute path or pattern, or the URL of a database.
        shown: Its name for people; without the options of a URL.
    """

    kind: Kind
    place: str
    shown: str


def parse_source(text: str) -> Address:
    """Parse the address of a source, without opening it.

    Raises:
        SourceError: The address is not that of a source that can be exported.
    """
    if not text.strip() or "\0" in text:
        raise SourceError("the source is empty", ways_out=_KINDS)
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
    raise SourceError(f"no source is known as {kind}://", ways_out=_KINDS)


def _file(path: str, shown: str) -> Address:
    kind: Kind = "sqlite"
    if path.lower().endswith(_PARQUET):
        kind = "parquet"
    elif path.lower().endswith(_CSV):
        kind = "csv"
    return Address(kind=kind, place=os.path.abspath(os.path.expanduser(path)), shown=shown)
