"""StepOfItems: the attempt of a step that has items, and the calls for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from handrail.events import MessageLogged
from handrail.frozen import record
from handrail.journal import AttemptId, Note, decode
from handrail_workers.executors.protocol import ChunkCall

if TYPE_CHECKING:
    from handrail_workers.executors.protocol import Done
    from handrail_workers.items.calls import StepHost
    from handrail_workers.items.cutting import Chunk
    from handrail_workers.items.ledger import Ledger


@record
class StepOfItems:
    """The attempt of a step that has items.

    Attributes:
        run: The UUID of the run.
        number: The number of the run, or 0.
        action: The name of the action.
        name: The name of the step.
        n: The number of its attempt.
        ledger: The accounts of its items.
        host: What its executor is offered.
        retries: Whether items that failed earlier are tried again.
        keep: Keeps a log line of an item, called with its event.
    """

    run: str
    number: int
    action: str
    name: str
    n: int
    ledger: Ledger
    host: StepHost
    retries: bool = False
    keep: Callable[[MessageLogged], object] | None = None

    def keep_lines(self, outcome: Done, first: int) -> None:
        """Keep what the items of a chunk have logged.

        Args:
            outcome: How the chunk went.
            first: The position of its first item.
        """
        if self.keep is not None:
            for item, event, data in outcome.logged:
                said = {"item": first + item, **data}
                self.keep(MessageLogged(step=self.name, name=event, data=said, file=None))

    def id_of(self, chunk: int, attempt: int, *, undo: bool = False) -> AttemptId:
        """Return the id of an attempt at a chunk."""
        return AttemptId(self.run, self.name, self.n, chunk, attempt, undo)


def call_of(step: StepOfItems, chunk: Chunk, shared: Any) -> ChunkCall:
    """Return the call to work on a chunk."""
    return ChunkCall(
        attempt=step.id_of(chunk.number, chunk.attempt),
        first=chunk.first,
        items=chunk.items,
        shared=shared,
        chosen=chunk.chosen,
        name=step.action,
    )


def undo_call(
    step: StepOfItems,
    number: int,
    first: int,
    attempt: int,
    items: Sequence[Any],
    shared: Any,
    chosen: tuple[int, ...] | None,
) -> ChunkCall:
    """Return the call to undo a chunk, or the chosen items of it, with what they recorded."""
    return ChunkCall(
        attempt=step.id_of(number, attempt, undo=True),
        first=first,
        items=items,
        shared=shared,
        chosen=chosen,
        notes=_latest_notes(step, number),
        name=step.action,
    )


def _latest_notes(step: StepOfItems, chunk: int) -> tuple[Note, ...]:
    """Return what each item recorded in the last attempt in which it recorded anything.

    What it had recorded before that was undone.
    """
    rows = step.ledger.notes(chunk)
    latest: dict[int, int] = {}
    for row in rows:
        latest[row.item] = max(row.attempt, latest.get(row.item, 0))
    about = f"a note of an item in chunk {chunk} of step '{step.name}'"
    return tuple(
        Note(row.item, row.key, decode(row.values, list, step.number, about))
        for row in rows
        if row.attempt == latest[row.item]
    )
