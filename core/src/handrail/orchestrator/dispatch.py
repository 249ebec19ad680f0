"""Who is told what happens in a run."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable

from handrail.engine.user_code import calls_user_code
from handrail.errors import describe
from handrail.events import Event


class Listeners:
    """Tells observers what happens, one event after the other; one that raises is dropped."""

    def __init__(self, observers: Iterable[Callable[[Event], object]]) -> None:
        self._observers = tuple(observers)
        self._waiting: deque[Event] = deque()
        self._telling = threading.RLock()
        self._busy = False

    def __call__(self, event: Event) -> None:
        """Tell what happened, or let it wait until what is being told has been told."""
        with self._telling:
            if self._busy or self._waiting:
                # An observer logged something, or a signal came upon it: that has to wait its turn.
                self._waiting.append(event)
            if self._busy:
                return
            self._busy = True
            try:
                if not self._waiting:
                    self._tell(event)
                while self._waiting:
                    self._tell(self._waiting.popleft())
            finally:
                self._busy = False

    @calls_user_code
    def _tell(self, event: Event) -> None:
        for observer in self._observers:
            try:
                observer(event)
            except Exception as error:  # noqa: BLE001 - telemetry must not fail a run
                self._observers = tuple(each for each in self._observers if each is not observer)
                name = getattr(observer, "__qualname__", repr(observer))
                print(
                    f"observer {name} was dropped, it raised {type(error).__name__}: "
                    f"{describe(error)}",
                    file=sys.stderr,
                )
