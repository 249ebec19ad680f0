"""Parses the address of a catalogue: the path of an SQLite file, or a PostgreSQL URL."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from handrail.frozen import frozen
from handrail_upload.errors import CatalogueError

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://|(?P<bare>sqlite|postgres(?:ql)?):")
_SECRET = frozenset({"password", "sslpassword"})
_KINDS = (
    "photos.db or sqlite:///srv/photos.db: a file",
    "postgresql://user@host/database: a PostgreSQL database",
)


@frozen
class SqliteAddress:
    """An SQLite file; `path` is absolute, and `shown` is for people."""

    path: Path
    shown: str


@frozen
class PostgresAddress:
    """A PostgreSQL database; `url` is for libpq, and `shown` is without its options."""

    url: str
    shown: str


def parse(url: str) -> SqliteAddress | PostgresAddress:
    """Parse the address of a catalogue.

    Raises:
        CatalogueError: The URL cannot be that of a catalogue, or contains a password.
    """
    scheme = _SCHEME.match(url)
    if scheme is None:
        return _file(url, shown=url)
    kind = (scheme["scheme"] or scheme["bare"]).lower()
    if kind == "sqlite":
        return _sqlite(url)
    if kind in {"postgres", "postgresql"} and scheme["scheme"]:
        return _postgres(url)
    raise CatalogueError(f"a catalogue cannot be in '{kind}:'", ways_out=_KINDS)


def _sqlite(url: str) -> SqliteAddress:
    path = url.partition(":")[2]
    if not path.startswith("///") or "?" in path or "#" in path:
        raise CatalogueError(
            f"'{url}' does not lead to a file: after sqlite:// comes its absolute path, "
            "and nothing after it",
            ways_out=_KINDS[:1],
        )
    # SQLAlchemy has four slashes before an absolute path; two at the start of one mean the same.
    return _file("/" + unquote(path[2:]).lstrip("/"), shown=url)


def _file(path: str, shown: str) -> SqliteAddress:
    if not path or path == ":memory:" or "\0" in path:
        raise CatalogueError(f"'{shown}' is not a path of a file", ways_out=_KINDS)
    return SqliteAddress(path=Path(os.path.abspath(os.path.expanduser(path))), shown=shown)


def _postgres(url: str) -> PostgresAddress:
    if _has_password(url):
        raise CatalogueError(
            "the URL of the catalogue has a password in it, and URLs are shown and recorded",
            ways_out=(
                "leave it out of the URL, and set PGPASSWORD",
                "or put it into ~/.pgpass, or into a service file (?service=NAME)",
            ),
        )
    return PostgresAddress(url=url, shown=re.split("[?#]", url, maxsplit=1)[0])


def _has_password(url: str) -> bool:
    # Up to the first @, also across a slash: a password that is not encoded may have one.
    place = url.partition("://")[2].partition("?")[0]
    user, at, _ = place.partition("@")
    try:
        options = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:  # A [ without its ]; the message of libpq is better.
        options = []
    return (bool(at) and ":" in user) or any(name.lower() in _SECRET for name, _ in options)
