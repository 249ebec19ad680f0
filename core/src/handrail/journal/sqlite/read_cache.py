"""What was read of a run before: whoever claims one reads it before, and again after."""

from __future__ import annotations

import weakref

from handrail.journal.records import RecordedRun

Written = tuple[int, int]


class ReadCache:
    """A run that was read, for as long as somebody has it.

    Args:
        run: The run.
        written: What `Database.written` was when it was read.
    """

    def __init__(self, run: RecordedRun | None = None, written: Written = (0, 0)) -> None:
        self._run = None if run is None else weakref.ref(run)
        self._number = 0 if run is None else run.row.number
        self._written = written

    def claimed(self, number: int) -> None:
        """Note that this connection has claimed a run since, which changes one row: its own."""
        if number == self._number:
            others, ours = self._written
            self._written = others, ours + 1

    def still(self, number: int, written: Written) -> RecordedRun | None:
        """Return the run if nothing was written since but what claimed it."""
        fits = number == self._number and written == self._written
        return self._run() if fits and self._run is not None else None
