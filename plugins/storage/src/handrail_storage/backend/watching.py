"""Finds out that a storage does not answer, while requests that retry by themselves wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

EVERY = 3.0  # Seconds between two looks, and before the first one.

OnStatus = Callable[[str | None], object]


class Watch:
    """Looks after a storage while at least one request is within its block.

    Args:
        look: Returns why the storage cannot be reached now, or None if it answers.
        on_status: Called with that, and with None once the storage answers again.
        every: Seconds between two looks, and before the first one.
    """

    def __init__(
        self, look: Callable[[], str | None], on_status: OnStatus, every: float = EVERY
    ) -> None:
        self._look = look
        self._on_status = on_status
        self._every = every
        self._lock = threading.Lock()
        self._requests = 0
        self._over: threading.Event | None = None

    def __enter__(self) -> None:
        """Count a request; the first one starts the looks."""
        with self._lock:
            self._requests += 1
            if self._over is None:
                self._over = threading.Event()
                threading.Thread(
                    target=self._run, args=(self._over,), name="handrail-watch", daemon=True
                ).start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Count a request that has ended; the last one ends the looks."""
        with self._lock:
            self._requests -= 1
            if self._requests == 0 and self._over is not None:
                self._over.set()
                self._over = None

    def _run(self, over: threading.Event) -> None:
        lost = False
        while not over.wait(self._every):
            reason = self._look()
            if over.is_set():
                break
            if reason is not None:
                self._on_status(f"connection lost: {reason}")
            elif lost:
                self._on_status(None)
            lost = reason is not None
        if lost:
            self._on_status(None)
