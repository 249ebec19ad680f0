"""One run and several processes that want it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from durable_runs import Run, Start, runs

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


def test_two_terminals_race(handrail: Run, folder: Path, start: Start, killed: Callable) -> None:
    """Of two that resume one run, one does; the other is refused with 3 and told who has it."""
    killed()
    one = start("-m", "handrail", "resume", "1")
    assert one.stdout is not None
    assert one.stdout.readline() == "ready\n"
    other = handrail("resume", "1")
    assert other.returncode == 3
    assert f"pid {one.pid} " in other.stderr
    assert runs(handrail) == {1: "running"}
    assert f"running (pid {one.pid})" in handrail("runs").stdout
    out, _ = one.communicate("")
    assert one.returncode == 0
    assert "completed" in out
    assert (folder / "über.txt").read_text() == "made\n"


def test_a_run_that_was_lost_to_another(handrail: Run, folder: Path) -> None:
    """Nothing is touched any more, and where to look is named."""
    (folder / "sabotage.sql").write_text("UPDATE run SET fence = fence + 1")
    done = handrail("run", "durable.py:sabotaged", "a")
    assert done.returncode == 3, done.stderr
    assert "handrail show 1" in done.stderr
    assert "rollback" not in done.stderr
    assert not (folder / "undone").exists()


def stalled(handrail: Run, journal: str) -> None:
    """Wait until the owner of the first run counts as stopped."""
    while runs(handrail, "--journal", journal) != {1: "stalled"}:
        time.sleep(0.05)


@pytest.mark.parametrize("go_on", ["resume", "rollback"])
def test_a_stopped_owner_loses_its_run_to_take_over_only(
    handrail: Run, folder: Path, start: Start, go_on: str
) -> None:
    """While it may live nobody gets the run; when it wakes it finds out, and touches nothing."""
    journal = f"sqlite://{quote(str(folder / 'kept.db'))}?lease=2"
    owner = start("-m", "handrail", "run", "durable.py:job", "a", "--journal", journal)
    assert owner.stdout is not None
    assert owner.stdout.readline() == "ready\n"
    alive = handrail(go_on, "1", "--take-over", "--journal", journal)
    assert alive.returncode == 3
    assert f"run 1 is held by pid {owner.pid} on " in alive.stderr
    assert "which is alive" in alive.stderr
    owner.send_signal(signal.SIGSTOP)
    stalled(handrail, journal)
    silent = handrail(go_on, "1", "--journal", journal)
    assert silent.returncode == 3
    assert "no sign of life" in silent.stderr
    assert "--take-over" in silent.stderr
    dead = handrail(go_on, "--all-dead", "--journal", journal)
    assert (dead.returncode, runs(handrail, "--journal", journal)) == (0, {1: "stalled"})
    (folder / "open").touch()
    taken = handrail(go_on, "1", "--take-over", "--journal", journal)
    assert taken.returncode == 0, taken.stderr
    before = {file.name: file.read_text() for file in folder.glob("*.txt")}
    owner.send_signal(signal.SIGCONT)
    _, told = owner.communicate("")
    assert owner.returncode == 3, told
    assert "run 1 was taken over by pid" in told
    assert "handrail show 1" in told
    assert {file.name: file.read_text() for file in folder.glob("*.txt")} == before
    ended = "completed" if go_on == "resume" else "rolled back"
    assert runs(handrail, "--journal", journal) == {1: ended}


@contextlib.contextmanager
def orphan(folder: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock of the first run, as a process does that its dead owner has forked."""
    lock = os.open(folder / ".handrail" / "owners" / "1", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, lock)
        yield stack.close


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (("resume",), "completed"),
        (("resume", "1"), "completed"),
        (("resume", "--all-dead"), "completed"),
        (("rollback", "1", "--yes"), "rolled back"),
        (("rollback", "--all-dead"), "rolled back"),
    ],
)
def test_processes_that_end_with_their_run_are_waited_for(
    handrail: Run, folder: Path, killed: Callable, words: tuple[str, ...], state: str
) -> None:
    """They hold its lock for a moment after a SIGKILL; nobody has to take the run from them."""
    killed()
    (folder / "open").touch()
    with orphan(folder) as end:
        timer = threading.Timer(1.5, end)
        timer.start()
        done = handrail(*words)
        timer.join()
    assert done.returncode == 0, done.stderr
    assert runs(handrail) == {1: state}


@pytest.mark.parametrize("words", [("resume",), ("resume", "1"), ("rollback", "1", "--yes")])
def test_a_process_that_does_not_end_with_its_run_keeps_it(
    handrail: Run, folder: Path, killed: Callable, monkeypatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setattr("handrail.builtin.sqlite.kit.owned._ORPHANS", 0.1)
    killed()
    with orphan(folder):
        done = handrail(*words)
        assert done.returncode == 3, done.stderr
        assert "which is gone" in done.stderr
        assert "--take-over" in done.stderr
