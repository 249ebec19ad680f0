"""Folders that cost no disk: what is killed here dies with its process, not with its machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = "/dev/shm"


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Make a folder in memory, where there is some, until the block ends."""
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="handrail-", dir=memory) as folder:
        yield Path(folder)
