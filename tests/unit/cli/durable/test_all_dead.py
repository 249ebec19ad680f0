"""`--all-dead`, for boot scripts."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from durable_runs import Run, Start, made, runs

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


def test_all_that_are_dead(handrail: Run, folder: Path, killed: Callable[..., None]) -> None:
    """A boot script finishes what was left, the oldest first, and nothing else."""
    killed("-m", "handrail", "run", "durable.py:job", "a")
    killed("-m", "handrail", "run", "durable.py:job", "b")
    (folder / "open").touch()
    handrail("run", "durable.py:job", "c")
    done = handrail("resume", "--all-dead")
    assert done.returncode == 0, done.stderr
    assert runs(handrail) == {1: "completed", 2: "completed", 3: "completed"}
    assert done.stderr.index("run 1 · ") < done.stderr.index("run 2 · ")
    again = handrail("rollback", "--all-dead")
    assert again.returncode == 0
    assert "no run of this project in .handrail/runs.db was left" in again.stdout
    assert handrail("resume", "1", "--all-dead").returncode == 2


def test_a_signal_to_all_that_are_dead(
    handrail: Run, folder: Path, start: Start, killed: Callable[..., None]
) -> None:
    """The run that goes on is undone, in its own time, and no other one is begun."""
    killed("-m", "handrail", "run", "durable.py:job", "a")
    killed("-m", "handrail", "run", "durable.py:job", "b")
    process = start("-m", "handrail", "resume", "--all-dead")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 130
    assert runs(handrail) == {1: "rolled back", 2: "interrupted"}


def test_one_that_fails_does_not_stop_the_others(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """The exit code is the highest; what could not be done is dead, and is tried again."""
    killed("-m", "handrail", "run", "durable.py:job", "a", "--token-env", "TOKEN", TOKEN="hunter2")
    killed("-m", "handrail", "run", "durable.py:job", "b")
    (folder / "open").touch()
    done = handrail("resume", "--all-dead")
    assert done.returncode == 2
    assert "set TOKEN as when the run began" in done.stderr
    assert done.stderr.count("was not resumed") == done.stderr.count("run 1 was not resumed") == 1
    assert runs(handrail) == {1: "interrupted", 2: "completed"}
    again = handrail("resume", "--all-dead", TOKEN="hunter2")
    assert again.returncode == 0, again.stderr
    assert runs(handrail) == {1: "completed", 2: "completed"}
    idle = handrail("resume", "--all-dead")
    assert (idle.returncode, idle.stdout) == (
        0,
        "no run of this project in .handrail/runs.db was left by a process that is gone\n",
    )


def test_two_at_once_share_the_work(
    handrail: Run, folder: Path, start: Start, killed: Callable[..., None]
) -> None:
    """What the other one has taken, or has ended, is no failure of this one."""
    for name in "ab":
        killed("-m", "handrail", "run", "durable.py:job", name)
    (folder / "open").touch()
    both = [start("-m", "handrail", "rollback", "--all-dead") for _ in range(2)]
    told = [each.communicate()[1] for each in both]
    assert [each.returncode for each in both] == [0, 0], told
    assert runs(handrail) == dict.fromkeys((1, 2), "rolled back")
    assert made(folder) == set()


def test_one_that_another_process_ended_meanwhile_is_no_failure(
    handrail: Run, start: Start, killed: Callable[..., None]
) -> None:
    """Its turn comes later than the look at what is dead."""
    killed("-m", "handrail", "run", "durable.py:job", "a")
    killed("-m", "handrail", "run", "durable.py:job", "b")
    process = start("-m", "handrail", "resume", "--all-dead")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert handrail("rollback", "2", "--yes").returncode == 0
    _, told = process.communicate("")
    assert process.returncode == 0, told
    assert "run 2 was taken by another process" in told
    assert runs(handrail) == {1: "completed", 2: "rolled back"}


def test_without_a_journal_nothing_was_left(handrail: Run, folder: Path) -> None:
    """A machine that has had no run yet boots well; a journal that was named has to be there."""
    done = handrail("resume", "--all-dead")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no run was recorded there" in done.stdout
    quiet = handrail("resume", "--all-dead", "--quiet")
    assert (quiet.returncode, quiet.stdout) == (0, "")
    lines = handrail("resume", "--all-dead", "--json")
    assert lines.events == [{"schema": 1, "event": "Result", "result": None}]
    named = handrail("resume", "--all-dead", "--journal", "typo.db")
    assert named.returncode == 2


@pytest.mark.parametrize(
    "words", [["1"], ["--take-over"], ["--folder", "."], ["--action", "durable.py:job"]]
)
def test_what_is_for_one_run_is_refused(handrail: Run, words: list[str]) -> None:
    done = handrail("rollback", "--all-dead", *words)
    assert done.returncode == 2
    assert "--all-dead takes no" in done.stderr


def test_a_sealed_run_is_left_to_resume(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """An undo of all that is dead says that it cannot be undone."""
    killed()
    with closing(sqlite3.connect(folder / ".handrail" / "runs.db")) as journal, journal:
        journal.execute("UPDATE run SET sealed = 'the originals are gone'")
    refused = handrail("rollback", "--all-dead")
    assert refused.returncode == 5
    (folder / "open").touch()
    assert handrail("resume", "--all-dead").returncode == 0
