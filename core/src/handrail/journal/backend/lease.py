"""Renews the lease of a run in a thread, so that long steps do not let it expire."""

from __future__ import annotations

import threading
from collections.abc import Callable

SECONDS = 20.0  # Default length of a lease.
SHARE = 4  # Number of renewals within the length of a lease.


class Renewal:
    """A thread that renews a lease until it is stopped.

    While native code keeps the interpreter's lock for longer than the lease, the process seems to
    be stuck; its file lock still shows that it is alive.

    Args:
        seconds: Length of the lease.
        renew: Renews the lease; returns whether we still own the run.
    """

    def __init__(self, seconds: float, renew: Callable[[], bool]) -> None:
        self._every = seconds / SHARE
        self._renew = renew
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="handrail-lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop renewing, without waiting for a renewal in progress."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            if not self._renew():
                return
