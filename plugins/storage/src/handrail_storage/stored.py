"""The capabilities of a storage, and the objects in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Owner = Literal["ours", "absent", "foreign"]
Identity = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The capabilities of a storage, as observed by a probe.

    Attributes:
        create_only: A put that must not replace anything is refused if the key is taken.
        etag_is_md5: ETags are as S3 documents them, so they depend on the content.
        marks: Objects keep user metadata, so each can carry the mark of its run.
    """

    create_only: bool
    etag_is_md5: bool
    marks: bool

    def to_dict(self) -> dict[str, bool]:
        """Return the JSON form, with the same keys as the attributes."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An object in a listing.

    Attributes:
        key: Key below the place of the store.
        size: Bytes; -1 if it is not a file.
        etag: The storage's identifier of this content, without quotes, or None.
    """

    key: str
    size: int
    etag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Listed):
    """An object, with the metadata of its put.

    Attributes:
        mark: The run and the step that created it, `<run>/<step>`; None for those of others.
        sha256: SHA-256 of the content, if recorded.
        part_size: Bytes of each part, if an upload put it in parts.
        identity: Values that distinguish the object from others under the same key, if the storage
            keeps no marks; of JSON types.
    """

    mark: str | None = None
    sha256: str | None = None
    part_size: int | None = None
    identity: Identity | None = None

    def is_same(self, other: Stored) -> bool:
        """Return whether both are one object, by its identity, or by its ETag and its mark."""
        if self.identity is not None:
            return self.identity == other.identity
        return (self.etag, self.mark) == (other.etag, other.mark)
