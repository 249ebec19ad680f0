"""Names this process: its id, its machine and its user."""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import threading

_current = os.getpid()


def process() -> int:
    """Return the id of this process; it is cached, so that a write makes no system call."""
    return _current


def host_name() -> str:
    """Return the name of this machine."""
    if hasattr(os, "uname"):
        return os.uname().nodename
    import platform  # noqa: PLC0415 - slow, and used only as a last resort

    return platform.node()


def user_name() -> str:
    """Return the name of the user of this process."""
    if hasattr(os, "getuid"):
        import pwd  # noqa: PLC0415 - not on every system

        with contextlib.suppress(KeyError):
            return pwd.getpwuid(os.getuid()).pw_name
        return str(os.getuid())
    return os.environ.get("USERNAME", "unknown")


INTERRUPTS = tuple(
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""The signals that may interrupt a run."""


def deliver(number: signal.Signals) -> bool:
    """Let the main thread handle a signal, as if it had come; return whether it has a handler."""
    handled, main = callable(signal.getsignal(number)), threading.main_thread().ident
    if handled and hasattr(signal, "pthread_kill") and main is not None:
        # A real signal: it also ends a system call that waits.
        signal.pthread_kill(main, number)
    elif handled:
        _thread.interrupt_main(number)
    return handled


def interrupt() -> None:
    """Interrupt this process as Ctrl-C would, from any thread; for a run that is asked to stop.

    Where SIGINT is ignored, as in a job in the background, it is SIGTERM or SIGHUP.
    """
    for number in INTERRUPTS:
        if deliver(number):
            return


def _forked() -> None:
    global _current  # noqa: PLW0603 - there is one process
    _current = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
