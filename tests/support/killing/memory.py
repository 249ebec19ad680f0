"""Folders in memory, which are fast: these tests kill processes, not machines."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = "/dev/shm"


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Create a folder, in memory if possible, that exists until the block ends."""
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="handrail-", dir=memory) as folder:
        yield Path(folder)
