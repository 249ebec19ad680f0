"""Mailbox: outcomes on their way from the threads of an executor to that of the step."""

from __future__ import annotations

import os
import selectors
import threading

from handrail.places import calls_user_code
from handrail_workers.executors.protocol import Outcome


class Mailbox:
    """Keeps outcomes until they are taken; any thread may put one in."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outcomes: list[Outcome] = []
        self._woken, self._waker = os.pipe()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._woken, selectors.EVENT_READ)

    def put(self, outcome: Outcome) -> None:
        """Put an outcome in."""
        with self._lock:
            self._outcomes.append(outcome)
            if len(self._outcomes) == 1 and self._waker >= 0:
                os.write(self._waker, b"!")

    def take(self, timeout: float) -> list[Outcome]:
        """Return what is there, each once; nothing if nothing comes within `timeout` seconds.

        Ctrl-C interrupts the waiting, and loses nothing.
        """
        if not self._outcomes:
            _wait(self._selector, timeout)
        with self._lock:
            outcomes, self._outcomes = self._outcomes, []
            if outcomes:
                os.read(self._woken, 1)
        return outcomes

    def close(self) -> None:
        """Close its files."""
        with self._lock:
            if self._waker >= 0:
                self._selector.close()
                os.close(self._woken)
                os.close(self._waker)
                self._waker = -1


@calls_user_code
def _wait(selector: selectors.BaseSelector, timeout: float) -> None:
    selector.select(timeout)
