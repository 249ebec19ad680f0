"""What items record, and the attempts in which they do; workers import this without the rows."""

from __future__ import annotations

from typing import Any, NamedTuple


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
