"""A folder for the files of a chain, a journal, and processes that die at one of their writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from killing.memory import folder_in_memory
from killing.processes import Killing, in_child

from handrail.journal.sqlite import SqliteJournal


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, where there is one."""
    with folder_in_memory() as found:
        (found / "world").mkdir()
        yield found


@pytest.fixture
def journal(folder: Path) -> Iterator[SqliteJournal]:
    """A journal in a file."""
    opened = SqliteJournal(folder / "runs.db")
    yield opened
    opened.close()


@pytest.fixture
def kill(folder: Path) -> Callable[..., int]:
    """Do something in a process that dies before or after its write `at`; return how it ended."""

    def kill(at: int, when: str, work: Callable[[Any], object]) -> int:
        def body() -> None:
            deadly = Killing(folder / "runs.db")
            deadly.at, deadly.when = at, when
            work(deadly)

        return in_child(body)

    return kill
