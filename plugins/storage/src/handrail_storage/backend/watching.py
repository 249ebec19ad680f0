"""Finds out that a storage does not answer, while requests that retry by themselves wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

EVERY = 3.0  # Seconds between two looks, and before the first one.

OnStatus = Callable[[str | None], object]


class Watch:
    """Looks after a storage while at least one request is within its block.

    It only looks while no request is answered, so it costs a busy storage nothing.

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
        self._requests = self._answered = 0
        self._watching = self._lost = False

    def __enter__(self) -> None:
        """Count a request, and start the looks unless they go on from one before."""
        with self._lock:
            self._requests += 1
            if self._watching:
                return
            self._watching = True
        threading.Thread(target=self._run, name="handrail-watch", daemon=True).start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Count a request that has ended; after the last one nothing is told any more."""
        with self._lock:
            self._requests -= 1
            self._answered += kind is None
            back = self._lost and not self._requests
            self._lost = self._lost and not back
        if back:
            self._on_status(None)

    def _run(self) -> None:
        # Requests follow each other: one thread for many of them.
        pause, answered = threading.Event(), self._answered
        while True:
            pause.wait(self._every)
            with self._lock:
                if not self._requests:
                    self._watching = False
                    return
                answers, answered = self._answered != answered, self._answered
            self._tell(None if answers else self._look())

    def _tell(self, reason: str | None) -> None:
        with self._lock:
            if not self._requests:
                return
            was_lost, self._lost = self._lost, reason is not None
        if reason is not None:
            self._on_status(f"connection lost: {reason}")
        elif was_lost:
            self._on_status(None)
