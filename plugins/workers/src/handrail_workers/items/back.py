"""The way back of the items of a step: chunks in reverse order, through the same executor."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from handrail.errors import HandrailError, ItemsUndoError
from handrail.frozen import record
from handrail.journal import ChunkChange, check_shape, decoding, errors_of_chunk, items_of_chunk
from handrail_workers.executors.protocol import CodeRef, Done, Failed, Full, Lost
from handrail_workers.items.calls import Clock
from handrail_workers.items.forward import ATTEMPTS
from handrail_workers.items.step import undo_call

if TYPE_CHECKING:
    from handrail.journal import AttemptId, Change, ChunkRow
    from handrail_workers.executors.protocol import Outcome
    from handrail_workers.items.calls import Calls
    from handrail_workers.items.step import StepOfItems

_TOLD = 3  # How many errors the message of an undo has.


@record
class Head:
    """What is stored of a call of `map_items`.

    Attributes:
        code: Where workers find the functions.
        shared: What the items share, if they can be undone.
        executor: The URL of the executor, or None for the default.
        takes_up: Whether items that failed are undone with the step, too.
    """

    code: CodeRef
    shared: Any
    executor: str | None
    takes_up: bool


def head_of(step: StepOfItems, row: ChunkRow) -> Head:
    """Return what is stored of the call that a chunk belongs to.

    Raises:
        JournalDamagedError: It is not what was written.
    """
    first = next(step.ledger.chunks(first=row.part))
    with decoding(step.number, f"chunk {row.part} of the items of step '{step.name}'"):
        found = json.loads(str(first.head))
        code: dict[str, Any] = found["code"]
        check_shape(code["function"], str)
        code |= {name: tuple(code[name]) for name in ("path", "checked")}
        return Head(CodeRef(**code), found["shared"], found["executor"], found["takes_up"])


def parts_back(step: StepOfItems) -> Iterator[tuple[Head, Iterator[ChunkRow]]]:
    """Yield the calls of a step whose items can be undone, the last one first, with their chunks.

    The chunks of a call, the last one first, have to be taken before the next call is.
    """
    for _, rows in groupby(step.ledger.chunks(back=True), lambda row: row.part):
        last = next(rows)
        head = head_of(step, last)
        if head.code.rollback is not None:
            yield head, chain((last,), rows)  # noqa: B031 - what is left of them


@record
class _Undo:
    """A chunk that is undone.

    Attributes:
        row: The chunk.
        lost: How many attempts to undo it were lost.
    """

    row: ChunkRow
    lost: int = 0


class Back:
    """Undoes the items of one call of `map_items`.

    Args:
        step: The step.
        head: The call.
        rows: Its chunks, the last one first.
        calls: The calls of the executor.
        tell: Told how many items were undone, and how many could not be.

    Attributes:
        undone: How many items were undone.
    """

    def __init__(
        self,
        step: StepOfItems,
        head: Head,
        rows: Iterator[ChunkRow],
        calls: Calls[_Undo],
        tell: Callable[[int, int], None],
    ) -> None:
        self._step = step
        self._head = head
        self._rows = rows
        self._calls = calls
        self._tell = tell
        self._clock = Clock(0.1)
        self._ready: deque[_Undo] = deque()
        self._changes: list[Change] = []
        self.undone = 0
        self._errors: list[str] = []
        self._left = 0
        self._exhausted = False

    def play(self) -> None:
        """Undo all that may have begun.

        Raises:
            ItemsUndoError: Some items could not be undone.
        """
        calls, stop = self._calls, self._calls.stop
        while calls.running or self._ready or not (self._exhausted or stop.error):
            if stop.error is None:
                self._fill()
                self._submit()
            else:
                self._ready.clear()
            for outcome, undo in calls.wait():
                self._took(outcome, undo)
            self._write()
            if self._clock.due():
                self._tell(self.undone, self._left)
        if stop.error is not None:
            raise stop.error
        self._tell(self.undone, self._left)
        if self._errors:
            raise ItemsUndoError(self._left, tuple(self._errors[:_TOLD]))

    def _fill(self) -> None:
        while len(self._ready) < self._calls.room:
            row = next(self._rows, None)
            if row is None:
                self._exhausted = True
                return
            if row.state == "undone":
                continue
            if row.state in ("started", "failed") and not self._is_over(row):
                text = "its worker may still be working on it"
                self._fails(row, row.size, f"{_named(row)}: {text}", "failed")
                continue
            if self._chosen(row) != ():
                self._ready.append(_Undo(row))

    def _is_over(self, row: ChunkRow) -> bool:
        """Return whether the last attempt at a chunk, and one to undo it, are certainly over."""
        attempt = self._step.id_of(row.number, row.attempt)
        ids: tuple[AttemptId, ...] = (attempt, attempt._replace(undo=True))
        return all(self._calls.confirm_dead(each) != "unknown" for each in ids)

    def _chosen(self, row: ChunkRow) -> tuple[int, ...] | None:
        """Return the positions of the items to undo: those that failed were undone when they did.

        None stands for all of them.
        """
        if row.state != "done" or self._head.takes_up or not row.failed:
            return None
        failed = {place for place, *_ in errors_of_chunk(self._step.number, row)}
        return tuple(place for place in range(row.size) if place not in failed)

    def _submit(self) -> None:
        step = self._step
        while self._ready:
            row = self._ready[0].row
            items = items_of_chunk(step.number, row)
            call = undo_call(
                step,
                row.number,
                row.first,
                row.attempt,
                items,
                self._head.shared,
                self._chosen(row),
            )
            try:
                self._calls.submit(call, self._ready[0])
            except Full:
                return
            self._ready.popleft()

    def _took(self, outcome: Outcome, undo: _Undo) -> None:
        row = undo.row
        if isinstance(outcome, Done):
            self._step.keep_lines(outcome, row.first)
            if outcome.errors:
                first = outcome.errors[0]
                text = f"item {row.first + first.item}: {first.error}"
                self._fails(row, len(outcome.errors), text, "undo_failed")
            else:
                self.undone += row.size
                self._changes.append(self._change(row, "undone"))
        elif isinstance(outcome, Failed):
            self._fails(row, row.size, f"{_named(row)}: {outcome.error}", "undo_failed")
        elif self._calls.stop.error is None:
            undo.lost += 1
            reason = outcome.reason if isinstance(outcome, Lost) else "it was cancelled"
            if self._calls.confirm_dead(outcome.attempt) == "unknown":
                text = f"{_named(row)}: its worker may still be working on it: {reason}"
                self._fails(row, row.size, text, "failed")
            elif undo.lost < ATTEMPTS:
                self._ready.append(undo)
            else:
                text = f"{_named(row)}: the worker was lost {ATTEMPTS} times: {reason}"
                self._fails(row, row.size, text, "undo_failed")

    def _fails(self, row: ChunkRow, items: int, text: str, state: Any) -> None:
        self._left += items
        self._errors.append(text)
        self._changes.append(self._change(row, state, text))

    def _change(self, row: ChunkRow, state: Any, error: str | None = None) -> ChunkChange:
        if error is not None:
            error = json.loads(self._step.ledger.mask(json.dumps(error)))
        place = (row.step, row.n, row.number, row.part, row.first, row.size, row.attempt)
        return ChunkChange(*place, state, row.digest, error=error)

    def _write(self) -> None:
        changes, self._changes = self._changes, []
        if changes:
            self._step.ledger.write(changes)


def undo_error(errors: list[ItemsUndoError]) -> HandrailError:
    """Return one error for those of several calls."""
    if len(errors) == 1:
        return errors[0]
    texts = tuple(text for each in errors for text in each.errors)
    return ItemsUndoError(sum(each.left for each in errors), texts[:_TOLD])


def _named(row: ChunkRow) -> str:
    last = row.first + row.size - 1
    return f"items {row.first} to {last}" if row.size > 1 else f"item {last}"
