"""Caches the run that was read last: a resume reads it before the claim, and again after it."""

from __future__ import annotations

import weakref

from handrail.journal.records import RecordedRun

Written = tuple[int, int]


class ReadCache:
    """A weak reference to a run, valid until something else is written.

    Args:
        run: The run.
        written: The value of `Database.written` when it was read.
    """

    def __init__(self, run: RecordedRun | None = None, written: Written = (0, 0)) -> None:
        self._run = None if run is None else weakref.ref(run)
        self._number = 0 if run is None else run.row.number
        self._written = written

    def claimed(self, number: int) -> None:
        """Account for a claim of the run by this connection, which changes only the run's row."""
        if number == self._number:
            others, ours = self._written
            self._written = others, ours + 1

    def still(self, number: int, written: Written) -> RecordedRun | None:
        """Return the run if nothing but its claim was written since, or None."""
        fits = number == self._number and written == self._written
        return self._run() if fits and self._run is not None else None
