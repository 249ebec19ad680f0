"""What is known of the items of recorded steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from handrail.frozen import frozen
from handrail.journal import errors_of_chunk

if TYPE_CHECKING:
    from handrail.journal import Journal
    from handrail.journal.records import ChunkCount

MOST = 20
"""How many failures are read of one step."""


@frozen
class ItemFailure:
    """Why an item failed, or some of them could not be undone.

    Attributes:
        item: The position of the item in its step, from 0; of the first one, if it is about some.
        error: The error, in one line.
        traceback: The traceback, or None.
    """

    item: int
    error: str
    traceback: str | None = None


@frozen
class ItemsRecord:
    """The items of the last attempt of a step.

    Attributes:
        done: How many are done.
        failed: How many failed, and were undone then.
        begun: How many were perhaps begun, and have not ended.
        undone: How many were undone with their step.
        left: How many may not be undone, because that has failed.
        undoable: How many an undo of the step would undo.
        failures: The first failures, `MOST` at most.
    """

    done: int = 0
    failed: int = 0
    begun: int = 0
    undone: int = 0
    left: int = 0
    undoable: int = 0
    failures: tuple[ItemFailure, ...] = ()

    @property
    def described(self) -> str:
        """The numbers in words, such as `items: 1,998 done, 2 failed`."""
        words = ("done", "failed", "begun", "undone", "left")
        numbers = ((getattr(self, word), word) for word in words)
        shown = ", ".join(f"{count:,} {word}" for count, word in numbers if count)
        return f"items: {shown or 'none'}"


def items_of_steps(journal: Journal, number: int) -> dict[tuple[str, int], ItemsRecord]:
    """Return what is known of the items of a run, by step and attempt."""
    counts: dict[tuple[str, int], list[ChunkCount]] = {}
    for count in journal.chunk_counts(number):
        counts.setdefault((count.step, count.n), []).append(count)
    return {place: _record(journal, number, *place, found) for place, found in counts.items()}


def undoable(count: ChunkCount) -> int:
    """Return how many of some items an undo of their step would undo."""
    if count.state == "undone" or not count.undoable:
        return 0
    # Those that failed were undone when they did.
    return count.undoable - (count.failed if count.state == "done" else 0)


def _record(
    journal: Journal, number: int, step: str, n: int, counts: Sequence[ChunkCount]
) -> ItemsRecord:
    def items(*states: str) -> int:
        return sum(count.items for count in counts if count.state in states)

    failed = sum(count.failed for count in counts if count.state == "done")
    fails = failed or items("failed", "undo_failed")
    found: list[ItemFailure] = []
    for failure in _failures(journal, number, step, n) if fails else ():
        found.append(failure)
        if len(found) == MOST:
            break
    return ItemsRecord(
        done=items("done") - failed,
        failed=failed,
        begun=items("started", "failed"),
        undone=items("undone"),
        left=items("undo_failed"),
        undoable=sum(map(undoable, counts)),
        failures=tuple(found),
    )


def _failures(journal: Journal, number: int, step: str, n: int) -> Iterator[ItemFailure]:
    for row in journal.chunks(number, step, n, contents=False):
        if row.error is not None and row.state in ("failed", "undo_failed"):
            yield ItemFailure(item=row.first, error=row.error)
        elif row.failed and row.state == "done":
            whole = next(journal.chunks(number, step, n, first=row.number))
            for place, error, trace in errors_of_chunk(number, whole):
                yield ItemFailure(item=row.first + place, error=error, traceback=trace or None)
