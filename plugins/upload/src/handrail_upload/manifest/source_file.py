"""A file of the source, and the states that it goes through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

FOUND, INVALID = "found", "invalid"
NEW, REPLACE, UNCHANGED, SKIPPED, SENT = "new", "replace", "unchanged", "skipped", "sent"

# What is at the target when a run has ended well.
STORED = (SENT, UNCHANGED)

# What there is nothing left to do about.
SETTLED = (SENT, UNCHANGED, SKIPPED)

# What is still to be sent, or may be.
UNSETTLED = (FOUND, NEW, REPLACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of the source, as it was found, and what became of it.

    Attributes:
        id: Its number in the manifest, from 1; 0 before it is there.
        path: Where it lies; bytes that are no text are kept as `os.fsdecode` gives them.
        name: Path below the source, with `/`; control characters and bytes that are no text as %XX.
        key: Key below the target.
        unit: Name of its data unit.
        role: What it is in that unit.
        size: Bytes.
        mtime: When its content last changed, in nanoseconds since the epoch.
        state: `found`, then `invalid`, or `new`, `replace`, `unchanged` or `skipped`; `sent` once
            it is stored.
        problem: Why it is not valid, or None.
        sha256: SHA-256 of the content once it has been read, in hexadecimal digits.
        etag: What the storage reported for it.
    """

    id: int = 0
    path: str
    name: str
    key: str
    unit: str
    role: str
    size: int
    mtime: int
    state: str = FOUND
    problem: str | None = None
    sha256: str | None = None
    etag: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, with the same keys as the attributes."""
        return {name: getattr(self, name) for name in self.__slots__}
