"""Items: what came of the items of a step."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from handrail.journal.damage import MISFIT, check_shape, damaged

if TYPE_CHECKING:
    from handrail.items.ledger import Ledger
    from handrail.journal.records import ChunkRow


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
            failed = {place for place, *_ in errors_of(self._run, row)}
            results = results_of(self._run, row)
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
            for place, error, *_ in errors_of(self._run, row):
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
                yield row, items_of(self._run, row)
            else:
                yield row, list(islice(source, row.size))


def items_of(run: int, row: ChunkRow) -> list[Any]:
    """Return the stored items of a chunk."""
    if row.items is None:
        return _decoded(run, row, row.results, "items")
    return _decoded(run, row, row.items, None)


def results_of(run: int, row: ChunkRow) -> list[Any]:
    """Return what the items of a chunk returned."""
    return [None] * row.size if row.results is None else _decoded(run, row, row.results, "results")


def errors_of(run: int, row: ChunkRow) -> list[tuple[int, str, str]]:
    """Return the position in the chunk, the error and the traceback of each item that failed."""
    if row.errors is None:
        return []
    try:
        found = [(place, str(error), str(trace)) for place, error, trace in json.loads(row.errors)]
        if all(type(place) is int and 0 <= place < row.size for place, *_ in found):
            return found
    except MISFIT as error:
        raise damaged(run, _name(row), error) from error
    raise damaged(run, _name(row), "has errors of items that it does not have")


def _decoded(run: int, row: ChunkRow, text: str | None, key: str | None) -> list[Any]:
    """Return a list of the size of the chunk, which may be stored together with another one."""
    try:
        whole = str(text)
        found: Any = json.loads(whole)
        listed: list[Any] = found[key] if key is not None and whole.startswith("{") else found
        check_shape(listed, list)
        if len(listed) == row.size:
            return listed
    except MISFIT as error:
        raise damaged(run, _name(row), error) from error
    raise damaged(run, _name(row), "has another number of items than it should")


def _name(row: ChunkRow) -> str:
    return f"chunk {row.number} of the items of step '{row.step}'"
