"""Steps that refuse to work because something is in the way, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from durable_runs import Run, runs, states

REFUSING = '''
import sys
from pathlib import Path
from handrail import BaseStep, RefusedError, StepResult, action, step

@step
def first(context):
    Path("first.txt").touch()

@first.rollback
def undo_first(context, result):
    Path("first.txt").unlink()

class Send(BaseStep):
    """Refuses what the folder has a file for."""
    name = "send"
    progress_weight = 0.1

    def _look(self, what):
        if Path(what).exists():
            raise RefusedError("run 15 on build-7 sends there", ways_out=("wait for run 15",))

    def execute(self, context):
        self._look("busy")
        return StepResult()

    def rollback(self, context, result):
        self._look("kept")

    def preview_rollback(self, context, result):
        self._look("kept")
        return "sent things deleted"

@step
def last(context):
    if Path("wait").exists():
        print("ready", flush=True)
        sys.stdin.read()
    if Path("broken").exists():
        raise ValueError("it is broken")

@last.rollback
def undo_last(context, result):
    pass

send = action("send", [first, Send()])
more = action("more", [first, Send(), last])
'''


@pytest.fixture(autouse=True)
def refusing(folder: Path) -> None:
    (folder / "refusing.py").write_text(REFUSING)


def test_a_dry_run_ends_as_the_undo_would(handrail: Run, folder: Path) -> None:
    handrail("run", "refusing.py:send")
    (folder / "kept").touch()
    preview = handrail("rollback", "1", "--dry-run", "--json")
    assert preview.returncode == handrail("rollback", "1", "--yes").returncode == 3
    undo = preview.events[-1]["undo"][0]
    assert (undo["step"], undo["refused"]["code"]) == ("send", "refused")
    (folder / "kept").unlink()
    assert handrail("rollback", "1", "--dry-run").returncode == 0


def test_a_refused_run_ends_with_what_is_in_the_way(handrail: Run, folder: Path) -> None:
    """Exit 3; the message and the ways out of the refusal come first, and the run is undone."""
    (folder / "busy").touch()
    done = handrail("run", "refusing.py:send")
    assert done.returncode == 3, done.stderr
    _, _, after = done.stderr.partition("error: ")
    lines = after.splitlines()
    assert lines[0] == "run 15 on build-7 sends there"
    assert "  wait for run 15" in lines
    assert "  run     send stopped at send, rolled back" in lines
    assert "--on-failure keep" not in after
    assert not (folder / "first.txt").exists()
    assert runs(handrail) == {1: "rolled back"}
    error = handrail("run", "refusing.py:send", "--json").events[-1]["error"]
    assert (error["code"], error["exit_code"], error["step"]) == ("refused", 3, "send")
    assert error["message"] == "run 15 on build-7 sends there"
    assert error["ways_out"] == ["wait for run 15"]
    assert error["number"] == 2


def test_what_was_kept_before_a_refusal_says_so(handrail: Run, folder: Path) -> None:
    """With `--on-failure keep` nothing is undone, and the exit code is that of what is kept."""
    (folder / "busy").touch()
    done = handrail("run", "refusing.py:send", "--on-failure", "keep")
    assert done.returncode == 6, done.stderr
    (folder / "busy").unlink()
    assert handrail("resume", "1").returncode == 0


def test_a_refused_rollback_leaves_a_completed_run_as_it_is(handrail: Run, folder: Path) -> None:
    """Exit 3, and the advice has the number; later it is undone."""
    assert handrail("run", "refusing.py:send").returncode == 0
    (folder / "kept").touch()
    done = handrail("rollback", "1", "--yes")
    assert done.returncode == 3, done.stderr
    assert (
        "error: step 'send' cannot be undone now: run 15 on build-7 sends there; nothing was undone"
    ) in done.stderr
    assert done.stderr.splitlines()[-2:] == [
        "  wait for run 15",
        "  try again later:  handrail rollback 1",
    ]
    assert runs(handrail) == {1: "completed"}
    assert states(handrail, 1) == {"first": "done", "send": "done"}
    (folder / "kept").unlink()
    assert handrail("rollback", "1", "--yes").returncode == 0
    assert not (folder / "first.txt").exists()


@pytest.mark.parametrize("how", ["rollback", "failure"])
def test_an_undo_that_is_refused_half_way_can_be_continued(
    handrail: Run, folder: Path, how: str
) -> None:
    """Exit 3 too; the run is incomplete, and the printed command undoes the rest."""
    (folder / "kept").touch()
    if how == "failure":
        (folder / "broken").touch()
        done = handrail("run", "refusing.py:more")
        assert "Rollback of step 'send' failed: run 15 on build-7 sends there" in done.stderr
    else:
        assert handrail("run", "refusing.py:more").returncode == 0
        done = handrail("rollback", "1", "--yes")
    assert done.returncode == 3, done.stderr
    assert "handrail rollback 1" in done.stderr.splitlines()[-1]
    assert runs(handrail) == {1: "rollback incomplete"}
    assert (folder / "first.txt").exists()
    (folder / "kept").unlink()
    assert handrail("rollback", "1").returncode == 0
    assert not (folder / "first.txt").exists()


def test_a_refusal_is_not_taken_for_another_process(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """`--all-dead` reports its exit code, although the run is no longer one that is dead."""
    (folder / "wait").touch()
    killed("-m", "handrail", "run", "refusing.py:more")
    (folder / "kept").touch()
    done = handrail("rollback", "--all-dead")
    assert done.returncode == 3, done.stderr
    assert "taken by another process" not in done.stderr
    assert runs(handrail) == {1: "rollback incomplete"}
