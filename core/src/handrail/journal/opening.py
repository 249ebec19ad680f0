"""Which journal a URL leads to: the one that is built in, or one that a pack brings."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from handrail.errors import JournalUrlError

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal

JournalFactory = Callable[[str], "Journal"]
"""Opens the journal that a URL leads to."""

GROUP = "handrail.journals"  # Entry points of packs: a URL scheme, and a JournalFactory.

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://|(?P<bare>sqlite):")
_SECRET = frozenset({"password", "sslpassword"})
_FILE = ".handrail/runs.db or sqlite:///srv/runs.db: a file"
_SYNCHRONOUS = ("full", "normal")


def open_journal(
    url: str | None,
    *,
    default: str | os.PathLike[str],
    find: Callable[[str], JournalFactory | None],
    create: bool = True,
) -> Journal:
    """Open the journal that `url` leads to.

    Args:
        url: A path, `sqlite:///path`, with `?synchronous=normal` for commits that need not survive
            power loss, or a URL whose scheme a pack knows. None means the default.
        default: The path of the journal where none is named.
        find: Returns what a pack brings for a scheme, or None.
        create: Whether to make a file that is not there.

    Raises:
        JournalUrlError: It leads to nothing that can be a journal, or has a password in it.
        NotFoundError: There is no such file, and none is to be made.
        JournalError: The journal cannot be used.
    """
    if url is None:
        return _open_file(default, "full", create=create)
    scheme = _SCHEME.match(url)
    if scheme is None:
        return _open_file(_path(url, shown=url), "full", create=create)
    kind = (scheme["scheme"] or scheme["bare"]).lower()
    if kind == "sqlite":
        path, synchronous = _parse_sqlite(url)
        return _open_file(path, synchronous, create=create)
    refuse_password(url)
    factory = find(kind)
    if factory is None:
        raise JournalUrlError(
            f"no journal can be in '{kind}:'; no pack for it is installed",
            ways_out=(f"use a file: {_FILE}", f"or install a pack that brings '{kind}' journals"),
        )
    return factory(url)


def refuse_password(url: str) -> None:
    """Refuse a URL with a password in it, without repeating it.

    Raises:
        JournalUrlError: There is one.
    """
    # Up to the first @, also across a slash: a password that is not encoded may have one.
    place = url.partition("://")[2].partition("?")[0]
    user, at, _ = place.partition("@")
    try:
        options = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:  # A [ without its ].
        options = []
    if (at and ":" in user) or any(name.lower() in _SECRET for name, _ in options):
        raise JournalUrlError(
            "the URL of the journal has a password in it, and URLs are shown and recorded",
            ways_out=(
                "leave it out of the URL, and set PGPASSWORD",
                "or put it into ~/.pgpass, or into a service file (?service=NAME)",
            ),
        )


def _parse_sqlite(url: str) -> tuple[Path, Literal["full", "normal"]]:
    path, _, query = url.partition(":")[2].partition("?")
    if not path.startswith("///") or "#" in path:
        raise JournalUrlError(
            f"'{url}' does not lead to a file: after sqlite:// comes its absolute path",
            ways_out=(f"use {_FILE}",),
        )
    options = dict(parse_qsl(query, keep_blank_values=True))
    synchronous = options.pop("synchronous", "full")
    if options or synchronous not in _SYNCHRONOUS:
        raise JournalUrlError(
            f"'{url}' has an option that no journal in a file has: '{query}'",
            ways_out=("there are ?synchronous=full and ?synchronous=normal",),
        )
    # Some write four slashes before an absolute path; two at its start mean the same.
    file = _path("/" + unquote(path[2:]).lstrip("/"), shown=url)
    return file, "normal" if synchronous == "normal" else "full"


def _path(text: str, shown: str) -> Path:
    if not text or text == ":memory:" or text.endswith("/") or "\0" in text:
        raise JournalUrlError(f"'{shown}' is not a path of a file", ways_out=(f"use {_FILE}",))
    return Path(text)


def _open_file(
    path: str | os.PathLike[str], synchronous: Literal["full", "normal"], *, create: bool
) -> Journal:
    # SQLite is only for those who have runs.
    from handrail.journal.sqlite.journal import SqliteJournal  # noqa: PLC0415

    return SqliteJournal(path, synchronous=synchronous, create=create)
