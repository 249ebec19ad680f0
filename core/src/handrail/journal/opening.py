"""Opens a journal by its URL: the built-in one, or one provided by a pack."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypedDict
from urllib.parse import parse_qsl, unquote, urlsplit

from handrail.errors import JournalUrlError, PackError

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal

JournalFactory = Callable[[str], "Journal"]
"""Opens the journal at a URL."""


class _Options(TypedDict, total=False):
    synchronous: Literal["full", "normal"]
    lease: float


GROUP = "handrail.journals"  # Entry point group: the name is a URL scheme, the object a factory.

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://|(?P<bare>sqlite):")
_SECRET = frozenset({"password", "sslpassword"})
_FILE = ".handrail/runs.db or sqlite:///srv/runs.db: a file"
_SYNCHRONOUS = ("full", "normal")
_LEASE = re.compile("[1-9][0-9]{0,4}")


def _installed(scheme: str) -> JournalFactory | None:
    from importlib.metadata import entry_points  # noqa: PLC0415 - not for files

    found = entry_points(group=GROUP, name=scheme)
    return next((entry.load() for entry in found), None)


def open_journal(
    url: str | None,
    *,
    default: str | os.PathLike[str] = "",
    find: Callable[[str], JournalFactory | None] = _installed,
    create: bool = True,
) -> Journal:
    """Open the journal at `url`.

    Args:
        url: A path, `sqlite:///path`, or a URL with a scheme that a pack supports; None for the
            default. `sqlite:///path` accepts `?synchronous=normal`, for commits that may be lost
            in a power failure, and `?lease=5`, the seconds without a sign of life after which an
            owner is considered stopped.
        default: Path of the default journal.
        find: Returns a pack's factory for a URL scheme, or None; by default, that of any installed
            pack, also of one that is off.
        create: Whether to create a missing file.

    Raises:
        JournalUrlError: The URL is not valid, its scheme is unknown, or it contains a password.
        NotFoundError: The file does not exist, and `create` is false.
        PackError: The pack's journal is not one, or is for another version of Handrail.
        JournalError: The journal cannot be used.
    """
    if url is None:
        return _open_file(default, {}, create=create)
    scheme = _SCHEME.match(url)
    if scheme is None:
        return _open_file(_path(url, shown=url), {}, create=create)
    kind = (scheme["scheme"] or scheme["bare"]).lower()
    if kind == "sqlite":
        path, options = _parse_sqlite(url)
        return _open_file(path, options, create=create)
    refuse_password(url)
    factory = find(kind)
    if factory is None:
        raise JournalUrlError(
            f"no installed pack provides journals in '{kind}:'",
            ways_out=(f"use a file: {_FILE}", f"or install a pack that provides '{kind}' journals"),
        )
    return checked(factory(url), kind)


def checked(journal: object, scheme: str) -> Journal:
    """Return what a pack provides as a journal for a scheme of URLs, if it is one.

    Raises:
        PackError: It is none, or was written for another version of `Journal`.
    """
    from handrail.journal.protocol import VERSION, Journal  # noqa: PLC0415 - not for files

    if not isinstance(journal, Journal):
        raise PackError(
            f"the pack for journals in '{scheme}:' returns {type(journal).__name__}, which does "
            "not derive from handrail.journal.Journal"
        )
    version = getattr(journal, "version", None)
    if version != VERSION:
        journal.close()
        raise PackError(
            f"the pack for journals in '{scheme}:' was written for version {version} of journals, "
            f"and this Handrail has {VERSION}",
            ways_out=("install versions of both that fit",),
        )
    return journal


def refuse_password(url: str) -> None:
    """Check that `url` contains no password; the error does not repeat it.

    Raises:
        JournalUrlError: The URL contains a password.
    """
    # Search up to the first @, across slashes: an unencoded password may contain a slash.
    place = url.partition("://")[2].partition("?")[0]
    user, at, _ = place.partition("@")
    try:
        options = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    except ValueError:  # Unbalanced brackets.
        options = []
    if (at and ":" in user) or any(name.lower() in _SECRET for name, _ in options):
        raise JournalUrlError(
            "the URL of the journal has a password in it, and URLs are shown and recorded",
            ways_out=(
                "leave it out of the URL, and set PGPASSWORD",
                "or put it into ~/.pgpass, or into a service file (?service=NAME)",
            ),
        )


def _parse_sqlite(url: str) -> tuple[Path, _Options]:
    path, _, query = url.partition(":")[2].partition("?")
    if not path.startswith("///") or "#" in path:
        raise JournalUrlError(
            f"'{url}' does not lead to a file: sqlite:// must be followed by an absolute path",
            ways_out=(f"use {_FILE}",),
        )
    given = dict(parse_qsl(query, keep_blank_values=True))
    options: _Options = {}
    synchronous, lease = given.pop("synchronous", "full"), given.pop("lease", None)
    if given or synchronous not in _SYNCHRONOUS or not (lease is None or _LEASE.fullmatch(lease)):
        raise JournalUrlError(
            f"'{url}' has an unknown option: '{query}'",
            ways_out=("the options are ?synchronous=full, ?synchronous=normal and ?lease=SECONDS",),
        )
    if synchronous == "normal":
        options["synchronous"] = "normal"
    if lease is not None:
        options["lease"] = float(lease)
    # Accept four slashes before an absolute path, as in URLs of SQLAlchemy.
    return _path("/" + unquote(path[2:]).lstrip("/"), shown=url), options


def _path(text: str, shown: str) -> Path:
    if not text or text == ":memory:" or text.endswith("/") or "\0" in text:
        raise JournalUrlError(f"'{shown}' is not the path of a file", ways_out=(f"use {_FILE}",))
    return Path(text)


def _open_file(path: str | os.PathLike[str], options: _Options, *, create: bool) -> Journal:
    # Imported here, so that sqlite3 is loaded only if it is used.
    from handrail.builtin.sqlite.journal import SqliteJournal  # noqa: PLC0415

    return SqliteJournal(path, create=create, **options)
