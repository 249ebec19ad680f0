"""`handrail stop`: a run of another process ends as with Ctrl-C there."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from durable_runs import Run, Start, made, runs

from handrail.builtin.cli.commands.stop import stop_of
from handrail.builtin.sqlite.journal import SqliteJournal

# As in the background of a script; and as in a shell, whatever this test was started from.
BACKGROUND = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
FOREGROUND = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
MAIN = "import sys; from handrail.cli import main; sys.exit(main(sys.argv[1:]))"
JOB = ("run", "durable.py:job", "a", "--progress=json")


@pytest.mark.slow
@pytest.mark.parametrize("where", [BACKGROUND, FOREGROUND])
def test_it_is_interrupted_and_undone(
    start: Start, handrail: Run, folder: Path, where: str
) -> None:
    """Also where it takes no Ctrl-C, at its next renewal of the lease."""
    process = start("-c", f"{where}{MAIN}", *JOB, "--journal", f"sqlite:///{folder}/j?lease=1")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    journal = ("--journal", "j")
    dry = json.loads(handrail("stop", "1", "--dry-run", "--json", *journal).stdout)
    assert (dry["stops"], dry["undoes"]) == (["second"], ["second", "first"])
    assert dry["at_once"] is (where is FOREGROUND)
    assert runs(handrail, *journal) == {1: "running"}
    done = handrail("stop", "1", *journal)
    assert done.returncode == 0
    assert "then undoes second, first" in done.stdout
    assert process.wait(timeout=60) == 130  # It still reads what nobody writes.
    assert process.stderr is not None
    assert '"event": "InterruptReceived"' in process.stderr.read()
    assert runs(handrail, *journal) == {1: "rolled back"}
    assert made(folder) == set()


@pytest.mark.slow
def test_a_process_of_another_user_gets_a_request(
    start: Start, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nobody is told that it is interrupted at once."""
    process = start("-c", f"{FOREGROUND}{MAIN}", *JOB, "--journal", f"sqlite:///{folder}/j?lease=1")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    def refused(pid: int, number: int) -> None:
        raise PermissionError

    with closing(SqliteJournal(folder / "j")) as journal:
        monkeypatch.setattr("os.kill", refused)
        stopping = stop_of(journal, 1)
        assert "which reads that within seconds" in stopping.lines[-1]
        stopping.carry_out(journal)
        monkeypatch.undo()
    assert process.wait(timeout=60) == 130


@pytest.mark.slow
def test_what_was_done_stays_where_failures_are_kept(
    start: Start, handrail: Run, folder: Path
) -> None:
    """And a resume of it is not stopped by the old request."""
    keep = ("--on-failure", "keep", "--journal", f"sqlite:///{folder}/j?lease=1")
    process = start("-c", f"{BACKGROUND}{MAIN}", *JOB, *keep)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    handrail("stop", "1", "--journal", "j")
    process.wait(timeout=60)
    assert made(folder) == {"first.txt", "a.txt"}
    (folder / "open").touch()
    assert handrail("resume", "1", "--journal", "j").returncode == 0


@pytest.mark.slow
def test_what_cannot_be_stopped_is_refused(
    start: Start, handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """A run that is over, one whose process is gone, and one that is being undone."""
    killed()
    gone = handrail("stop", "1")
    assert (gone.returncode, "no process works on run 1" in gone.stderr) == (2, True)
    assert handrail("rollback", "1").returncode == 0
    assert handrail("stop", "1").returncode == 2
    process = start("-m", "handrail", "run", "durable.py:undoing")
    assert process.stdout is not None
    assert process.stdout.readline() == "undoing\n"
    assert handrail("stop", "2").returncode == 5
    assert handrail("stop", "9").returncode == 2


PARTS = """
import sys
from handrail import chain, step, action

@step
def wait(context):
    print("ready", flush=True)
    sys.stdin.read()

inner = action("inner", [wait])
whole = chain("whole", [inner])
"""


@pytest.mark.slow
def test_a_part_names_the_whole(start: Start, handrail: Run, folder: Path) -> None:
    """Stopping that stops the part, too."""
    (folder / "parts.py").write_text(PARTS)
    process = start("-c", f"{FOREGROUND}{MAIN}", "run", "parts.py:whole")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    refused = handrail("stop", "2")
    assert (refused.returncode, "handrail stop 1" in refused.stderr) == (3, True)
    assert handrail("stop", "1").returncode == 0
    assert process.wait(timeout=60) == 130
    assert runs(handrail) == {1: "rolled back"}
