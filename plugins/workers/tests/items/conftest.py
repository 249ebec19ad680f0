"""A run with items in this process: its journal, its executor, and what it has made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from inline_executor import Log
from item_work import WORLD, World
from killing.memory import folder_in_memory
from killing.told import Writes

from handrail_workers.items import run


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory, where there is one: no test here is about a disk."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """What executors are asked, which work in this thread."""
    log = Log()
    monkeypatch.setattr(run, "open_executor", log.opens)
    return log


@pytest.fixture
def world() -> Iterator[World]:
    """What functions for items have made."""
    WORLD.clear()
    yield WORLD
    WORLD.clear()


@pytest.fixture
def writes(tmp_path: Path) -> Iterator[Writes]:
    """A journal that tells what is written, and may fail."""
    opened = Writes(tmp_path / ".handrail" / "runs.db")
    yield opened
    opened.close()
