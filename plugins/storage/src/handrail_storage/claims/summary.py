"""A summary of the keys of a run, which rules most other runs out without reading their lists."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Sized
from functools import cached_property
from typing import Any

from handrail.frozen import frozen
from handrail_storage.claims.lists import Lines, WantedList

_MOST = 4000  # Names in a filter, which then takes 5 kB.
_BITS, _HASHES = 10, 5  # A name in a hundred passes by accident.


class Keys(Iterable[str], Sized):
    """The keys of a run, which are read from its list each time.

    Args:
        lines: The list.

    Raises:
        StorageError: The list is damaged; so does each method.
    """

    def __init__(self, lines: Lines) -> None:
        self.lines = lines

    @classmethod
    def of(cls, keys: Iterable[str]) -> Keys:
        """Return keys that are in memory."""
        return cls(WantedList.of_rows((key, None) for key in dict.fromkeys(keys)))

    def __iter__(self) -> Iterator[str]:
        return (row[0] for rows in self.lines.rows() for row in rows)

    def __len__(self) -> int:
        return self.extent.count

    @cached_property
    def extent(self) -> Extent:
        """Their number, the first and the last one, and their folders."""
        extent = Extent()
        for rows in self.lines.rows():
            extent.add([row[0] for row in rows])
        return extent


class Extent:
    """What is known of keys without each of them.

    Attributes:
        count: Their number.
        first: The first one, in the order of code points; empty if there is none.
        last: The last one.
        folders: The folders that contain them.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first = self.last = ""
        self.folders: set[str] = set()

    def add(self, keys: Sequence[str]) -> None:
        """Add keys, at least one."""
        self.first = min(*keys, self.first or keys[0])
        self.last = max(*keys, self.last)
        self.count += len(keys)
        self.folders.update({key.rpartition("/")[0] for key in keys})


@frozen
class Summary:
    """The number of keys, the first and the last one, and a Bloom filter.

    Attributes:
        count: The number of keys.
        first: The first key, in the order of code points.
        last: The last one.
        kind: The names in the filter: `keys`; `folders`, if there are fewer of them; or `none`.
        filter: The bits of the filter.
    """

    count: int
    first: str
    last: str
    kind: str
    filter: bytes

    @classmethod
    def of(cls, keys: Keys) -> Summary:
        """Return the summary of keys."""
        extent = keys.extent
        kind: str = "keys"
        names: Keys | Collection[str] = keys
        if extent.count > _MOST:
            kind, names = "folders", extent.folders
        if len(names) > _MOST:
            kind, names = "none", ()
        bits = bytearray(-(-len(names) * _BITS // 8))
        for name in names:
            for place in _places(name, len(bits)):
                bits[place >> 3] |= 1 << (place & 7)
        return cls(
            count=extent.count,
            first=extent.first,
            last=extent.last,
            kind=kind,
            filter=bytes(bits),
        )

    def may_share(self, keys: Keys) -> bool:
        """Return whether one of `keys` may be one of its own; False if that is certain."""
        extent = keys.extent
        if not self.count or not extent.count:
            return False
        if extent.last < self.first or extent.first > self.last:
            return False
        if not self.filter:
            return True
        names = keys if self.kind == "keys" else extent.folders
        return any(self._has(name) for name in names)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "count": self.count,
            "first": self.first,
            "last": self.last,
            "kind": self.kind,
            "filter": base64.b64encode(self.filter).decode(),
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Summary:
        """Return the summary in its JSON form.

        Raises:
            ValueError: It is malformed.
        """
        return cls(
            count=int(document["count"]),
            first=str(document["first"]),
            last=str(document["last"]),
            kind=str(document["kind"]),
            filter=base64.b64decode(str(document["filter"]), validate=True),
        )

    def _has(self, name: str) -> bool:
        bits = self.filter
        return all(bits[place >> 3] >> (place & 7) & 1 for place in _places(name, len(bits)))


def _places(name: str, size: int) -> Iterator[int]:
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    first, second = int.from_bytes(digest[:8]), int.from_bytes(digest[8:]) | 1
    for number in range(_HASHES):
        yield (first + number * second) % (size * 8)
