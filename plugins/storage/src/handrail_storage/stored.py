"""What is known of a storage, and of the objects in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Owner = Literal["ours", "absent", "foreign"]
Identity = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a probe has shown of a storage.

    Attributes:
        create_only: A put that must not replace anything is refused where something is.
        etag_is_md5: ETags are what S3 documents, so they tell what the content is.
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
    """An object as a listing shows it.

    Attributes:
        key: Key below the place of the store.
        size: Bytes; -1 for what is no file.
        etag: What the storage calls this content, without quotes, or None.
    """

    key: str
    size: int
    etag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Listed):
    """An object, with what it was given when it was put.

    Attributes:
        mark: Which run made it, and which of its steps: `<run>/<step>`; None for one of others.
        sha256: SHA-256 of the content, where that was noted.
        part_size: Bytes of each part, where it was put in parts by an upload.
        identity: What tells the very object from another one of the same key, where the storage
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
