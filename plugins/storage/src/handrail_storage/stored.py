"""The capabilities of a storage, and the objects in it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import field

from handrail.frozen import frozen, values_of

Identity = tuple[int, ...]


@frozen
class Capabilities:
    """The capabilities of a storage, as observed by a probe.

    Attributes:
        create_only: A put that must not replace anything is refused if the key is taken.
        etag_is_md5: ETags are as S3 documents them, so they depend on the content.
        marks: Each object can carry the mark of its run.
        replace_if: A put that names another object than the stored one is refused.
        delete_if: A request to delete another object than the stored one is refused.
    """

    create_only: bool
    etag_is_md5: bool
    marks: bool
    replace_if: bool = False
    delete_if: bool = False

    def to_dict(self) -> dict[str, bool]:
        """Return the JSON form, with the same keys as the attributes."""
        return values_of(self)


@frozen
class Listed:
    """An object in a listing.

    Attributes:
        key: Key below the place of the store.
        size: Bytes; -1 if it is not a file.
        etag: The storage's identifier of this content, without quotes, or None.
        identity: Values that distinguish a file from others under the same name, where there are
            no ETags; of JSON types.
        modified: When it was last changed, in nanoseconds since the epoch; 0 if nobody has asked
            for it. It is not compared.
    """

    key: str
    size: int
    etag: str | None
    identity: Identity | None = None
    modified: int = field(default=0, compare=False)

    @property
    def version(self) -> str | None:
        """A text that no other object or content under the key has; None if there is none."""
        if self.identity is not None:
            return str(self.identity)
        return None if self.etag is None else f"{self.etag}-{self.size}"

    def is_same(self, other: Listed) -> bool:
        """Return whether both are one object, by identity, ETag and size.

        The runs that made them are compared too, where both have their metadata.
        """
        if isinstance(self, Stored) and isinstance(other, Stored) and self.run != other.run:
            return False
        mine = (self.identity, self.etag, self.size)
        return mine == (other.identity, other.etag, other.size)


@frozen
class Stored(Listed):
    """An object, with the metadata of its put.

    Attributes:
        mark: The run and the step that created it, `<run>/<step>`; None for those of others.
        sha256: SHA-256 of the content, if recorded.
        part_size: Bytes of each part, if an upload put it in parts.
    """

    mark: str | None = None
    sha256: str | None = None
    part_size: int | None = None

    @property
    def run(self) -> str | None:
        """The run that created it; None for those of others."""
        return None if self.mark is None else self.mark.partition("/")[0]


class Glanced(Mapping[str, Listed]):
    """Objects by their keys, each of which is made when it is asked for."""

    @abstractmethod
    def versions(self) -> Mapping[str, str | None]:
        """Return the version of each object, by its key."""


def versions_of(found: Mapping[str, Listed]) -> Mapping[str, str | None]:
    """Return the version of each object, by its key."""
    if isinstance(found, Glanced):
        return found.versions()
    return {key: each.version for key, each in found.items()}
