"""A world, its journal, and processes that are killed while they run in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from killing.memory import folder_in_memory
from killing.processes import Killing, in_child
from killing.told import Writes

from handrail.sqlite import SqliteJournal

pytest.register_assert_rewrite("killing.table")


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder in memory, where there is one: no test here is about a disk."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A folder with a file of somebody else, which is called like one of a step, and another."""
    folder = tmp_path / "world"
    folder.mkdir()
    (folder / "theirs").write_text("theirs")
    return folder


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """A journal in a file."""
    opened = SqliteJournal(tmp_path / ".handrail" / "runs.db")
    yield opened
    opened.close()


@pytest.fixture
def writes(tmp_path: Path) -> Iterator[Writes]:
    """The same, which tells what is written, and may fail."""
    opened = Writes(tmp_path / ".handrail" / "runs.db")
    yield opened
    opened.close()


@pytest.fixture
def kill(tmp_path: Path) -> Callable[..., int]:
    """Do something in a process that dies before or after its write `at`; return how it ended."""

    def kill(at: int, when: str, work: Callable[[Any], object]) -> int:
        def body() -> None:
            deadly = Killing(tmp_path / ".handrail" / "runs.db")
            deadly.at, deadly.when = at, when
            work(deadly)

        return in_child(body)

    return kill
