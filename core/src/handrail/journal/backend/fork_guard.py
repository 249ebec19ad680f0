"""Which process this is, without asking the kernel for it at each write."""

from __future__ import annotations

import os

_current = os.getpid()


def process() -> int:
    """Return the number of this process."""
    return _current


def _forked() -> None:
    global _current  # noqa: PLW0603 - there is one process
    _current = os.getpid()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
