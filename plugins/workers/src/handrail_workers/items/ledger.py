"""The accounts of the items of one attempt of a step: in a journal, or in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from handrail.journal import ChunkChange, ChunkRow, ItemNoteRow, now

if TYPE_CHECKING:
    from handrail.journal import Change


class Ledger(Protocol):
    """The accounts of the items of one attempt of a step.

    Attributes:
        durable: Whether they outlive this process, and may have been begun by another one.
    """

    durable: bool

    def write(self, changes: Sequence[Change], /) -> None:
        """Write changes, all or none; they are durable when this returns. Any thread may call it.

        Raises:
            JournalError: They could not be written.
        """
        ...

    def chunks(
        self, *, first: int = 0, back: bool = False, contents: bool = True
    ) -> Iterator[ChunkRow]:
        """Yield the chunks by their numbers, from `first` on or back to it; only a few are held."""
        ...

    def notes(self, chunk: int) -> Sequence[ItemNoteRow]:
        """Return what the items of a chunk have recorded, in order."""
        ...

    def mask(self, text: str) -> str:
        """Return JSON without known secrets."""
        ...

    def refuse(self, text: str, about: str) -> None:
        """Check that an undo in another process would find a JSON text as it is now.

        Raises:
            RollbackDataError: It has a secret, which is never stored.
        """
        ...

    def secret_variables(self) -> tuple[str, ...]:
        """Return the variables of the environment whose values are known secrets."""
        ...


class MemoryLedger:
    """Accounts of a run without a journal; they take memory for each item.

    Attributes:
        durable: See `Ledger`.
    """

    durable = False

    def __init__(self) -> None:
        self._chunks: dict[int, ChunkRow] = {}
        self._notes: dict[int, list[ItemNoteRow]] = {}
        self._lock = threading.Lock()

    def write(self, changes: Iterable[Change], /) -> None:
        """Keep changes; see `Ledger`."""
        with self._lock:
            for change in changes:
                if isinstance(change, ItemNoteRow):
                    self._notes.setdefault(change.number, []).append(ItemNoteRow(*change))
                elif isinstance(change, ChunkChange):
                    self._chunks[change.number] = _changed(self._chunks.get(change.number), change)

    def chunks(
        self, *, first: int = 0, back: bool = False, contents: bool = True
    ) -> Iterator[ChunkRow]:
        """Yield the chunks; see `Ledger`."""
        del contents
        numbers = range(first, len(self._chunks))
        for number in reversed(numbers) if back else numbers:
            yield self._chunks[number]

    def notes(self, chunk: int) -> Sequence[ItemNoteRow]:
        """Return the notes of a chunk; see `Ledger`."""
        return self._notes.get(chunk, ())

    def mask(self, text: str) -> str:
        """Return JSON as it is: nothing is stored."""
        return text

    def refuse(self, text: str, about: str) -> None:
        """Refuse nothing: nothing is stored."""

    def secret_variables(self) -> tuple[str, ...]:
        """Return none: nothing is stored."""
        return ()


def _changed(row: ChunkRow | None, change: ChunkChange) -> ChunkRow:
    """Return a row after a change, as a journal has it then."""
    given = change._asdict()
    if row is None:
        return ChunkRow(**given, at=now())
    kept = ("head", "items") if change.state == "done" else ("head", "items", *_OUTCOME)
    return row._replace(**{k: v for k, v in given.items() if k not in kept}, at=now())


_OUTCOME = ("failed", "results", "errors")
