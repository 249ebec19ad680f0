"""Journals that cannot be used, and those that fail in the middle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from durable_runs import Run, made

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_is_read_only(handrail: Run, folder: Path) -> None:
    folder.chmod(0o500)
    try:
        done = handrail("run", "durable.py:job", "a")
    finally:
        folder.chmod(0o700)
    assert done.returncode == 7
    assert "nothing was run" in done.stderr
    assert "--no-journal" in done.stderr


def test_a_journal_that_cannot_be(handrail: Run, folder: Path) -> None:
    """Where there can be no journal, nothing is run, and the ways out are named."""
    (folder / ".handrail").write_text("a file")
    done = handrail("run", "durable.py:job", "a")
    assert done.returncode == 7
    assert "nothing was run" in done.stderr
    assert "--no-journal" in done.stderr
    assert made(folder) == set()
    odd = handrail("run", "durable.py:job", "a", "--journal", "redis://there")
    assert odd.returncode == 2
    assert "no installed pack provides journals" in odd.stderr


def test_a_journal_that_fails_in_the_middle(handrail: Run, folder: Path) -> None:
    """Nothing is undone by a process that cannot know what is recorded; both ways out are named."""
    (folder / "sabotage.sql").write_text("DROP TABLE note")
    done = handrail("run", "durable.py:sabotaged", "a")
    assert done.returncode == 7, done.stderr
    assert "finish it:  handrail resume 1" in done.stderr
    assert "undo it:  handrail rollback 1" in done.stderr
    assert not (folder / "undone").exists()
    assert made(folder) == {"first.txt"}
