"""Limits a transfer: bytes per second and bytes in memory; and stops it."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager


class StoppedError(Exception):
    """The transfer was told to stop."""


class Pace:
    """Keeps all workers together below a number of bytes a second.

    Args:
        rate: Bytes a second; None for no limit.
        stop: Once it is set, waiting workers stop.
    """

    def __init__(self, rate: int | None, stop: threading.Event) -> None:
        self._rate = rate
        self._stop = stop
        self._lock = threading.Lock()
        self._free_at = 0.0

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self._rate is not None

    def take(self, count: int) -> None:
        """Wait until `count` bytes may be sent.

        Raises:
            StoppedError: The transfer was stopped.
        """
        if self._stop.is_set():
            raise StoppedError
        if self._rate is None:
            return
        with self._lock:
            now = time.monotonic()
            start = max(now, self._free_at)
            self._free_at = start + count / self._rate
        if self._stop.wait(start - now):
            raise StoppedError


class Budget:
    """Limits the bytes that all workers together keep in memory.

    A request larger than the whole budget gets it alone.
    """

    def __init__(self, size: int, stop: threading.Event) -> None:
        self._size = self._left = size
        self._stop = stop
        self._changed = threading.Condition()

    @contextmanager
    def of(self, wanted: int) -> Generator[None]:
        """Reserve `wanted` bytes of the budget; waits until they are free.

        Raises:
            StoppedError: The transfer was stopped.
        """
        wanted = min(wanted, self._size)
        with self._changed:
            while self._left < wanted:
                if self._stop.is_set():
                    raise StoppedError
                self._changed.wait(0.5)  # A stop does not notify.
            self._left -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._left += wanted
                self._changed.notify_all()
