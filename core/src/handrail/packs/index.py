"""Finds the installed packs from metadata alone, with an index file as a cache.

The index is a file, used only if it matches the installed distributions. Otherwise the metadata of
all distributions that mention us are read, see `discovery`.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from binascii import crc32
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import handrail
from handrail.errors import Problem
from handrail.frozen import frozen, values_of
from handrail.origin import Origin
from handrail.packs.record import EntryPoint, Extension, PackRecord
from handrail.packs.snapshot import Snapshot, Stamp, has_other_finders, is_settled, look, stamp
from handrail.settings.trust import distrust, read_file

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 5
KEPT = 32
"""The maximum number of index files of a user, one for each search path."""


@frozen
class Index:
    """What is installed.

    Attributes:
        records: A record of every pack, sorted by id; its status is `on` or `broken` here.
        extensions: The entry points in groups of packs, of all distributions.
        plugin_free: The path that was searched, if no distribution has a plugin of pydantic.
    """

    records: tuple[PackRecord, ...]
    extensions: tuple[Extension, ...] = ()
    plugin_free: Sequence[str] | None = None


def read_index(
    path: Sequence[str] | None = None, *, cache: Path | Literal["default"] | None = "default"
) -> Index:
    """Return what is installed; imports nothing of it.

    Args:
        path: Folders and archives to search; by default, `sys.path`.
        cache: Folder for the index file; None for no index.
    """
    folder = default_folder(os.environ) if cache == "default" else cache
    others = path is None and has_other_finders()
    # `sys.path` may contain objects that are not strings; the import system ignores them.
    searched: list[str] = list(filter(_is_text, sys.path if path is None else path))
    now = look(searched)
    file = None if folder is None or others else index_file(folder, searched)
    kept = None if file is None else restore(file, searched, now)
    if kept is not None:
        return kept
    # Imported here, because it is not needed if the index is valid.
    from handrail.packs.discovery import Reading  # noqa: PLC0415

    reading = Reading(path=searched, now=now, with_others=others)
    records = reading.records()
    index = Index(
        records=records,
        extensions=reading.extensions(records),
        plugin_free=None if reading.has_plugins else searched,
    )
    # Store the index only if nothing changed meanwhile and every later change can be detected.
    if file is not None and reading.can_be_kept and look(searched) == now:
        keep(file, searched, now, reading.watched, index)
    return index


def extensions(group: str) -> list[Extension]:
    """Return the entry points in a group of a pack, of all installed distributions.

    For packs that others extend. They are known from the index, so it is much faster than
    `importlib.metadata`, and imports nothing.

    Args:
        group: The group, in a package of the pack: `acme_ship.carriers`.
    """
    return [each for each in read_index().extensions if each.group == group]


def _is_text(entry: object) -> bool:
    return isinstance(entry, str)


def default_folder(environ: Mapping[str, str]) -> str | None:
    """Return the folder for index files, or None if they are disabled.

    It is `HANDRAIL_CACHE`, or `handrail` in the user's cache folder. An empty `HANDRAIL_CACHE`
    disables index files.
    """
    own = environ.get("HANDRAIL_CACHE")
    if own is not None:
        return own or None
    folder = environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(folder, "handrail") if os.path.isabs(folder) else None


def index_file(folder: str | Path, path: Sequence[str]) -> str:
    """Return the index file in `folder` for this user, this interpreter and `path`."""
    name = crc32("\0".join((sys.prefix, *path)).encode(errors="surrogateescape"))
    return os.path.join(folder, f"{_prefix()}{name:08x}.json")


def _prefix() -> str:
    # Users may share the folder, but each trusts only their own index.
    return f"packs-{os.geteuid()}-" if hasattr(os, "geteuid") else "packs-"


def restore(file: str, path: Sequence[str], now: Snapshot) -> Index | None:
    """Return the index in `file`, or None if it does not match what is installed now."""
    try:
        raw, distrusted = read_file(file)
        head, _, body = raw.partition(b"\n")
        if distrusted is not None or _is_foreign(os.path.dirname(file)) or head != _head(body):
            return None
        kept: Any = json.loads(body)
        if kept["key"] != _key(path) or kept["listing"] != now.listing:
            return None
        if any(stamp(watched) != then for watched, then in kept["watched"]):
            return None
        records = tuple(_record(each) for each in kept["records"])
        extensions = tuple(Extension(**each) for each in kept["extensions"])
        plugin_free = path if kept["plugin_free"] is True else None
        return Index(records=records, extensions=extensions, plugin_free=plugin_free)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        # Ignore any damage: the index can be made again.
        return None


def keep(
    file: str,
    path: Sequence[str],
    then: Snapshot,
    watched: Mapping[str, Stamp],
    index: Index,
) -> None:
    """Write the index to `file`, unless it cannot be written or files are still changing.

    Args:
        file: The index file.
        path: The search path.
        then: The snapshot taken before the records were read.
        watched: Stamps of further files and folders on which the records depend.
        index: The index.
    """
    listed: list[Any] = [pair for _, *pairs in then.listing for pair in pairs]
    if not is_settled([*(changed for _, changed in listed), *watched.values()]):
        return
    kept = {
        "key": _key(path),
        "listing": then.listing,
        "watched": list(watched.items()),
        "records": [_plain(record) for record in index.records],
        "extensions": [values_of(each) for each in index.extensions],
        "plugin_free": index.plugin_free is not None,
    }
    draft = f"{file}.{os.getpid()}-{time.monotonic_ns()}"
    try:
        body = json.dumps(kept, separators=(",", ":")).encode()
        folder = os.path.dirname(file)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        if _is_foreign(folder):
            return
        try:
            with open(draft, "xb", opener=_for_oneself) as stream:
                stream.write(_head(body) + b"\n" + body)
            os.replace(draft, file)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise
        _prune(folder)
    except (OSError, ValueError):
        # Ignore the error: an index only saves time.
        return


def _prune(folder: str) -> None:
    """Remove all but the latest indexes of this user, and unfinished files of killed processes."""
    written: list[tuple[int, str]] = []
    for each in os.scandir(folder):
        if each.name.startswith(_prefix()):
            with suppress(FileNotFoundError):  # Removed by another process.
                written.append((each.stat(follow_symlinks=False).st_mtime_ns, each.path))
    for _, file in sorted(written)[:-KEPT]:
        with suppress(OSError):
            os.unlink(file)


def _is_foreign(folder: str) -> bool:
    """Return whether a folder belongs to another user, or everyone may replace its files."""
    found = distrust(folder)
    if found is None or found.owner:
        return found is not None
    # In a sticky folder users can replace only their own files, and each file is checked.
    return not os.stat(folder).st_mode & stat.S_ISVTX


def _for_oneself(draft: str, flags: int) -> int:
    # With a umask that lets everyone write, the index would not be trusted.
    return os.open(draft, flags, 0o644)


def _head(body: bytes) -> bytes:
    return b"handrail-index %d %08x" % (FORMAT, crc32(body))


def _key(path: Sequence[str]) -> list[object]:
    version = [sys.implementation.name, *sys.version_info[:2]]
    return [FORMAT, handrail.__version__, version, sys.prefix, list(path)]


def _plain(record: PackRecord) -> dict[str, object]:
    return {
        **values_of(record),
        "entry_points": [[each.group, each.name, each.value] for each in record.entry_points],
        "problems": [problem.to_dict() for problem in record.problems],
    }


def _record(kept: dict[str, Any]) -> PackRecord:
    points = [
        EntryPoint(group=group, name=name, value=value)
        for group, name, value in kept["entry_points"]
    ]
    values: dict[str, Any] = {
        **kept,
        "entry_points": tuple(points),
        "requires": tuple(kept["requires"]),
        "packages": tuple(kept["packages"]),
        "problems": tuple(_problem(each) for each in kept["problems"]),
    }
    return PackRecord(**values)


def _problem(kept: dict[str, Any]) -> Problem:
    return Problem(
        code=kept["code"],
        message=kept["message"],
        origins=tuple(Origin(**origin) for origin in kept["origins"]),
        ways_out=tuple(kept["ways_out"]),
        details=tuple(kept["details"]),
    )
