"""Sending: the settings of one transfer: mark, parts, rate limit and stop flag."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from handrail.frozen import frozen
from handrail_storage.backend import run_of
from handrail_upload.digests import Digest
from handrail_upload.manifest import SourceFile
from handrail_upload.pace import Budget, Pace, StoppedError
from handrail_upload.reading import Reading, read_whole

if TYPE_CHECKING:
    from handrail_upload.source import ObjectSource


@frozen
class Sending:
    """The settings with which one run sends its files; shared by its workers.

    Attributes:
        mark: The mark of each object.
        part_size: Files above this size are sent in parts of it.
        part_concurrency: The number of parts of one file that are sent at a time.
        stop: Set to make every worker stop soon.
        pace: The bandwidth.
        budget: The limit of bytes in memory.
        on_bytes: Called with the number of bytes sent, negative if they were in vain.
        alive: Called while bytes are read; raises an error if the run may send nothing any more.
        as_it_is: Whether a file that is written to meanwhile is sent up to the size that it had.
        source: Where the files are, if not on this machine.
    """

    mark: str
    part_size: int
    part_concurrency: int
    stop: threading.Event
    pace: Pace
    budget: Budget
    on_bytes: Callable[[int], None]
    alive: Callable[[], None] = lambda: None
    as_it_is: bool = False
    source: ObjectSource | None = None

    @property
    def run(self) -> str:
        """The run that the mark names."""
        return run_of(self.mark)

    @property
    def threads(self) -> bool:
        """Whether to read several files at a time is faster, wherever they go."""
        return self.source is not None and not self.source.store.local

    def pause(self, seconds: float) -> None:
        """Wait between two attempts.

        Raises:
            StoppedError: The transfer was stopped.
        """
        if self.stop.wait(seconds):
            raise StoppedError

    def whole(self, file: SourceFile) -> bytes:
        """Return the content of a file that fits into memory, counted; see `read_whole`."""
        if self.source is not None:
            return self.source.reading(file, self.pace, Digest(etag=False), self._count).whole()
        return read_whole(file, self.pace, self._count, as_it_is=self.as_it_is)

    def reading(self, file: SourceFile, digest: Digest, *, counted: bool = True) -> Reading:
        """Return a pass over `file` that keeps to the pace; its bytes are reported if `counted`."""
        on_read = self._count if counted else self._live
        if self.source is not None:
            return self.source.reading(file, self.pace, digest, on_read)
        return Reading(file, self.pace, digest, on_read, as_it_is=self.as_it_is)

    def _count(self, count: int) -> None:
        self.alive()
        self.on_bytes(count)

    def _live(self, _count: int) -> None:
        self.alive()
