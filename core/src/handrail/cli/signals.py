"""Makes SIGTERM and SIGHUP interrupt a run like Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Generator
from contextlib import contextmanager

from handrail.orchestrator.interrupts import interrupt_run


@contextmanager
def like_interrupts() -> Generator[None, None, None]:
    """Let SIGTERM and SIGHUP interrupt like Ctrl-C, unless they have another handler."""
    replaced: list[signal.Signals] = []
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt_run)
            replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)
