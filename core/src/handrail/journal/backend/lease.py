"""Renewing a lease while its owner lives, however long a step takes."""

from __future__ import annotations

import threading
from collections.abc import Callable

SECONDS = 20.0  # How long a lease lasts.
SHARE = 4  # It is renewed this many times in its length.


class Renewal:
    """A thread that renews a lease until it is stopped.

    A step that holds the interpreter for longer than the lease, in native code, looks like one that
    is stuck; that it lives is then known from its lock.

    Args:
        seconds: Length of the lease.
        renew: Renews it; returns whether it is still ours.
    """

    def __init__(self, seconds: float, renew: Callable[[], bool]) -> None:
        self._every = seconds / SHARE
        self._renew = renew
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="handrail-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Renew no more; does not wait for a renewal that is under way."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            if not self._renew():
                return
