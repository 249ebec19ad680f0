"""Opens a journal by its URL, with what a distribution provides for its scheme."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from handrail.errors import JournalUrlError, PackError
from handrail.own_points import own_point

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal

JournalFactory = Callable[..., "Journal"]
"""Opens the journal at a URL: `factory(url, create=True)`."""

GROUP = "handrail.journals"  # Entry point group: the name is a URL scheme, the object a factory.
DEFAULT = "sqlite"  # The scheme of paths.

_SCHEME = re.compile("([A-Za-z][A-Za-z0-9+.-]*)://")
_SECRET = frozenset({"password", "sslpassword"})


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
        url: A path, or a URL with a scheme that core or a pack supports; None for the default.
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
    address = os.fspath(default) if url is None else url
    named = None if url is None else _SCHEME.match(url)
    scheme = DEFAULT if named is None else named[1].lower()
    if scheme != DEFAULT:
        refuse_password(address)
    # That of core without a look at other distributions.
    factory: JournalFactory | None = own_point(GROUP, scheme) or find(scheme)
    if factory is None:
        raise JournalUrlError(
            f"no installed pack provides journals in '{scheme}:'",
            ways_out=(
                "use a file: .handrail/runs.db",
                f"or install a pack that provides '{scheme}' journals",
            ),
        )
    return checked(factory(address, create=create), scheme)


def checked(journal: object, scheme: str) -> Journal:
    """Return what a pack provides as a journal for a scheme of URLs, if it is one.

    Raises:
        PackError: It is none, or was written for another version of `Journal`.
    """
    from handrail.journal.protocol import VERSION, Journal  # noqa: PLC0415 - not for a look at URLs

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
