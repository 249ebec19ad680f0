"""Alarm: calls a function in a thread after some seconds."""

from __future__ import annotations

import _thread
from collections.abc import Callable

_LONGEST = 3600.0  # A lock cannot be waited for much longer on some systems.


class Alarm:
    """Calls `ring` in a thread after some seconds, unless it is stopped before.

    Not a threading.Timer: that one does more than a signal handler should.

    Args:
        seconds: The time until the first call.
        ring: The function; it returns the seconds until the next call, or None.
    """

    def __init__(self, seconds: float, ring: Callable[[], float | None]) -> None:
        self._stopped = _thread.allocate_lock()
        self._over = _thread.allocate_lock()
        self._stopped.acquire()
        self._over.acquire()
        _thread.start_new_thread(self._run, (seconds, ring))

    def _run(self, seconds: float | None, ring: Callable[[], float | None]) -> None:
        while seconds is not None:
            if self._stopped.acquire(timeout=min(max(seconds, 0), _LONGEST)):
                break
            seconds = seconds - _LONGEST if seconds > _LONGEST else ring()
        self._over.release()

    def stop(self) -> None:
        """Wait until it will not call the function any more."""
        self._stopped.release()
        self._over.acquire()
