"""A summary of the keys of a run, which rules most other runs out without reading their lists."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_MOST = 4000  # Names in a filter, which then takes 5 kB.
_BITS, _HASHES = 10, 5  # A name in a hundred passes by accident.


class Keys:
    """The keys of a run.

    Args:
        keys: The keys.
    """

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = frozenset(keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    @cached_property
    def first(self) -> str:
        """The first one, in the order of code points."""
        return min(self._keys, default="")

    @cached_property
    def last(self) -> str:
        """The last one."""
        return max(self._keys, default="")

    @cached_property
    def folders(self) -> frozenset[str]:
        """The folders that contain them."""
        return frozenset(key.rpartition("/")[0] for key in self._keys)


@dataclass(frozen=True, slots=True, kw_only=True)
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
        kind: str = "keys"
        names: Collection[str] = keys
        if len(names) > _MOST:
            kind, names = "folders", keys.folders
        if len(names) > _MOST:
            kind, names = "none", ()
        bits = bytearray(-(-len(names) * _BITS // 8))
        for name in names:
            for place in _places(name, len(bits)):
                bits[place >> 3] |= 1 << (place & 7)
        return cls(count=len(keys), first=keys.first, last=keys.last, kind=kind, filter=bytes(bits))

    def may_share(self, keys: Keys) -> bool:
        """Return whether one of `keys` may be one of its own; False if that is certain."""
        if not self.count or not len(keys):
            return False
        if keys.last < self.first or keys.first > self.last:
            return False
        if not self.filter:
            return True
        names = keys if self.kind == "keys" else keys.folders
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
