"""What the row of a chunk has of its items, what they record, and their attempts; no other rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from handrail.journal.damage import MISFIT, check_shape, damaged

if TYPE_CHECKING:
    from handrail.journal.records import ChunkRow


class AttemptId(NamedTuple):
    """One attempt at one chunk of a step.

    Attributes:
        run: The UUID of the run.
        step: The name of the step.
        step_attempt: The number of the attempt of the step: 1, 2, 3, ...
        chunk: The number of the chunk in that attempt: 0, 1, 2, ...
        attempt: The number of the attempt at the chunk: 1, 2, 3, ...; undoing it has the number of
            what it undoes.
        undo: Whether the chunk is undone.
    """

    run: str
    step: str
    step_attempt: int
    chunk: int
    attempt: int
    undo: bool = False


class Note(NamedTuple):
    """Rollback data that an item has recorded.

    Attributes:
        item: The position of the item in its chunk.
        key: The key.
        values: The values, which are JSON.
    """

    item: int
    key: str
    values: list[Any]


def items_of_chunk(run: int, row: ChunkRow) -> list[Any]:
    """Return the stored items of a chunk."""
    if row.items is None:
        return _decoded(run, row, row.results, "items")
    return _decoded(run, row, row.items, None)


def results_of_chunk(run: int, row: ChunkRow) -> list[Any]:
    """Return what the items of a chunk returned."""
    return [None] * row.size if row.results is None else _decoded(run, row, row.results, "results")


def errors_of_chunk(run: int, row: ChunkRow) -> list[tuple[int, str, str]]:
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
