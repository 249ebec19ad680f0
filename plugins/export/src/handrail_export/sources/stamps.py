"""Detects changes of the files of a source by size and time, without reading them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

from handrail import SourceChangedError
from handrail_export.sources.address import Address
from handrail_export.sources.files import FileSource

Stamps = Mapping[str, Sequence[int]]

_WRITTEN = "it was written to"


def stamps_of(address: Address) -> dict[str, list[int]]:
    """Return the size of each file, and when it last changed, in nanoseconds since the epoch.

    The names are relative to the folder of the source, so that it can be moved as a whole.

    Raises:
        SourceError: There are no files, or they cannot be read.
        OSError: A file was deleted.
    """
    source = FileSource(address)
    source.open()
    folder = os.path.dirname(address.place)
    found = {path: os.stat(path) for path in source.paths}
    return {
        os.path.relpath(path, folder): [each.st_size, each.st_mtime_ns]
        for path, each in found.items()
    }


def check_unchanged(before: Stamps, address: Address) -> None:
    """Check that the files of a source are unchanged.

    Raises:
        SourceError: There are no files left, or they cannot be read.
        SourceChangedError: Files have changed, were deleted, or are new.
        OSError: A file was deleted.
    """
    now = stamps_of(address)
    names = {**before, **now}
    changes = {name: how for name in names if (how := _change(before.get(name), now.get(name)))}
    if not changes:
        return
    first = next(iter(changes))
    path = os.path.normpath(os.path.join(os.path.dirname(address.place), first))
    more = f", and {len(changes) - 1:,} more" if len(changes) > 1 else ""
    ways_out: list[str] = []
    if changes[first] == _WRITTEN:
        whole, rest = divmod(before[first][1], 10**9)
        command = f"touch -d @{whole}.{rest:09} {shlex.quote(path)}"
        ways_out.append(f"where only the time differs:  {command}")
    raise SourceChangedError(
        f"{address.shown} has changed since the run began: {path}: {changes[first]}{more}",
        ways_out=ways_out,
    )


def _change(before: Sequence[int] | None, now: Sequence[int] | None) -> str:
    if before is None:
        return "it is new"
    if now is None:
        return "it is gone"
    if before[0] != now[0]:
        return "it grew" if now[0] > before[0] else "it shrank"
    return _WRITTEN if before[1] != now[1] else ""
