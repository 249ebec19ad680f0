"""ItemLog: the accounts of the items of one attempt of a step, in the journal of its run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from handrail.errors import RollbackDataError
from handrail.journal import mask_json
from handrail.places import HIDDEN, json_has_password

if TYPE_CHECKING:
    from handrail.journal import ChunkRow, ItemNoteRow, JournaledLog


class ItemLog:
    """The accounts of the items of one attempt of a step; see `Ledger`.

    Args:
        log: The log of the run.
        step: Name of the step.
        n: Number of the attempt.

    Attributes:
        durable: True.
        write: Commits changes.
    """

    durable = True

    def __init__(self, log: JournaledLog, step: str, n: int) -> None:
        self._journal, owned = log.place
        self._of = (owned.number, step, n)
        self._mask = log.mask
        self.write = log.write

    def chunks(
        self, *, first: int = 0, back: bool = False, contents: bool = True
    ) -> Iterator[ChunkRow]:
        """Yield the chunks; see `Ledger`."""
        return self._journal.chunks(*self._of, first=first, back=back, contents=contents)

    def notes(self, chunk: int) -> Sequence[ItemNoteRow]:
        """Return the notes of a chunk; see `Ledger`."""
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
