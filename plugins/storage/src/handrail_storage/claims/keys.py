"""The keys of a run, and their extent, which rules out most other runs with other keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from functools import cached_property

from handrail.frozen import frozen
from handrail_storage.claims.lists import Lines, WantedList


class Keys(Iterable[str], Sized):
    """The keys of a run, which are read from its list each time.

    Args:
        lines: The list.
        extent: What is known of the keys already, so that the list is not read for that.

    Raises:
        StorageError: The list is damaged; so does each method.
    """

    def __init__(self, lines: Lines, extent: Extent | None = None) -> None:
        self.lines = lines
        self._extent = extent

    @classmethod
    def of(cls, keys: Iterable[str]) -> Keys:
        """Return keys that are in memory."""
        return cls(WantedList.of_rows((key, None) for key in dict.fromkeys(keys)))

    def __iter__(self) -> Iterator[str]:
        return (row[0] for rows in self.lines.rows() for row in rows)

    def __len__(self) -> int:
        return self.extent.count

    @property
    def extent(self) -> Extent:
        """Their number, the first and the last one."""
        return self._extent or self._known[0]

    @property
    def folders(self) -> set[str]:
        """The folders that contain them."""
        return self._known[1]

    @cached_property
    def _known(self) -> tuple[Extent, set[str]]:
        count, ends, folders = 0, list[str](), set[str]()
        for rows in self.lines.rows():
            keys = [row[0] for row in rows]
            count += len(keys)
            # The order of the lines is not that of the keys.
            ends = [min([*ends, *keys]), max([*ends, *keys])]
            folders.update({key.rpartition("/")[0] for key in keys})
        first, last = ends or ("", "")
        return Extent(count=count, first=first, last=last), folders


@frozen
class Extent:
    """What is known of keys without each of them; most other runs are ruled out by it.

    Attributes:
        count: Their number.
        first: The first one, in the order of code points; empty if there is none.
        last: The last one.
    """

    count: int
    first: str
    last: str

    def may_share(self, keys: Keys) -> bool:
        """Return whether one of `keys` may be one of these; False if that is certain."""
        theirs = keys.extent
        if not self.count or not theirs.count:
            return False
        return self.first <= theirs.last and theirs.first <= self.last
