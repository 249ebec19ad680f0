"""How the files of one upload are sent: their mark, their parts, and what slows or stops them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from handrail_upload.digests import Digest
from handrail_upload.manifest import SourceFile
from handrail_upload.pace import Budget, Pace, StoppedError
from handrail_upload.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How one run sends its files; shared by its workers.

    Attributes:
        mark: What each object is marked with: `<run>/<step>`.
        part_size: Files above this size are sent in parts of it.
        part_concurrency: How many parts of one file are sent at a time.
        stop: Set to make every worker stop soon.
        pace: The bandwidth.
        budget: The bytes that may be held in memory.
        on_bytes: Told how many bytes were sent, or taken back with a minus.
    """

    mark: str
    part_size: int
    part_concurrency: int
    stop: threading.Event
    pace: Pace
    budget: Budget
    on_bytes: Callable[[int], None]

    @property
    def run(self) -> str:
        """The run that the mark names."""
        return self.mark.partition("/")[0]

    def pause(self, seconds: float) -> None:
        """Wait between two attempts.

        Raises:
            StoppedError: The transfer was told to stop.
        """
        if self.stop.wait(seconds):
            raise StoppedError

    def reading(self, file: SourceFile, digest: Digest, *, counted: bool = True) -> Reading:
        """Return a pass over `file` that keeps to the pace; its bytes are reported if `counted`."""
        return Reading(file, self.pace, digest, self.on_bytes if counted else _uncounted)


def _uncounted(_count: int) -> None:
    """Take bytes that are not sent."""
