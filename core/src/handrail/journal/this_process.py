"""Names this process: its id, its machine and its user."""

from __future__ import annotations

import contextlib
import os

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


def _forked() -> None:
    global _current  # noqa: PLW0603 - there is one process
    _current = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
