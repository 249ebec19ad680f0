"""Cutting: reads items as they are needed, and cuts them into chunks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import TYPE_CHECKING, Any
from zlib import crc32

from handrail.errors import RollbackDataError, SourceChangedError, describe
from handrail.frozen import record
from handrail.journal import encode
from handrail.places import calls_user_code

if TYPE_CHECKING:
    from handrail.journal import ChunkRow
    from handrail_workers.items.ledger import Ledger

_BEGIN = 10  # Items in the first chunks, while nobody knows how long one takes.
_AIM = 0.5  # Seconds that a chunk should take.
_MOST = 1000
_AHEAD = 0.1  # Seconds of work that may be written as begun before there is room for it.
_MOST_AHEAD = 64


@record
class Chunk:
    """Some items of a step, while they are worked on.

    Attributes:
        number: The number of the chunk in the step.
        first: The position of its first item among all items of the step.
        items: The items.
        text: The same as JSON.
        attempt: The number of the attempt.
        chosen: The positions in it to work on, if not all.
        lost: How many attempts were lost in this process.
        known: Whether it is in the ledger.
    """

    number: int
    first: int
    items: Sequence[Any]
    text: str
    attempt: int = 1
    chosen: tuple[int, ...] | None = None
    lost: int = 0
    known: bool = False

    @property
    def digest(self) -> int:
        """A checksum of the items."""
        return crc32(self.text.encode())

    @property
    def tried(self) -> int:
        """How many items an attempt tries."""
        return len(self.items) if self.chosen is None else len(self.chosen)


class Size:
    """How many items a chunk has: as many as take half a second.

    Args:
        fixed: The number, if it does not change.
        slots: How many chunks are worked on at a time.
    """

    def __init__(self, fixed: int | None, slots: int) -> None:
        self._fixed = fixed
        self._slots = slots
        self._seconds = 0.0
        self._items = 0
        self._chunk: float | None = None

    def took(self, items: int, seconds: float) -> None:
        """Take into account how long a chunk took; the latest ones count most."""
        self._items = self._items // 2 + items
        self._seconds = self._seconds / 2 + seconds
        self._chunk = seconds if self._chunk is None else (self._chunk + seconds) / 2

    @property
    def ahead(self) -> int:
        """How many chunks to begin ahead of time, in one commit: those of a tenth of a second."""
        if self._chunk is None:
            return 0
        return min(_MOST_AHEAD, int(_AHEAD * self._slots / max(self._chunk, _AHEAD / _MOST_AHEAD)))

    def next(self, left: int | None) -> int:
        """Return the size of the next chunk; `left` is how many items are left, if that is known.

        Towards the end they become smaller, so that no slot has much more to do than the others.
        """
        if self._fixed is not None:
            return self._fixed
        size = _BEGIN
        if self._items:
            each = self._seconds / self._items
            size = _MOST if each * _MOST < _AIM else max(1, int(_AIM / each))
        if left is not None:
            size = min(size, max(_BEGIN, -(-left // (2 * self._slots))))
        return max(1, size)


class Source:
    """The items of one call, read one after the other.

    Args:
        items: The items.
        step: Name of the step, for errors.
        first: The position of the first item among all items of the step.

    Attributes:
        total: How many items there are, if that is known.
        again: Whether they can be read a second time.
    """

    def __init__(self, items: Iterable[Any], step: str, first: int) -> None:
        self._iterator = _iterated(items)
        self._step = step
        self._first = first
        self.total = len(items) if isinstance(items, Sized) else None
        self.again = self._iterator is not items
        self._read = 0

    @property
    def left(self) -> int | None:
        """How many items are left, if that is known."""
        return None if self.total is None else max(0, self.total - self._read)

    def cut(self, number: int, count: int) -> Chunk | None:
        """Return the next chunk, of `count` items or fewer; None at the end.

        Raises:
            RollbackDataError: An item has no JSON form.
            Exception: The iterable raised.
        """
        items = _taken(self._iterator, count)
        if not items:
            return None
        first, self._read = self._first + self._read, self._read + len(items)
        return Chunk(number, first, items, self._encoded(items, first))

    def recut(self, row: ChunkRow) -> Chunk:
        """Return the next chunk, which is in the ledger.

        Raises:
            SourceChangedError: The items are others.
        """
        chunk = self.cut(row.number, row.size)
        found = 0 if chunk is None else len(chunk.items)
        if chunk is None or found < row.size or chunk.digest != row.digest:
            last = row.first + row.size - 1
            how = "are others now" if found == row.size else "are not all there any more"
            raise SourceChangedError(
                f"items {row.first} to {last} of step '{self._step}', which were worked on, {how}"
            )
        chunk.attempt, chunk.known = row.attempt, True
        return chunk

    def _encoded(self, items: list[Any], first: int) -> str:
        about = f"the items of step '{self._step}'"
        try:
            return encode(items, about, passwords=True)
        except RollbackDataError:
            for position, item in enumerate(items, first):
                encode(
                    item, f"item {position} of step '{self._step}' ({item!r:.60})", passwords=True
                )
            raise


def stored_text(chunk: Chunk, ledger: Ledger, step: str) -> str:
    """Return the items of a chunk as they are stored for an undo.

    Raises:
        RollbackDataError: They have a secret.
    """
    last = chunk.first + len(chunk.items) - 1
    ledger.refuse(chunk.text, f"one of the items {chunk.first} to {last} of step '{step}'")
    return chunk.text


@calls_user_code
def _iterated(items: Iterable[Any]) -> Iterator[Any]:
    try:
        return iter(items)
    except TypeError as error:
        raise TypeError(f"the items of map_items cannot be iterated: {describe(error)}") from error


@calls_user_code
def _taken(iterator: Iterator[Any], count: int) -> list[Any]:
    return list(islice(iterator, count))
