"""Two processes never have one run, however they reach it, and whatever became of its lock."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from journals.places import SHORT_LEASE, new_run, open_place, until
from journals.process import Process, without_locks

from handrail.builtin.sqlite.kit.owner import this_process
from handrail.errors import JournalError, RunHeldError
from handrail.journal import Journal, RunChange

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces, and locks, of Linux")

NUMBERS = ("unshare", "--pid", "--fork", "--kill-child")


def works(*command: str) -> bool:
    try:
        return (
            subprocess.run([*command, "/bin/true"], capture_output=True, check=False).returncode
            == 0
        )
    except OSError:
        return False


in_space = pytest.mark.skipif(not works(*NUMBERS), reason="no process namespaces for this user")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file of a journal that is not there yet."""
    return tmp_path / "project" / ".handrail" / "runs.db"


@pytest.fixture
def start(file: Path) -> Iterator[Callable[..., Process]]:
    """Start a process that has the journal open; what is left of it ends with the test."""
    processes: list[Process] = []

    def begin(place: Path = file, **words: Any) -> Process:
        processes.append(Process(str(place), **words))
        return processes[-1]

    yield begin
    for each in processes:
        each.kill()


@contextmanager
def opened(place: Path) -> Iterator[Journal]:
    journal = open_place(str(place), 20.0)
    try:
        yield journal
    finally:
        journal.close()


def refused(place: Path, number: int, *, take_over: bool = False) -> RunHeldError:
    """Return the error of a claim of that run; all that look agree with it."""
    with opened(place) as journal:
        with pytest.raises(RunHeldError) as error:
            journal.claim(number, take_over=take_over)
        holder = journal.holder(number)
        assert holder is not None
        assert holder.stale or not take_over
    return error.value


def goes_on(place: Path, number: int) -> bool:
    """Whether nobody has that run, so that it can be claimed."""
    with opened(place) as journal:
        if journal.holder(number) is not None:
            return False
        journal.claim(number)
        return True


def by_file(file: Path) -> Path:
    alias = file.parents[2] / "alias.db"
    alias.symlink_to(file)
    return alias


def by_folder(file: Path) -> Path:
    alias = file.parents[2] / "alias"
    alias.symlink_to(file.parents[1])
    return alias / ".handrail" / "runs.db"


@pytest.mark.parametrize("alias_of", [by_file, by_folder])
def test_a_link_leads_to_the_same_locks(
    file: Path, start: Callable[..., Process], alias_of: Callable[[Path], Path]
) -> None:
    """Whoever comes by another name finds the owner, and has the same journal after it."""
    owner = start()
    number = owner.ask("open")
    alias = alias_of(file)
    assert f"pid {owner.pid}" in refused(alias, number).message
    refused(alias, number)
    owner.kill()
    until(lambda: goes_on(alias, number))
    with opened(alias) as journal:
        assert journal.shown == str(alias)
    assert not list(file.parents[2].glob("alias*-*"))


def test_a_file_with_two_names_is_refused(file: Path) -> None:
    """By both, with why, and what to do; a copy in its place is fine."""
    with opened(file) as journal:
        number = journal.open_run(new_run()).number
    alias = file.parent / "alias.db"
    alias.hardlink_to(file)
    for path in (file, alias):
        with pytest.raises(JournalError, match="has 2 hard links, but the locks") as error:
            open_place(str(path), 20.0)
        assert any("cp" in way for way in error.value.ways_out)
    way = error.value.ways_out[1]
    subprocess.run(["sh", "-c", way.partition(": ")[2]], check=True)
    assert goes_on(file, number)


def test_a_file_that_is_mounted_alone_is_refused(file: Path) -> None:
    """Its log would be in another folder, and so would its locks."""
    open_place(str(file), 20.0).close()
    alias = file.parents[2] / "alias" / "runs.db"
    alias.parent.mkdir()
    alias.touch()
    if subprocess.run(["mount", "--bind", file, alias], check=False).returncode:
        pytest.skip("this user cannot mount")
    try:
        with pytest.raises(JournalError, match="is mounted without its folder") as error:
            open_place(str(alias), 20.0)
        assert str(alias.parent) in error.value.ways_out[0]
        open_place(str(file), 20.0).close()
    finally:
        subprocess.run(["umount", alias], check=True)


@pytest.mark.parametrize("lives", [True, False], ids=["owner lives", "owner killed"])
def test_a_copy_has_no_runs_of_its_original(
    file: Path, start: Callable[..., Process], *, lives: bool
) -> None:
    """Only the original goes on with them; once that is gone, the copy does."""
    owner = start()
    number = owner.ask("open")
    if not lives:
        owner.kill()
    copy = file.parents[2] / "copy" / ".handrail" / "runs.db"
    shutil.copytree(file.parents[1], copy.parents[1])
    for take_over in (False, True):
        error = refused(copy, number) if not take_over else _taken(copy, number)
        assert f"run {number} belongs to the journal at {file}" in error.message
        assert f"handrail resume {number} --journal {file}" in error.ways_out[0]
    shutil.rmtree(file.parent / "owners")
    assert "is a copy" in refused(copy, number).message
    if lives:
        assert "which is alive" in refused(file, number).message
        owner.kill()
    until(lambda: goes_on(file, number))
    assert "is a copy" in refused(copy, number).message
    shutil.rmtree(file.parent)
    assert goes_on(copy, number)


def _taken(place: Path, number: int) -> RunHeldError:
    with opened(place) as journal, pytest.raises(RunHeldError) as error:
        journal.claim(number, take_over=True)
    return error.value


def test_of_an_original_and_its_copy_one_goes_on(file: Path, start: Callable[..., Process]) -> None:
    """Both at once, with runs whose owner was killed while both were one."""
    numbers = _left_behind(start, 20)
    copy = file.parents[2] / "copy" / ".handrail" / "runs.db"
    shutil.copytree(file.parents[1], copy.parents[1])
    racers = [start(), start(copy)]
    for racer in racers:
        racer.send("claim_all", numbers)
    assert [racer.answer() for racer in racers] == [numbers, []]


def test_a_journal_that_was_moved_goes_on(file: Path, start: Callable[..., Process]) -> None:
    """With its locks: held while its owner lives, and free after that."""
    owner = start()
    number = owner.ask("open")
    moved = file.parents[2] / "moved" / ".handrail" / "runs.db"
    file.parents[1].rename(moved.parents[1])
    assert f"pid {owner.pid}" in refused(moved, number).message
    owner.kill()
    until(lambda: goes_on(moved, number))


def test_a_journal_that_was_renamed_is_held_without_its_locks(
    file: Path, start: Callable[..., Process]
) -> None:
    """A new name has other locks, which tell nothing of the owner."""
    owner = start()
    number = owner.ask("open")
    renamed = file.with_name("renamed.db")
    for end in ("", "-wal", "-shm"):
        Path(f"{file}{end}").rename(f"{renamed}{end}")
    assert f"pid {owner.pid}" in refused(renamed, number).message
    owner.kill()
    until(lambda: goes_on(renamed, number))


def test_locks_that_were_removed_free_no_run(file: Path, start: Callable[..., Process]) -> None:
    """The owner lives; when it is gone, that is known at once all the same."""
    owner, rival = start(), start()
    number = owner.ask("open")
    shutil.rmtree(file.parent / "owners")
    assert f"pid {owner.pid}" in refused(file, number).message
    assert rival.ask("claim", number, True) == "RunHeldError"
    # One that is free, in the place of the one that was removed.
    (file.parent / "owners").mkdir()
    (file.parent / "owners" / str(number)).touch()
    assert rival.ask("claim", number) == "RunHeldError"
    assert owner.ask("note", 1) == "written"
    owner.kill()
    until(lambda: goes_on(file, number))


def test_a_run_that_was_given_up_needs_no_lock(file: Path) -> None:
    """Its process may live on, and its lock be removed."""
    with opened(file) as journal:
        journal.open_run(new_run()).release()
        journal.open_run(new_run(), [RunChange(outcome="completed")]).release()
        shutil.rmtree(file.parent / "owners")
        assert [goes_on(file, number) for number in (1, 2)] == [True, True]


@pytest.mark.slow
def test_rivals_whose_locks_are_removed_all_the_time_have_no_run_together(
    file: Path, start: Callable[..., Process]
) -> None:
    """Each dead run gets one new owner, and keeps it."""
    numbers = _left_behind(start, 40)
    racers = [start() for _ in range(3)]
    cleaner = subprocess.Popen(["sh", "-c", f"while :; do rm -rf '{file.parent}/owners'; done"])
    try:
        for racer, order in zip(racers, (numbers, numbers[::-1], numbers[20:]), strict=True):
            racer.send("claim_all", order)
        found = [racer.answer() for racer in racers]
    finally:
        cleaner.kill()
        cleaner.wait()
    claimed = sorted(number for each in found for number in each)
    assert len(claimed) == len(set(claimed)) > 0
    with opened(file) as journal:
        assert sorted(row.number for row in journal.runs() if row.fence == 2) == claimed
        assert {row.fence for row in journal.runs()} <= {1, 2}
    assert start().ask("claim_all", claimed) == []


def _left_behind(start: Callable[..., Process], count: int) -> list[int]:
    """Return the numbers of runs whose owner was killed."""
    owner = start()
    numbers = [owner.ask("open") for _ in range(count)]
    owner.kill()
    return numbers


def test_a_fork_in_c_that_outlives_its_owner_keeps_the_run_until_it_is_taken(
    file: Path, start: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is told, with how to find it; and as the owner is gone, its lease does not matter."""
    monkeypatch.setattr("handrail.builtin.sqlite.kit.owned._ORPHANS", 0.1)
    owner = start()
    number = owner.ask("open")
    child = owner.ask("fork_in_c")
    try:
        assert "which is alive" in refused(file, number, take_over=False).message
        owner.kill()
        error = refused(file, number)
        assert f"a process forked from pid {owner.pid}" in error.message
        assert "which is gone" in error.message
        lock = file.parent / "owners" / str(number)
        assert any(way.endswith(f"fuser -v {lock}") for way in error.ways_out)
        taker = start()
        assert taker.ask("claim", number, True) == number
        assert f"pid {taker.pid}" in refused(file, number).message
    finally:
        os.kill(child, signal.SIGKILL)
    taker.kill()
    until(lambda: goes_on(file, number))


def test_a_fork_in_c_keeps_no_run_that_was_given_up(
    file: Path, start: Callable[..., Process]
) -> None:
    """The owner gives up the lock for both."""
    owner = start()
    number = owner.ask("open")
    child = owner.ask("fork_in_c")
    try:
        assert owner.ask("release") == "released"
        assert goes_on(file, number)
    finally:
        os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("boot", ["another", ""])
def test_a_lock_counts_more_than_the_name_of_a_boot(
    file: Path, start: Callable[..., Process], monkeypatch: pytest.MonkeyPatch, boot: str
) -> None:
    """A container may have a name of its own for it, or none: an owner with its lock lives."""
    number = start().ask("open")
    monkeypatch.setattr("handrail.builtin.sqlite.kit.owner.boot", lambda: boot)
    assert "which is alive" in refused(file, number).message
    assert "which is alive" in _taken(file, number).message
    if not boot:
        shutil.rmtree(file.parent / "owners")
        assert "which is alive" in refused(file, number).message


@in_space
@pytest.mark.parametrize("own_proc", [True, False], ids=["own /proc", "/proc of another"])
def test_an_owner_in_another_process_namespace(
    file: Path, start: Callable[..., Process], *, own_proc: bool
) -> None:
    """A lock tells of it; without one, it has its lease, and then it takes a word to take it."""
    within = (*NUMBERS, *["--mount-proc"] * own_proc)
    owner = start(within=within, lease=SHORT_LEASE)
    number = owner.ask("open")
    assert "pid 1 on" in refused(file, number).message
    owner.kill()
    until(lambda: goes_on(file, number))
    owner = start(within=within, lease=SHORT_LEASE)
    number = owner.ask("open")
    shutil.rmtree(file.parent / "owners")
    assert "which is alive" in refused(file, number).message
    owner.kill()
    with opened(file) as journal:
        until(lambda: journal.holder(number).stale)  # type: ignore[union-attr]
        with pytest.raises(RunHeldError, match="no sign of life"):
            journal.claim(number)
        assert journal.claim(number, take_over=True).number == number


@in_space
def test_a_number_is_not_looked_up_in_the_proc_of_another_namespace(
    file: Path, start: Callable[..., Process]
) -> None:
    """Two in one namespace, with the /proc of this one, where their numbers are those of others."""
    init = subprocess.Popen([*NUMBERS, "sh", "-c", "echo; exec sleep 1000"], stdout=subprocess.PIPE)
    try:
        assert init.stdout is not None
        init.stdout.readline()
        (child,) = Path(f"/proc/{init.pid}/task/{init.pid}/children").read_text().split()
        into = ("nsenter", "--target", child, "--pid")
        owner, rival = start(within=into), start(within=into)
        number = owner.ask("open")
        shutil.rmtree(file.parent / "owners")
        assert rival.ask("holder", number) is not None
        assert rival.ask("claim", number) == "RunHeldError"
        owner.send("die")
        until(lambda: rival.ask("holder", number) is None)
        assert rival.ask("claim", number) == number
        rival.send("die")
    finally:
        init.kill()
        init.communicate()


def test_a_process_that_is_hidden_is_not_gone() -> None:
    """Where /proc hides those of other users, one that is not in it may live."""
    script = (
        "import os, sys\n"
        "from handrail.builtin.sqlite.kit.owner import Owner\n"
        "owner = Owner.from_json(sys.argv[1])\n"
        "assert owner.lives\n"  # What it imports is there from here on.
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "hidden = not os.path.exists(f'/proc/{os.getppid()}')\n"
        "print(hidden, owner.lives)\n"
    )
    hide = 'mount -t proc -o hidepid=2 proc /proc && exec "$@"'
    command = ("unshare", "--mount", "sh", "-c", hide, "sh", sys.executable, "-c", script)
    found = subprocess.run(
        [*command, this_process(lease=20.0).to_json()],
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount" in found.stderr or "unshare" in found.stderr:
        pytest.skip("this user cannot mount")
    assert found.stdout == "True None\n", found.stderr


def test_a_record_of_the_version_before_is_read(file: Path, start: Callable[..., Process]) -> None:
    """It does not say which file its lock is: one that is there and free is taken at its word."""
    owner = start()
    for _ in range(2):
        owner.ask("open")
    with closing(sqlite3.connect(file)) as connection, connection:
        for number, text in connection.execute("SELECT id, owner FROM run").fetchall():
            new = {"lock_identity", "journal", "journal_identity"}
            old = {name: value for name, value in json.loads(text).items() if name not in new}
            assert len(old) == len(json.loads(text)) - 3
            connection.execute("UPDATE run SET owner = ? WHERE id = ?", (json.dumps(old), number))
    (file.parent / "owners" / "2").unlink()
    assert all("which is alive" in refused(file, number).message for number in (1, 2))
    owner.kill()
    until(lambda: goes_on(file, 1))
    assert goes_on(file, 2)


def test_without_locks_a_copy_has_no_runs_of_its_original(
    file: Path, start: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which journal a run belongs to needs none."""
    owner = start(locks=False)
    number = owner.ask("open")
    owner.kill()
    monkeypatch.setattr(fcntl, "flock", without_locks)
    copy = file.parents[2] / "copy" / ".handrail" / "runs.db"
    shutil.copytree(file.parents[1], copy.parents[1])
    assert "is a copy" in refused(copy, number).message
    assert goes_on(file, number)


def test_a_lock_that_is_a_link_is_not_followed(file: Path, start: Callable[..., Process]) -> None:
    """Nothing is made where it leads to, and nothing there is locked."""
    owner = start()
    number = owner.ask("open")
    owner.kill()
    lock = file.parent / "owners" / str(number)
    lock.unlink()
    lock.symlink_to(file.parents[2] / "elsewhere")
    with opened(file) as journal, pytest.raises(JournalError, match="symbolic links"):
        journal.claim(number)
    assert not (file.parents[2] / "elsewhere").exists()


def test_locks_that_cannot_be_opened_tell_nothing(
    file: Path, start: Callable[..., Process]
) -> None:
    """Of another user, or on a disk that is read only: the owner has its run while it lives."""
    if os.getuid():
        pytest.skip("only root may become somebody else")
    script = (
        "import os, sys\n"
        "from handrail.sqlite import SqliteJournal\n"
        "journal = SqliteJournal(sys.argv[1])\n"
        "journal.holder(1)\n"  # What it imports is there from here on.
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "print(journal.holder(1).described)\n"
        "try: journal.claim(1)\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    owner = start()
    assert owner.ask("open") == 1
    found = subprocess.run(
        [sys.executable, "-c", script, file], capture_output=True, text=True, check=False
    )
    described, error = found.stdout.splitlines()
    assert described.startswith(f"pid {owner.pid} on "), found.stderr
    assert error == "RunHeldError"
