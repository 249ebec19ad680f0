"""The journal on the page about journals is one of a stranger, and keeps what it promises."""

from __future__ import annotations

import importlib
import re
import sys
from contextlib import closing
from pathlib import Path

import pytest

from handrail_testing import JournalContract

PAGE = Path(__file__).parents[2] / "docs/reference/journal.md"


def code() -> str:
    block = r'^```python title="lines_journal.py"\n(.*?)^```'
    (found,) = re.findall(block, PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of the page, as a module that other processes can import, too."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "lines_journal.py").write_text(code())
    monkeypatch.delitem(sys.modules, "lines_journal", raising=False)
    monkeypatch.syspath_prepend(folder)


class TestLinesJournal(JournalContract):
    """It keeps neither items nor what only people look at, and knows of no reliance."""

    factory = "lines_journal:open_lines"
    url = "lines://{folder}/runs.jsonl"


def test_a_commit_that_was_torn_was_never_made(tmp_path: Path) -> None:
    """The next one follows the last whole line."""
    opened = importlib.import_module("lines_journal").open_lines
    file = tmp_path / "runs.jsonl"
    file.write_text('{"run": 1, "at"')
    with closing(opened(f"lines://{file}", create=True)) as journal:
        assert journal.runs() == []
    assert file.read_text() == ""


def test_it_has_at_most_120_lines() -> None:
    assert len([line for line in code().splitlines() if line.strip()]) <= 120
