"""Reports the progress of a transfer in bytes and files, from time to time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_PAUSE = 0.1  # Seconds between two reports.

Report = Callable[[float, float, str], None]


class Progress:
    """Counts bytes and files, from any thread.

    Args:
        files: Number of files.
        size: Their bytes.
        report: Called with `(current, total, category)`, for `bytes` and `files`; `current` never
            decreases.
        done: The number of files with nothing left to do, and their bytes.
    """

    def __init__(
        self, files: int, size: int, report: Report, *, done: tuple[int, int] = (0, 0)
    ) -> None:
        self._of_files, self._of_bytes = files, size
        self._files, self._bytes = done
        self._report = report
        self._lock = threading.Lock()
        self._reporting = threading.Lock()
        self._shown = (0, 0)
        self._told = 0.0

    def add(self, size: int, files: int = 0) -> None:
        """Count bytes, which a minus takes back, and files with nothing left to do."""
        with self._lock:
            self._bytes += size
            self._files += files
        self.tell()

    def finish(self) -> None:
        """Report that all is done."""
        with self._lock:
            self._files, self._bytes = self._of_files, self._of_bytes
        with self._reporting:
            self._tell()

    def tell(self) -> None:
        """Report, unless that was done a moment ago."""
        if time.monotonic() - self._told < _PAUSE or not self._reporting.acquire(blocking=False):
            return
        try:
            self._tell()
        finally:
            self._reporting.release()

    def _tell(self) -> None:
        self._told = time.monotonic()
        with self._lock:
            files, size = min(self._files, self._of_files), min(self._bytes, self._of_bytes)
        # Bytes sent in vain are subtracted, but a bar must not go back.
        self._shown = files, size = max(files, self._shown[0]), max(size, self._shown[1])
        if self._of_files:
            self._report(files, self._of_files, "files")
        if self._of_bytes:
            self._report(size, self._of_bytes, "bytes")
