"""Tells code that is imported for another process that it is: a program must not run there."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator

# Of each thread by itself: the items of a run may be worked on in several, while it goes on.
_thread = threading.local()


@contextlib.contextmanager
def importing() -> Generator[None]:
    """Say within the block that modules are imported for a step, or for items, of another process.

    A program that runs its workflow whenever it is imported would do so without end.
    """
    before, _thread.importing = is_importing(), True
    try:
        yield
    finally:
        _thread.importing = before


def is_importing() -> bool:
    """Return whether this thread imports modules for another process."""
    return getattr(_thread, "importing", False)
