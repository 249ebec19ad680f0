"""A folder for the files of a chain."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from killing.memory import folder_in_memory
from killing.places import place  # noqa: F401 - a fixture


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, where there is one."""
    with folder_in_memory() as found:
        (found / "world").mkdir()
        yield found
