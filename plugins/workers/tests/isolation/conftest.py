"""A folder to work in, and a look at the processes that are left in the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from leftovers import children, has_ended, pids

from handrail.sqlite import SqliteJournal

collect_ignore_glob = [] if hasattr(os, "fork") else ["test_*.py"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder; when a test is over, no process is left that it has started."""
    monkeypatch.chdir(tmp_path)
    before = children()
    yield tmp_path
    for process in pids(tmp_path):
        assert has_ended(process)
    assert children() <= before


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    """A journal in a file."""
    opened = SqliteJournal(tmp_path / ".handrail" / "runs.db")
    yield opened
    opened.close()
