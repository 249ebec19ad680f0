"""Kills of the run, of the step's process and of both: nothing lives on, and nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from isolating import Context, job, resumed
from killing.processes import Killing, in_child
from leftovers import has_ended

from handrail import resume, rollback
from handrail.errors import JournalError, RunHeldError
from handrail.sqlite import SqliteJournal

RUN = """
import sys
from isolating import job, resumed
from handrail.sqlite import SqliteJournal

journal = SqliteJournal(".handrail/runs.db")
{"job": job, "resumed": resumed}[sys.argv[1]]({"do": sys.argv[2]}, packs=()).run(journal=journal)
"""

# With one Python: each test starts processes.
pytestmark = pytest.mark.slow


def run_in_process(workflow: str, do: str) -> tuple[subprocess.Popen[bytes], int, int]:
    """Run a workflow in a process; return it, its step's process and its helper, once they work."""
    support = Path(__file__).parents[4] / "tests/support"
    words = [sys.executable, "-c", RUN, workflow, do]
    environment = {**os.environ, "PYTHONPATH": str(support)}
    os.mkfifo("waiting")  # The step opens it once it has recorded.
    process = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
    with open("waiting", "rb"):
        pass
    Path("waiting").unlink()
    step, helper = Path("pids").read_text().split()
    return process, int(step), int(helper)


def made() -> list[str]:
    return sorted(each.name for each in Path().glob("*.txt"))


def test_the_step_ends_with_its_run(journal: SqliteJournal) -> None:
    """Killed in the middle of a step, the run takes its processes with it, and is resumed."""
    process, step, helper = run_in_process("job", "meets")
    process.kill()
    process.wait()
    assert has_ended(step)
    assert has_ended(helper)
    assert made() == ["work.txt"]
    result = resume(job, 1, journal=journal, packs=())
    assert result["success"]
    states = [(row.step, row.n, row.state) for row in journal.read(1).attempts]
    assert states == [
        ("connect", 1, "done"),
        ("work", 1, "undone"),
        ("work", 2, "done"),
        ("after", 1, "done"),
    ]


def test_a_killed_run_can_be_undone(journal: SqliteJournal) -> None:
    process, step, _helper = run_in_process("job", "meets")
    process.kill()
    process.wait()
    assert has_ended(step)
    assert rollback(job, 1, journal=journal, packs=()) == {"rolled_back": True, "number": 1}
    assert made() == []


def test_an_interrupted_step_resumes_in_a_process_of_its_own(journal: SqliteJournal) -> None:
    """It is given what it had recorded."""
    process, step, _helper = run_in_process("resumed", "meets")
    process.kill()
    process.wait()
    assert has_ended(step)
    made = resumed({"do": "nothing"}, packs=())
    resume(resumed, 1, journal=journal, packs=())
    results = {row.step: json.loads(row.result or "{}") for row in journal.read(1).attempts}
    data = results["work"]["data"]
    assert data["resumed"]["value"] == {"made": ["work.txt"]}
    assert data["pid"]["value"] not in (os.getpid(), step)
    assert made is not None


def test_the_step_ends_with_its_helper() -> None:
    """Without it nobody could stop the step; the run undoes it."""
    process, step, helper = run_in_process("job", "meets")
    os.kill(helper, signal.SIGKILL)
    assert has_ended(step)
    assert process.wait() == 1
    assert made() == []


def test_both_may_be_killed(journal: SqliteJournal) -> None:
    """The journal knows what the step had recorded."""
    process, step, _helper = run_in_process("job", "meets")
    os.kill(step, signal.SIGSTOP)
    process.kill()
    with contextlib.suppress(ProcessLookupError):  # Its helper may have been as quick.
        os.kill(step, signal.SIGKILL)
    process.wait()
    assert has_ended(step)
    rollback(job, 1, journal=journal, packs=())
    assert made() == []


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the helper alone ends the step")
def test_the_run_cannot_be_claimed_while_the_step_lives(journal: SqliteJournal) -> None:
    """The step has the lock of the run, too."""
    process, step, helper = run_in_process("job", "meets")
    os.kill(helper, signal.SIGSTOP)  # It would kill the step.
    process.kill()
    process.wait()
    try:
        with pytest.raises(RunHeldError):
            journal.claim(1)
    finally:
        os.kill(helper, signal.SIGCONT)
    assert has_ended(helper)
    assert has_ended(step)
    journal.claim(1).release()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", range(1, 7))
def test_a_kill_at_any_write_leaves_a_run_that_can_be_finished_or_undone(
    at: int, when: str, tmp_path: Path, journal: SqliteJournal
) -> None:
    """What the step has made by then was recorded before, and no step is done twice."""

    def work() -> None:
        deadly = Killing(tmp_path / ".handrail" / "runs.db")
        deadly.at, deadly.when = at, when
        job({"do": "records_some"}, packs=()).run(journal=deadly)

    assert in_child(work) == -signal.SIGKILL
    pids = Path("pids")
    for process in pids.read_text().split() if pids.exists() else ():
        assert has_ended(int(process))
    recorded = {name for note in journal.read(1).notes for name in json.loads(note.values)}
    assert set(made()) <= recorded
    if at % 2:
        resume(job, 1, journal=journal, packs=())
        assert made() == ["0.txt", "1.txt", "work.txt"]
        done = [row.step for row in journal.read(1).attempts if row.state == "done"]
        assert done == ["connect", "work", "after"]
    else:
        rollback(job, 1, journal=journal, packs=())
        assert made() == []


def test_a_failed_write_reaches_the_step(journal: SqliteJournal) -> None:
    """What cannot be recorded raises in the step, before its effect; the next process undoes."""

    class Full(SqliteJournal):
        def open_run(self, new: Any, changes: Any = ()) -> Any:
            owned = super().open_run(new, changes)
            write = owned.write

            def limited(changes: Any) -> None:
                if any("0.txt" in str(getattr(each, "values", "")) for each in changes):
                    raise OSError("the disk is full")
                write(changes)

            owned.write = limited  # type: ignore[method-assign]
            return owned

    full = Full(Path(".handrail/runs.db"))
    with pytest.raises(JournalError, match="the disk is full"):
        job({"do": "records_some"}, packs=()).run(journal=full)
    full.close()
    assert made() == ["work.txt"]
    rollback(job, 1, journal=journal, packs=())
    assert made() == []


def test_the_context_of_a_resumed_run_is_handed_over(journal: SqliteJournal) -> None:
    """As it was stored before the step."""
    process, step, _helper = run_in_process("job", "meets")
    process.kill()
    process.wait()
    assert has_ended(step)
    resume(job, 1, journal=journal, packs=())
    fields = {row.name: json.loads(row.value) for row in journal.read(1).fields}
    assert fields["seen"][0] == "connect"
    assert fields["seen"][-1] == "work"
    assert Context.__name__ == "Context"


def test_no_file_is_left_of_a_killed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder for what processes hand each other goes with the helper."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    process, step, helper = run_in_process("job", "meets")
    assert len(list(temporary.iterdir())) == 1
    process.kill()
    process.wait()
    assert has_ended(step)
    assert has_ended(helper)
    assert list(temporary.iterdir()) == []
