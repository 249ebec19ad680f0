"""Detects changes of the files of a source by size and time or ETag, without reading them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence

from handrail import SourceChangedError
from handrail_export.sources.address import MAIN, Address
from handrail_export.sources.fetched import Objects
from handrail_export.sources.files import FileSource

Stamp = Sequence[int | str]
Stamps = Mapping[str, Stamp]

_WRITTEN = "it was written to"


def stamps_of(addresses: Mapping[str, Address]) -> dict[str, list[int | str]]:
    """Return the size of each file, and when it last changed, in nanoseconds since the epoch.

    Of an object it is the ETag instead of the time. The names are relative to the folder of their
    source, so that it can be moved as a whole; in front of those of a source with a name of its
    own stands that name.

    Args:
        addresses: The sources, by name.

    Raises:
        SourceError: There are no files, or they cannot be read.
        StorageError: A storage failed or refused.
        OSError: A file was deleted.
    """
    return {
        name if source == MAIN else f"{source}={name}": stamp
        for source, address in addresses.items()
        for name, stamp in _stamps(address)
    }


def _stamps(address: Address) -> Iterator[tuple[str, list[int | str]]]:
    if address.remote:
        for key, each in Objects(address).found().items():
            yield key, [each.size, each.etag or ""]
        return
    source = FileSource(address)
    source.open()
    folder = os.path.dirname(address.place)
    for path in source.paths:
        found = os.stat(path)
        yield os.path.relpath(path, folder), [found.st_size, found.st_mtime_ns]


def check_unchanged(before: Stamps, addresses: Mapping[str, Address]) -> None:
    """Check that the files of all sources are unchanged.

    Raises:
        SourceError: There are no files left, or they cannot be read.
        SourceChangedError: Files have changed, were deleted, or are new.
        StorageError: A storage failed or refused.
        OSError: A file was deleted.
    """
    now = stamps_of(addresses)
    names = {**before, **now}
    changes = {name: how for name in names if (how := _change(before.get(name), now.get(name)))}
    if not changes:
        return
    first = next(iter(changes))
    source, named, path = first.partition("=")
    if not named or source not in addresses:
        source, path = MAIN, first
    address = addresses[source]
    path = os.path.join(os.path.dirname(address.place), path)
    path = path if address.remote else os.path.normpath(path)
    more = f", and {len(changes) - 1:,} more" if len(changes) > 1 else ""
    ways_out: list[str] = []
    if changes[first] == _WRITTEN and isinstance(time := before[first][1], int):
        whole, rest = divmod(time, 10**9)
        command = f"touch -d @{whole}.{rest:09} {shlex.quote(path)}"
        ways_out.append(f"where only the time differs:  {command}")
    raise SourceChangedError(
        f"{address.shown} has changed since the run began: {path}: {changes[first]}{more}",
        ways_out=ways_out,
    )


def _change(before: Stamp | None, now: Stamp | None) -> str:
    if before is None:
        return "it is new"
    if now is None:
        return "it is gone"
    if before[0] != now[0]:
        return "it grew" if int(now[0]) > int(before[0]) else "it shrank"
    return _WRITTEN if before[1] != now[1] else ""
