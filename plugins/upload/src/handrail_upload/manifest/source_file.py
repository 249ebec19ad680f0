"""A file of the source, and its states."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

FOUND, INVALID = "found", "invalid"
NEW, REPLACE, UNCHANGED, SKIPPED = "new", "replace", "unchanged", "skipped"
SENT, REPLACED, LEFT_OUT = "sent", "replaced", "left-out"

# Files that this run has stored: new ones, and those that have replaced an object.
ARRIVED = (SENT, REPLACED)

# Files that are at the target when a run has succeeded.
STORED = (*ARRIVED, UNCHANGED)

# Files with nothing left to do, that a run wants to have at the target.
SETTLED = (*ARRIVED, UNCHANGED, SKIPPED)

# Files that have to be sent, or may have to be.
UNSETTLED = (FOUND, NEW, REPLACE)

# Files whose keys a run has claimed, whatever has become of them since.
CLAIMED = (*UNSETTLED, *SETTLED, LEFT_OUT)

INCOMPLETE = "incomplete"
"""The kind of a note on a unit that is not registered, as it has lost a required file."""

LATEST = (1 << 63) - 1
"""The latest time in a manifest, in the year 2262; SQLite has no larger integers."""

FILE_NAMES = (sys.getfilesystemencoding(), sys.getfilesystemencodeerrors())
"""How paths are encoded: as by `os.fsencode`, which takes three times as long for each file."""

_NAMED = attrgetter("path", "name", "key", "unit", "role")
_DATED = attrgetter("mtime", "dev", "ino", "ctime")

FoundRow = tuple[bytes, str, str, str, str, int, int, int | None, int | None, int | None]
"""A file that was found: the values of a `SourceFile` from `path`, as bytes, to `ctime`."""


@dataclass(slots=True)  # Not frozen: that takes three times as long for each file.
class SourceFile:
    """A file of the source, as it was found, with its state; never changed, only replaced.

    Attributes:
        path: Its path; undecodable bytes are kept as by `os.fsdecode`.
        name: Path below the source, with `/`; control characters and undecodable bytes as %XX.
        key: Key below the target.
        unit: Name of its data unit.
        role: Its role in that unit.
        size: Bytes.
        mtime: When its content last changed, in nanoseconds since the epoch.
        dev: Device of the file; None, like the next two, if it is not known to be of this machine.
        ino: Its inode.
        ctime: When its status last changed, in nanoseconds since the epoch.
        state: `found`, then `invalid`, or `new`, `replace`, `unchanged` or `skipped`; once it
            is stored `sent`, or `replaced` if it took the place of an object; `left-out` if it
            could not be sent, and the run went on without it.
        problem: The reason if it is not valid or was left out, or None.
        sha256: SHA-256 of the content once it has been read, in hexadecimal digits.
        etag: The ETag that the storage reported.
        version: What distinguishes the stored object from others under its key; see
            `handrail_storage.Listed.version`.
        id: Its number in the manifest, from 1; 0 before it is added.
    """

    path: str
    name: str
    key: str
    unit: str
    role: str
    size: int
    mtime: int
    dev: int | None = None
    ino: int | None = None
    ctime: int | None = None
    state: str = FOUND
    problem: str | None = None
    sha256: str | None = None
    etag: str | None = None
    version: str | None = None
    id: int = 0

    def settled(
        self, state: str, sha256: str | None, etag: str | None, version: str | None, size: int
    ) -> SourceFile:
        """Return it in a state in which it is at the target, with what is known of the object."""
        # By place: by `replace`, it takes three times as long.
        known = (state, self.problem, sha256, etag, version, self.id)
        values: tuple[Any, ...] = (*_NAMED(self), size, *_DATED(self), *known)
        return SourceFile(*values)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, with the same keys as the attributes."""
        return {name: getattr(self, name) for name in self.__slots__}
