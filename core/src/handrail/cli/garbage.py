"""Pauses the collection of garbage while modules are imported."""

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
