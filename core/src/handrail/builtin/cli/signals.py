"""Makes SIGTERM and SIGHUP interrupt a run like Ctrl-C, and lets each interrupt end the process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

from handrail.errors import ExitCode
from handrail.places import Alarm, interrupt_run
from handrail.redact import shown_text

PATIENCE = 5.0
"""Seconds in which the threads of an interrupted command have to end."""


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


@contextmanager
def whole_locks() -> Generator[None, None, None]:
    """Let Ctrl-C leave no lock of Python taken within the block, where there is no run."""
    ours = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ours = ours and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, interrupt_run)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def end_soon() -> None:
    """End this process after an interrupt, also if a thread that a step has left never ends.

    Python waits for such a thread for ever.
    """
    Alarm(PATIENCE, _end)


def _end() -> None:
    main = threading.main_thread()
    left = [each.name for each in threading.enumerate() if each is not main and not each.daemon]
    text = f"not waited for, as the command was interrupted: threads {', '.join(left)}"
    try:
        if left:
            os.write(2, f"{shown_text(text, one_line=True)}\n".encode("ascii", "backslashreplace"))
    finally:
        os._exit(ExitCode.INTERRUPTED)
