"""Spares collections of garbage the modules that are imported."""

from __future__ import annotations

import gc
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
def few_collections() -> Generator[None]:
    """Pass over what is there now, in each collection within the block.

    Those are nearly all modules, which stay; with them, collections take a twentieth of a run that
    looks at many files. Within another such block, that one ends it.
    """
    global _is_within  # noqa: PLW0603 - like the collector, it is one for the process
    if _is_within:
        gc.freeze()
        yield
        return
    # Some that Python 3.12 has itself, or those of the caller. To count many takes milliseconds.
    others = gc.get_freeze_count()
    gc.freeze()
    _is_within = True
    try:
        yield
    finally:
        _is_within = False
        if not others:
            gc.unfreeze()
