"""The journal that all requests read, in short transactions and in turns."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.journal import Journal


class SharedJournal:
    """Opens a journal when it is there, and anew when another file has taken its place.

    Args:
        open_journal: Opens it, or raises NotFoundError.
    """

    def __init__(self, open_journal: Callable[[], Journal]) -> None:
        self._open_journal = open_journal
        self._turn = threading.Lock()
        self._journal: Journal | None = None
        self._file: tuple[int, int] | None = None

    @contextmanager
    def reading(self) -> Generator[Journal]:
        """Return a context manager with the journal, which this thread has for itself.

        Raises:
            NotFoundError: There is none yet.
            JournalError: It cannot be used.
        """
        with self._turn:
            if self._journal is not None and _file_of(self._journal) != self._file:
                self._close()
            if self._journal is None:
                self._journal = self._open_journal()
                self._file = _file_of(self._journal)
            yield self._journal

    def stamp(self) -> str | None:
        """Return a text that changes with each commit; None if the journal has none.

        Raises:
            NotFoundError: There is no journal yet.
            JournalError: It cannot be used.
        """
        with self.reading() as journal:
            return journal.stamp()

    def close(self) -> None:
        """Close the journal. Calling it twice is harmless."""
        with self._turn:
            self._close()

    def _close(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def _file_of(journal: Journal) -> tuple[int, int] | None:
    """Return the identity of the file of a journal; None if it has no file, or that is gone."""
    try:
        found = os.stat(journal.address)
    except OSError:
        return None
    return found.st_dev, found.st_ino
