"""Takes a snapshot of `sys.path`: each distribution's metadata by name, size, times and inode.

It shows whether an index is still valid. It only calls `stat`, in a few milliseconds for a
thousand distributions, and imports next to nothing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Sequence

from handrail.frozen import frozen

# JSON types, so that a snapshot can be compared with a stored one as loaded.
Stamp = list[int] | None
Listing = list[object]

_SUFFIXES = (".dist-info", ".egg-info")

# A second change within one tick of the file system's clock leaves no trace. In nanoseconds.
_TICK = 100_000_000
_COARSE_TICK = 2_000_000_000


@frozen
class Root:
    """A folder or archive on `sys.path`.

    Attributes:
        path: Its path.
        infos: Names of the metadata folders in it, sorted; empty for an archive.
        is_archive: Whether it is a file.
    """

    path: str
    infos: tuple[str, ...] = ()
    is_archive: bool = False


@frozen
class Snapshot:
    """The folders and archives on `sys.path`, with stamps of their metadata.

    Attributes:
        roots: The folders and archives, each once, in order.
        listing: The same with stamps, in JSON types.
    """

    roots: tuple[Root, ...]
    listing: list[Listing]


def stamp(path: str) -> Stamp:
    """Return size, mtime, ctime and inode of a file or folder; None if it does not exist."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def is_settled(stamps: Iterable[Stamp]) -> bool:
    """Return whether all changes are so old that any further change would alter the stamps."""
    now = time.time_ns()
    for each in stamps:
        if each is not None:
            _, modified, changed, _ = each
            tick = _TICK if max(modified, changed) % 1_000_000_000 else _COARSE_TICK
            # A clock that was set back, or a file server's, may produce the same time again.
            if now - changed < tick or 0 <= now - modified < tick:
                return False
    return True


def look(path: Sequence[str]) -> Snapshot:
    """Return a snapshot of the folders and archives on `path`."""
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
        # pip renames folders before it removes them; the new names begin with a tilde.
        if (name.endswith(_SUFFIXES) and not name.startswith("~"))
        or (is_egg and name.lower() == "egg-info")
    )
    stamps = [[name, stamp(f"{where}/{name}/entry_points.txt")] for name in infos]
    return Root(path=where, infos=tuple(infos)), list[object](stamps)


def has_other_finders() -> bool:
    """Return whether finders other than the path may provide distributions, unseen by stamps."""
    for finder in sys.meta_path:
        if getattr(finder, "find_distributions", None) is not None:
            home = finder.__module__ if isinstance(finder, type) else type(finder).__module__
            if home not in ("_frozen_importlib_external", "importlib_metadata"):
                return True
    return False
