"""Keeps secrets of a run out of what workers write to its journal by themselves."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from handrail.errors import RollbackDataError
from handrail.journal import Note
from handrail.redact import Mask, mask_values


def masked(secrets: Iterable[str]) -> Callable[[Sequence[Note]], list[Note]]:
    """Return what masks notes as the driver does, for a worker that does not record through it.

    The secrets themselves never go to workers: only those can be found that the worker has in its
    environment, too. Passwords in URLs are found in any case.

    Args:
        secrets: The variables that have them; see `Host.secrets`.

    Returns:
        A function that returns notes without secrets. It raises RollbackDataError for a key that
        has one, because a rollback would look for it.
    """
    mask = Mask([os.environ[name] for name in secrets if name in os.environ])

    def without(notes: Sequence[Note]) -> list[Note]:
        for note in notes:
            if mask(note.key) != note.key:
                raise RollbackDataError(
                    "an item recorded rollback data under a key with a secret in it",
                    ways_out=("record it under another key: secrets are never stored",),
                )
        return [note._replace(values=mask_values(note.values, mask)) for note in notes]

    return without
