"""Spares a command the collections of garbage while it starts."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def no_collections() -> Generator[None]:
    """Collect no garbage within the block, which imports modules, and pass over them later.

    They stay, and each collection among them takes milliseconds; so would the one that follows, if
    they were new to it. It is within `few_collections`, which ends that.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.freeze()
            gc.enable()


_is_within = False  # `few_collections`


@contextmanager
def few_collections(*, to_the_end: bool = False) -> Generator[None]:
    """Pass over what is there now, in each collection within the block.

    Those are nearly all modules, which stay; with them, collections take a twentieth of a run that
    looks at many files. Within another such block, that one ends it.

    Args:
        to_the_end: Whether the process ends after the block. Python then collects what is left of
            all modules, which takes as long as to make a plan. That is passed over, too, unless a
            file has been opened and is not closed: its last lines may be written only then.
    """
    global _is_within  # noqa: PLW0603 - like the collector, it is one for the process
    if _is_within:
        gc.freeze()
        yield
        return
    # Some that Python 3.12 has itself, or those of the caller. To count many takes milliseconds.
    others = gc.get_freeze_count()
    files = _open_files() if to_the_end else None
    gc.freeze()
    _is_within = True
    try:
        yield
    finally:
        _is_within = False
        if to_the_end:
            stays = files is not None and files == _open_files()
        else:
            stays = others > 0
        if not stays:
            gc.unfreeze()


def _open_files() -> set[str] | None:
    """Return the descriptors of all open files, with that of the listing; None if unknown."""
    try:
        return set(os.listdir("/dev/fd"))
    except OSError:
        return None
