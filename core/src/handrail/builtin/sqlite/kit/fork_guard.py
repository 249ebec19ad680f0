"""The id of this process, cached so that a write makes no system call to detect a fork."""

from __future__ import annotations

import os

_current = os.getpid()


def process() -> int:
    """Return the id of this process."""
    return _current


def _forked() -> None:
    global _current  # noqa: PLW0603 - there is one process
    _current = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
