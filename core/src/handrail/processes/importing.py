"""Tells code that is imported for another process that it is: a program must not run there."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

_importing = False


@contextlib.contextmanager
def importing() -> Generator[None]:
    """Say within the block that modules are imported for a step, or for items, of another process.

    A program that runs its workflow whenever it is imported would do so without end.
    """
    global _importing  # noqa: PLW0603 - it is about this process
    before, _importing = _importing, True
    try:
        yield
    finally:
        _importing = before


def is_importing() -> bool:
    """Return whether modules are imported for another process."""
    return _importing
