"""Spares collections of garbage the modules that are imported."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def no_collections() -> Generator[None]:
    """Collect no garbage within the block, which imports modules.

    They stay, and each collection among them takes milliseconds.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@contextmanager
def few_collections() -> Generator[None]:
    """Pass over what is there now, in each collection within the block.

    Those are nearly all modules, which stay; with them, collections take a twentieth of a run that
    looks at many files.
    """
    others = gc.get_freeze_count()  # Some that Python 3.12 has itself, or those of the caller.
    gc.freeze()
    try:
        yield
    finally:
        if not others:
            gc.unfreeze()
