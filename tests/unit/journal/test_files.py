"""The file of a journal: who may read it, where it may be, and what is said of a bad one."""

from __future__ import annotations

import itertools
import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from journals.places import new_run

from handrail.builtin.sqlite.journal import AT_ONCE
from handrail.builtin.sqlite.place import refuse_mount
from handrail.errors import JournalError, NotFoundError
from handrail.journal import NoteRow, OwnedRun, RunChange
from handrail.sqlite import SqliteJournal

MOUNTS = """\
/dev/vda / ext4 rw 0 0
filer:/home /home nfs4 rw 0 0
/dev/vdb /home/local ext4 rw 0 0
me@host:/ /mnt/with\\040space fuse.sshfs rw 0 0
tmpfs /mnt/twice nfs rw 0 0
tmpfs /mnt/twice tmpfs rw 0 0
"""


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def note(seq: int, values: str = "[]") -> NoteRow:
    return NoteRow(step="scan", n=1, seq=seq, key="made", values=values)


def write_for_ever(owned: OwnedRun, written: list[int]) -> None:
    """Write notes of 20 kB, and keep the numbers of those that were committed."""
    for seq in itertools.count():
        owned.write([note(seq, "[" + "1," * 9999 + "1]")])
        written.append(seq)


def test_what_is_made_is_for_this_user_alone(tmp_path: Path) -> None:
    """The folder, the file, what SQLite puts beside it, and the locks, whatever the umask."""
    before = os.umask(0)
    try:
        journal = SqliteJournal(tmp_path / ".handrail" / "runs.db")
        journal.open_run(new_run())
    finally:
        os.umask(before)
    folder = tmp_path / ".handrail"
    modes = {path.relative_to(folder).as_posix(): mode_of(path) for path in folder.rglob("*")}
    assert modes.pop(".gitignore") is not None
    assert modes == {
        "owners": 0o700,
        "owners/1": 0o600,
        "runs.db": 0o600,
        "runs.db-shm": 0o600,
        "runs.db-wal": 0o600,
    }
    assert mode_of(folder) == 0o700
    assert (folder / ".gitignore").read_text() == "*\n"
    journal.close()


def test_a_folder_of_somebodys_own_stays_as_it_is(tmp_path: Path) -> None:
    """Only a folder that we make is closed and ignored, whatever it is called."""
    mine = tmp_path / ".handrail"
    mine.mkdir()
    mine.chmod(0o755)
    SqliteJournal(mine / "runs.db").close()
    assert mode_of(mine) == 0o755
    assert not (mine / ".gitignore").exists()


def test_a_folder_that_a_link_leads_to_stays_as_it_is(tmp_path: Path) -> None:
    """The journal is made there, and nothing else is changed."""
    (tmp_path / "target").mkdir(mode=0o755)
    (tmp_path / ".handrail").symlink_to("target")
    SqliteJournal(tmp_path / ".handrail" / "runs.db").close()
    assert mode_of(tmp_path / "target") == 0o755
    assert [each.name for each in (tmp_path / "target").iterdir()] == ["runs.db"]
    assert mode_of(tmp_path / "target" / "runs.db") == 0o600


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("link", [".handrail/runs.db", ".handrail", "around"])
def test_a_link_that_leads_nowhere_is_not_followed(
    tmp_path: Path, link: str, *, create: bool
) -> None:
    """Neither the file nor a folder is made where it leads to."""
    path = tmp_path / link
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(path if link == "around" else tmp_path / "nowhere")
    place = path if path.suffix else path / "runs.db"
    with pytest.raises(JournalError, match=f"{path} is a broken link: .* does not exist") as error:
        SqliteJournal(place, create=create)
    assert f"rm {path}" in error.value.ways_out[0]
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("nowhere")])
def test_what_is_no_folder_of_locks_is_told(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """It stays as it is, and nobody gets a run."""
    with closing(SqliteJournal(tmp_path / "runs.db")) as journal:
        make(tmp_path / "owners")
        with pytest.raises(JournalError, match=r"the journal .* cannot be used"):
            journal.open_run(new_run())
        assert journal.runs() == []
    assert sorted(each.name for each in tmp_path.iterdir()) == ["owners", "runs.db"]


def test_two_journals_in_one_folder_do_not_share_locks(tmp_path: Path) -> None:
    """Run 1 of one is not run 1 of the other."""
    journals = [SqliteJournal(tmp_path / name) for name in ("runs.db", "other.db")]
    assert [journal.open_run(new_run()).number for journal in journals] == [1, 1]
    for journal in journals:
        journal.close()


def test_the_lock_of_a_run_goes_with_the_run(tmp_path: Path) -> None:
    """Until it is pruned its file stays."""
    journal = SqliteJournal(tmp_path / "runs.db")
    journal.open_run(new_run(), [RunChange(outcome="completed")]).release()
    assert [path.name for path in (tmp_path / "owners").iterdir()] == ["1"]
    assert journal.prune(timedelta(days=-1)) == [1]
    assert list((tmp_path / "owners").iterdir()) == []
    journal.close()


def test_more_runs_than_files_may_be_open_are_pruned(tmp_path: Path) -> None:
    """Some at a time, and none is left."""
    journal = SqliteJournal(tmp_path / "runs.db", synchronous="normal")
    for _ in range(AT_ONCE + 20):
        journal.open_run(new_run(), [RunChange(outcome="completed")]).release()
    assert len(journal.prune(timedelta(days=-1))) == AT_ONCE + 20
    assert journal.runs() == []
    journal.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/ada/runs.db", "nfs4"),
        ("/mnt/with space/deep/runs.db", "fuse.sshfs"),
        ("/home/local/runs.db", None),
        ("/homes/runs.db", None),
        ("/mnt/twice/runs.db", None),
    ],
)
def test_network_file_systems_are_refused(path: str, kind: str | None) -> None:
    """The deepest mount, and of two at one place the later one, says where a file is."""
    if kind is None:
        refuse_mount(Path(path), MOUNTS)
        return
    with pytest.raises(JournalError, match=rf"network file system \({kind}\)") as refused:
        refuse_mount(Path(path), MOUNTS)
    assert any("postgresql://" in way for way in refused.value.ways_out)


def test_a_file_that_is_not_there_is_not_made_for_a_look(tmp_path: Path) -> None:
    """Whoever only lists runs makes nothing."""
    with pytest.raises(NotFoundError, match="there is not a journal at"):
        SqliteJournal(tmp_path / "deep" / "runs.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    """Neither text, nor a folder, nor the database of another program becomes a journal."""
    text, other, folder = tmp_path / "text", tmp_path / "other.db", tmp_path / "folder"
    text.write_text("These are the voyages of the starship Enterprise. " * 30)
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE photo (name TEXT)")
    connection.close()
    folder.mkdir()
    before = text.read_bytes(), other.read_bytes()
    for path, message in (
        (text, "is not a journal: file is not a database"),
        (other, "is a database of another program"),
        (folder, "is a folder, not a journal"),
    ):
        with pytest.raises(JournalError, match=message) as refused:
            SqliteJournal(path)
        assert refused.value.ways_out
    assert (text.read_bytes(), other.read_bytes()) == before


def test_a_damaged_file_is_told_with_the_way_to_save_it(tmp_path: Path) -> None:
    """Zeros in the middle are found when they are read."""
    path = tmp_path / "runs.db"
    journal = SqliteJournal(path)
    journal.open_run(new_run(), [note(seq, "[" + "1," * 999 + "1]") for seq in range(50)])
    journal.close()
    raw = path.read_bytes()
    half = len(raw) // 2
    path.write_bytes(raw[:half] + bytes(len(raw) - half))
    again = SqliteJournal(path)
    with pytest.raises(JournalError, match="is damaged") as damaged:
        again.read(1)
    assert any(".recover" in way for way in damaged.value.ways_out)
    again.close()


def test_a_journal_that_somebody_else_writes_for_too_long_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message, who has it open, and nothing was written."""
    monkeypatch.setattr("handrail.builtin.sqlite.database.BUSY_SECONDS", 0.05)
    path = tmp_path / "runs.db"
    journal = SqliteJournal(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="is locked: another process has been writing") as locked:
        journal.open_run(new_run())
    assert any("fuser" in way for way in locked.value.ways_out)
    other.execute("ROLLBACK")
    assert journal.open_run(new_run()).number == 1
    other.close()
    journal.close()


def test_a_full_disk_ends_a_run_and_keeps_what_was_committed(
    small_disk: Callable[[int], Path],
) -> None:
    """Also when the code that records swallows the error, and when there is room again later."""
    folder = small_disk(1)
    ballast = folder / "ballast"
    path = folder / "runs.db"
    journal = SqliteJournal(path)
    owned = journal.open_run(new_run())
    ballast.write_bytes(bytes(600_000))
    written: list[int] = []
    with pytest.raises(JournalError, match=r"the disk with the journal .* is full") as full:
        write_for_ever(owned, written)
    assert full.value.ways_out
    ballast.unlink()
    with pytest.raises(JournalError, match="is full"):
        owned.write([note(-1)])
    journal.close()
    again = SqliteJournal(path)
    assert [each.seq for each in again.read(1).notes] == written
    again.claim(1).write([note(-1)])
    again.close()


def test_a_full_disk_at_the_start_leaves_no_run(small_disk: Callable[[int], Path]) -> None:
    """One message about the disk, wherever it is noticed."""
    folder = small_disk(1)
    with pytest.raises(OSError, match="No space left"):
        (folder / "ballast").write_bytes(bytes(2**20 + 1))
    with pytest.raises(JournalError, match=r"the disk with the journal .* is full"):
        SqliteJournal(folder / ".handrail" / "runs.db").open_run(new_run())


def test_a_folder_that_cannot_be_written_is_told(small_disk: Callable[[int], Path]) -> None:
    """For a journal that is there, and for one that would have to be made."""
    folder = small_disk(2)
    SqliteJournal(folder / "runs.db").close()
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
    for name in ("runs.db", "new.db", "deep/new.db"):
        with pytest.raises(JournalError, match="cannot be written") as refused:
            SqliteJournal(folder / name).open_run(new_run())
        assert any("writable" in way for way in refused.value.ways_out)
