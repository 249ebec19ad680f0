"""Calls a view from time to time, also while a step reports nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Ticking:
    """Calls a function in a thread of its own until it is stopped.

    Args:
        tick: Returns the seconds until its next call.
    """

    def __init__(self, tick: Callable[[], float]) -> None:
        self._tick = tick
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, wait: float) -> None:
        """Start, with the first call after `wait` seconds."""
        # A daemon: a view that was not closed must not keep the process from its end.
        thread = threading.Thread(
            target=self._run, args=(wait,), name="handrail-progress", daemon=True
        )
        self._thread = thread
        thread.start()

    def stop(self) -> None:
        """Stop, and wait for a call that goes on. Calling it twice is harmless."""
        self._over.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()

    def _run(self, wait: float) -> None:
        while not self._over.wait(wait):
            wait = self._tick()
