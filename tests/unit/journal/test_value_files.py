"""Values of results in files beside a journal: durable before they count, and for nobody else."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from journals.places import new_run

from handrail.errors import JournalDamagedError, JournalError
from handrail.journal import RunChange
from handrail.sqlite import SqliteJournal


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / ".handrail"


@pytest.fixture
def journal(folder: Path):
    opened = SqliteJournal(folder / "runs.db")
    yield opened
    opened.close()


def test_a_file_and_its_folders_are_on_disk_when_it_counts(journal, folder, monkeypatch):
    """The content before the name of the file, and each new folder in the one that it is in."""
    owned = journal.open_run(new_run())
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}"))
    )
    for _ in range(2):
        owned.store_value("a", ".npy", lambda file: file.write(b"1"))
    values = folder.resolve() / "values"
    assert synced == [
        *map(str, (values.parent, values, values / "1/a.npy", values / "1")),
        *map(str, (values / "1/a-2.npy", values / "1")),
    ]


def test_files_and_folders_are_for_their_owner_only(journal, folder):
    owned = journal.open_run(new_run())
    owned.store_value("a", ".npy", lambda file: file.write(b"1"))
    modes = [path.stat().st_mode & 0o777 for path in (folder / "values").rglob("*")]
    assert sorted(modes) == [0o600, 0o700]
    assert (folder / "values").stat().st_mode & 0o777 == 0o700


def test_a_journal_of_another_name_has_a_folder_of_its_own(tmp_path):
    with_name = SqliteJournal(tmp_path / "other.db")
    owned = with_name.open_run(new_run())
    owned.store_value("a", ".npy", lambda file: file.write(b"1"))
    assert (tmp_path / "other.db-values/1/a.npy").read_bytes() == b"1"
    with_name.close()


def test_no_value_is_read_through_a_link_or_from_a_folder(journal, folder, tmp_path):
    owned = journal.open_run(new_run())
    owned.store_value("a", ".npy", lambda file: file.write(b"1"))
    (tmp_path / "else").write_bytes(b"2")
    (folder / "values/1/link").symlink_to(tmp_path / "else")
    (folder / "values/1/folder").mkdir()
    os.mkfifo(folder / "values/1/pipe")
    for name in ("link", "folder", "pipe"):
        with pytest.raises(JournalDamagedError, match=name):
            journal.open_value(1, name)


def test_a_value_that_everyone_may_write_is_not_read(journal, folder):
    owned = journal.open_run(new_run())
    owned.store_value("a", ".npy", lambda file: file.write(b"1"))
    (folder / "values/1/a.npy").chmod(0o666)
    with pytest.raises(JournalError, match=r"a\.npy"):
        journal.open_value(1, "a.npy")


def test_files_that_an_interrupted_prune_has_left_go_with_the_next(journal, folder):
    """Those of runs that are there stay, and so does what is not ours."""
    owned = journal.open_run(new_run())
    owned.store_value("a", ".npy", lambda file: file.write(b"1"))
    for name in ("7", "notes", "٣"):
        (folder / "values" / name).mkdir()
    assert journal.prune(timedelta(days=-1)) == []
    assert sorted(path.name for path in (folder / "values").iterdir()) == ["1", "notes", "٣"]
    owned.write([RunChange(outcome="completed")])
    owned.release()
    assert journal.prune(timedelta(days=-1)) == [1]
    assert sorted(path.name for path in (folder / "values").iterdir()) == ["notes", "٣"]
