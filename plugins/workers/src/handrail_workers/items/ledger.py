"""The accounts of the items of one attempt of a step: in a journal, or in memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from handrail.errors import RollbackDataError
from handrail.journal import ChunkChange, ChunkRow, ItemNoteRow, mask_json, now
from handrail.redact import HIDDEN, json_has_password

if TYPE_CHECKING:
    from handrail.journal import Change, JournaledLog


class ItemLog:
    """The accounts of the items of one attempt of a step.

    Args:
        log: The log of the run.
        step: Name of the step.
        n: Number of the attempt.

    Attributes:
        write: Commits changes, all or none, durable when it returns. Any thread may call it.
    """

    def __init__(self, log: JournaledLog, step: str, n: int) -> None:
        self._journal, owned = log.place
        self._of = (owned.number, step, n)
        self._mask = log.mask
        self.write = log.write

    def chunks(
        self, *, first: int = 0, back: bool = False, contents: bool = True
    ) -> Iterator[ChunkRow]:
        """Yield the chunks by their numbers, from `first` on or back to it; only a few are held."""
        return self._journal.chunks(*self._of, first=first, back=back, contents=contents)

    def notes(self, chunk: int) -> Sequence[ItemNoteRow]:
        """Return what the items of a chunk have recorded, in order."""
        return self._journal.item_notes(*self._of, chunk)

    def mask(self, text: str) -> str:
        """Return JSON without known secrets."""
        return mask_json(text, self._mask)

    def refuse(self, text: str, about: str) -> None:
        """Check that a JSON text has no secret, as an undo in another process would miss it.

        Raises:
            RollbackDataError: It has one.
        """
        if json_has_password(text) or self._mask(text) != text:
            raise RollbackDataError(
                f"{about} has a secret in it, which is never stored, and which an undo would need",
                ways_out=("let the functions read it from a variable of the environment",),
            )

    def secret_variables(self) -> tuple[str, ...]:
        """Return the variables of the environment whose values are known secrets."""
        return tuple(name for name, value in os.environ.items() if self._mask(value) == HIDDEN)


class MemoryLedger:
    """Accounts of a run without a journal, like `ItemLog`; they take memory for each item."""

    def __init__(self) -> None:
        self._chunks: dict[int, ChunkRow] = {}
        self._notes: dict[int, list[ItemNoteRow]] = {}
        self._lock = threading.Lock()

    def write(self, changes: Iterable[Change], /) -> None:
        """Keep changes."""
        with self._lock:
            for change in changes:
                if isinstance(change, ItemNoteRow):
                    self._notes.setdefault(change.number, []).append(ItemNoteRow(*change))
                elif isinstance(change, ChunkChange):
                    self._chunks[change.number] = _changed(self._chunks.get(change.number), change)

    def chunks(
        self, *, first: int = 0, back: bool = False, contents: bool = True
    ) -> Iterator[ChunkRow]:
        """Yield the chunks."""
        del contents
        numbers = range(first, len(self._chunks))
        for number in reversed(numbers) if back else numbers:
            yield self._chunks[number]

    def notes(self, chunk: int) -> Sequence[ItemNoteRow]:
        """Return the notes of a chunk."""
        return self._notes.get(chunk, ())

    def mask(self, text: str) -> str:
        """Return JSON as it is: nothing is stored."""
        return text

    def refuse(self, text: str, about: str) -> None:
        """Refuse nothing: nothing is stored."""

    def secret_variables(self) -> tuple[str, ...]:
        """Return none: nothing is stored."""
        return ()


Ledger = ItemLog | MemoryLedger


def _changed(row: ChunkRow | None, change: ChunkChange) -> ChunkRow:
    """Return a row after a change, as a journal has it then."""
    given = change._asdict()
    if row is None:
        return ChunkRow(**given, at=now())
    kept = ("head", "items") if change.state == "done" else ("head", "items", *_OUTCOME)
    return row._replace(**{k: v for k, v in given.items() if k not in kept}, at=now())


_OUTCOME = ("failed", "results", "errors")
