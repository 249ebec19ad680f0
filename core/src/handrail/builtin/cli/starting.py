"""Spares a command the collections of garbage while it starts, and at its end."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from contextlib import contextmanager

_paused = False  # Like the collector, it is one for the process.


@contextmanager
def no_collections(*, to_the_end: bool = False) -> Generator[None]:
    """Collect no garbage within the block before `collect_again` is called.

    A command first imports modules, which stay: collections among them are a fifth of its time.

    Args:
        to_the_end: Whether the process ends after the block. Python then collects what is left of
            all modules, which takes as long as to make a plan. That is passed over, too, unless a
            file has been opened and is not closed: its last lines may be written only then.
    """
    global _paused  # noqa: PLW0603
    # Some that Python 3.12 has itself, or those of the caller.
    others = gc.get_freeze_count()
    files = _open_files() if to_the_end else None
    _paused = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        passed_over = files is not None and files == _open_files()
        if passed_over:
            gc.freeze()
        elif not others:
            gc.unfreeze()
        if _paused:
            _paused = False
            gc.enable()


def collect_again() -> None:
    """End what `no_collections` has begun, and pass over what is there now: nearly all modules."""
    global _paused  # noqa: PLW0603
    if _paused:
        _paused = False
        gc.freeze()
        gc.enable()


def _open_files() -> set[str] | None:
    """Return the descriptors of all open files, with that of the listing; None if unknown."""
    try:
        return set(os.listdir("/dev/fd"))
    except OSError:
        return None
