"""SIGTERM and SIGHUP do what Ctrl-C does."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def like_interrupts() -> Generator[None, None, None]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, where they have their default effect."""

    def handle(signum: int, frame: FrameType | None) -> None:
        # Handed over with its frame, so that it counts as what it came upon, and by its name.
        interrupt = signal.getsignal(signal.SIGINT)
        if callable(interrupt):
            interrupt(signum, frame)

    replaced: list[signal.Signals] = []
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, handle)
            replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)
