"""What lies on the path right now: every distribution's files, by name, size, times and inode.

This is what tells whether an index still fits. It only asks the file system, about a thousand
distributions in some milliseconds, and imports next to nothing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence

from handrail.frozen import frozen

# JSON forms, so that a stored one can be compared as it is read.
Stamp = list[int] | None
Listing = list[object]

_SUFFIXES = (".dist-info", ".egg-info")

# A file may be changed again within one tick of the clock that stamps it, without leaving a trace.
_TICK = 100_000_000
_COARSE_TICK = 2_000_000_000


@frozen
class Root:
    """One folder or archive on the path.

    Attributes:
        path: Where it is.
        infos: Names of the metadata folders in it, sorted; empty for an archive.
        is_archive: Whether it is a file.
    """

    path: str
    infos: tuple[str, ...] = ()
    is_archive: bool = False


@frozen
class Snapshot:
    """The path, and the stamps of what matters on it.

    Attributes:
        roots: Its folders and archives, each once, in order.
        listing: The same with stamps, in a form that JSON keeps.
    """

    roots: tuple[Root, ...]
    listing: list[Listing]


def stamp(path: str) -> Stamp:
    """Return size, time of change, time of status change and inode; None when there is nothing."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def is_settled(stamps: Iterable[Stamp]) -> bool:
    """Whether all changes are old enough for a later one to show."""
    now = time.time_ns()
    for each in stamps:
        if each is not None:
            _, modified, changed, _ = each
            tick = _TICK if max(modified, changed) % 1_000_000_000 else _COARSE_TICK
            # A clock that was set back, or that of a server, may come by the same time again.
            if now - changed < tick or 0 <= now - modified < tick:
                return False
    return True


def look(path: Sequence[str]) -> Snapshot:
    """Look at every folder and archive on `path`."""
    roots: list[Root] = []
    listing: list[Listing] = []
    seen: set[tuple[int, int]] = set()
    for entry in path:
        try:
            where = os.path.abspath(entry)
            found = os.stat(where)
        except (OSError, ValueError):
            continue
        # `lib64` is often a link to `lib`.
        if (found.st_dev, found.st_ino) in seen:
            continue
        seen.add((found.st_dev, found.st_ino))
        if os.path.isdir(where):
            root, stamps = _folder(where)
            roots.append(root)
            listing.append([where, *stamps])
        else:
            roots.append(Root(path=where, is_archive=True))
            listing.append([where, ["", stamp(where)]])
    return Snapshot(roots=tuple(roots), listing=listing)


def _folder(where: str) -> tuple[Root, list[object]]:
    try:
        names = os.listdir(where)
    except OSError:
        names = []
    is_egg = where.lower().endswith(".egg")
    infos = sorted(
        name
        for name in names
        # pip renames what it is about to remove to something that begins with a tilde.
        if (name.endswith(_SUFFIXES) and not name.startswith("~"))
        or (is_egg and name.lower() == "egg-info")
    )
    stamps = [[name, stamp(f"{where}/{name}/entry_points.txt")] for name in infos]
    return Root(path=where, infos=tuple(infos)), list[object](stamps)


def has_other_finders() -> bool:
    """Whether something else than the path may bring distributions, which no stamp can show."""
    for finder in sys.meta_path:
        if getattr(finder, "find_distributions", None) is not None:
            home = finder.__module__ if isinstance(finder, type) else type(finder).__module__
            if home not in ("_frozen_importlib_external", "importlib_metadata"):
                return True
    return False
