"""Journals on read-only file systems and in folders of others can be read, and are not written."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from journals.places import new_run

from handrail.builtin.sqlite import database
from handrail.errors import JournalError, NotFoundError
from handrail.journal import AttemptChange, RunChange
from handrail.sqlite import SqliteJournal

STARTED = AttemptChange(step="scan", n=1, state="started")
DATABASE = "handrail.builtin.sqlite.database.MIGRATIONS"


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """A function that mounts a folder at another place, read-only; returns that place."""
    mounted: list[Path] = []

    def mount(folder: Path) -> Path:
        there = tmp_path / f"mount{len(mounted)}"
        there.mkdir()
        try:
            bound = subprocess.run(
                ["mount", "--bind", str(folder), str(there)], capture_output=True, check=False
            )
        except FileNotFoundError:
            pytest.skip("there is no mount")
        if bound.returncode != 0:
            pytest.skip("only root can mount, where that is allowed")
        mounted.append(there)
        subprocess.run(["mount", "-o", "remount,ro,bind", str(there)], check=True)
        return there

    yield mount
    for each in mounted:
        subprocess.run(["umount", str(each)], check=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a journal of two runs, one of which is completed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with_runs(folder / "runs.db").close()
    return folder


def with_runs(path: Path) -> SqliteJournal:
    journal = SqliteJournal(path)
    journal.open_run(new_run(), [STARTED, RunChange(outcome="completed")]).release()
    journal.open_run(new_run(), [STARTED]).release()
    return journal


def check(path: Path) -> None:
    """Check that all of the journal is read, that it cannot be written, and stays as it is."""
    before = sorted(os.listdir(path.parent))
    journal = SqliteJournal(path, create=False)
    assert [row.outcome for row in journal.runs()] == [None, "completed"]
    assert [row.step for row in journal.read(2).attempts] == ["scan"]
    assert journal.holder(2) is None
    assert journal.check() == []
    for write in (lambda: journal.claim(2), lambda: journal.open_run(new_run())):
        with pytest.raises(JournalError, match="cannot be written") as refused:
            write()
        assert refused.value.exit_code == 7
    journal.close()
    assert sorted(os.listdir(path.parent)) == before


def test_a_journal_that_was_closed_is_read(folder: Path, read_only: Callable[[Path], Path]) -> None:
    """SQLite has left nothing beside it."""
    check(read_only(folder) / "runs.db")


def test_what_is_only_in_its_log_is_read(
    folder: Path, read_only: Callable[[Path], Path], tmp_path: Path
) -> None:
    """As a process leaves it that was killed; with and without the index of the log."""
    for name in ("whole", "without"):
        killed = tmp_path / name
        killed.mkdir()
        journal = with_runs(killed / "open.db")
        for end in ("", "-wal", *["-shm"] * (name == "whole")):
            shutil.copyfile(killed / f"open.db{end}", killed / f"runs.db{end}")
        journal.close()
        (killed / "open.db").unlink()  # Otherwise it is the original of the runs.
        assert (killed / "runs.db-wal").stat().st_size > 0
        check(read_only(killed) / "runs.db")


def test_a_journal_that_is_being_written_is_read(
    folder: Path, read_only: Callable[[Path], Path]
) -> None:
    """By a process that has another view of the same file."""
    journal = SqliteJournal(folder / "runs.db")
    owned = journal.open_run(new_run())
    reader = SqliteJournal(read_only(folder) / "runs.db", create=False)
    assert len(reader.runs()) == 3
    owned.write([STARTED])
    assert [row.step for row in reader.read(3).attempts] == ["scan"]
    assert reader.holder(3) is not None
    reader.close()
    journal.close()


def test_an_older_journal_is_read(
    tmp_path: Path, read_only: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a copy with the tables of today, which is gone when it is closed."""
    folder = tmp_path / "older"
    folder.mkdir()
    with_runs(folder / "runs.db").close()
    more = (*database.MIGRATIONS, ("ALTER TABLE note ADD COLUMN colour TEXT",))
    monkeypatch.setattr(DATABASE, more)
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(copies))
    check(read_only(folder) / "runs.db")
    assert list(copies.iterdir()) == []


def test_what_is_not_there_is_not_made(folder: Path, read_only: Callable[[Path], Path]) -> None:
    """Nor is anything that could be written begun."""
    there = read_only(folder)
    with pytest.raises(NotFoundError):
        SqliteJournal(there / "other.db", create=False)
    with pytest.raises(JournalError, match="cannot be written"):
        SqliteJournal(there / "runs.db").open_run(new_run())
