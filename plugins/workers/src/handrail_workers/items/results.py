"""Items: what came of the items of a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from handrail.journal import errors_of_chunk, items_of_chunk, results_of_chunk

if TYPE_CHECKING:
    from handrail.journal import ChunkRow
    from handrail_workers.items.ledger import Ledger


class Items:
    """What came of the items of a step, as `context.map_items` returns it.

    Iterating yields `(item, result)` for each item that is done, in the order of the items; it
    reads them from the journal, and holds a few.

    Args:
        ledger: The accounts of the items.
        part: The number of the first chunk.
        items: The items, if they can be read again; None if the ledger has them.
        run: The number of the run, for errors.

    Attributes:
        count: How many items are done.
        failed: How many failed.
    """

    def __init__(
        self, ledger: Ledger, part: int, items: Iterable[Any] | None, run: int | None
    ) -> None:
        self.count = 0
        self.failed = 0
        self._ledger = ledger
        self._part = part
        self._items = items
        self._run = run or 0

    def __repr__(self) -> str:
        return f"Items(count={self.count}, failed={self.failed})"

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for row, items in self._rows():
            failed = {place for place, *_ in errors_of_chunk(self._run, row)}
            results = results_of_chunk(self._run, row)
            for place, (item, result) in enumerate(zip(items, results, strict=True)):
                if place not in failed:
                    yield item, result

    def errors(self) -> Iterator[tuple[int, Any, str]]:
        """Yield `(position, item, error)` for each item that failed, in the order of the items.

        The position counts from 0.
        """
        start: int | None = None
        for row, items in self._rows():
            start = row.first if start is None else start
            for place, error, *_ in errors_of_chunk(self._run, row):
                yield row.first - start + place, items[place], error

    def _rows(self) -> Iterator[tuple[ChunkRow, list[Any]]]:
        source = None if self._items is None else iter(self._items)
        for row in self._ledger.chunks(first=self._part):
            if row.part != self._part:
                return
            if row.state != "done":
                if source is not None:
                    list(islice(source, row.size))
                continue
            if source is None:
                yield row, items_of_chunk(self._run, row)
            else:
                yield row, list(islice(source, row.size))
