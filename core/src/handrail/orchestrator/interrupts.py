"""Ctrl-C for the blocking driver: user code is interrupted, engine code is not.

The handler is installed only in the main thread, and only over Python's default one. A signal that
lands in the engine waits for the next boundary. Should user code be entered first, a timer delivers
it there a moment later, so that no signal is lost in the gap.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection
from types import CodeType, FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

ONE_SIGNAL = 0.5  # Seconds within which signals count as one.
_REDELIVER = 0.02  # Seconds until a signal that landed in the engine is tried again.


class Interrupts:
    """Turns SIGINT into KeyboardInterrupt in user code, and into `pending` elsewhere.

    Args:
        engine: Names of the modules whose frames must not be interrupted.
        calls_user_code: Functions of those modules from which user code is called.
        on_signal: Told of each signal: its name, and whether an undo is going on.

    Attributes:
        pending: An interrupt that waits for the next boundary.
        undoing: Set by the driver during an undo, where the first signal only warns.
        cancel_task: Set while an async step runs; cancels it.
    """

    def __init__(
        self,
        engine: Collection[str],
        calls_user_code: Collection[CodeType],
        on_signal: Callable[[str, bool], None],
    ) -> None:
        self.pending: KeyboardInterrupt | None = None
        self.undoing = False
        self.cancel_task: Callable[[], None] | None = None
        self._engine = engine
        self._calls_user_code = calls_user_code
        self._on_signal = on_signal
        self._warned = False
        self._last = -ONE_SIGNAL
        self._previous: object = None
        self._timer: threading.Timer | None = None

    def __enter__(self) -> Self:
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def take(self) -> KeyboardInterrupt | None:
        """Return the waiting interrupt, once."""
        pending, self.pending = self.pending, None
        return pending

    def _handle(self, _signum: int, frame: FrameType | None) -> None:
        if self._timer is not None:
            self._timer = None
            if self.pending is not None:
                self._interrupt(frame)
            return
        now = time.monotonic()
        if now - self._last < ONE_SIGNAL:
            return
        self._last = now
        self._on_signal("SIGINT", self.undoing)
        if self.undoing and not self._warned:
            self._warned = True
            return
        if self.pending is None:
            self.pending = KeyboardInterrupt()
        self._interrupt(frame)

    def _interrupt(self, frame: FrameType | None) -> None:
        if self.cancel_task is not None:
            # As asyncio.run does: the first one cancels, the next one raises where it can.
            cancel, self.cancel_task = self.cancel_task, None
            cancel()
        elif self._in_engine(frame):
            self._timer = threading.Timer(_REDELIVER, _thread.interrupt_main)
            self._timer.daemon = True
            self._timer.start()
        else:
            self.pending = None
            raise KeyboardInterrupt

    def _in_engine(self, frame: FrameType | None) -> bool:
        top = frame
        while frame is not None:
            if frame.f_globals.get("__name__") in self._engine:
                return frame is top or frame.f_code not in self._calls_user_code
            frame = frame.f_back
        return False


def warn_on_stderr(name: str, undoing: bool) -> None:
    """Tell a person what a signal does, where nobody else listens."""
    if undoing:
        print(
            f"{name}: undoing what was done; again to stop and leave things behind",
            file=sys.stderr,
        )
