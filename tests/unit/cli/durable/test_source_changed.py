"""Runs that were killed, and whose source or params are not what they were, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shlex import quote

import pytest
from durable_runs import Run, runs, states

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

COPYING = '''
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from pydantic import BaseModel, field_validator
from handrail import Argument, BaseStep, BaseStepContext
from handrail import SourceChangedError, StepResult, action, step

class Params(BaseModel):
    """What to copy."""
    source: Annotated[str, Argument()]
    listed: str = "list.txt"

    @field_validator("listed")
    @classmethod
    def _there(cls, listed):
        if not Path(listed).is_file():
            raise ValueError(f"there is no file {listed}")
        return listed

@dataclass(kw_only=True)
class Context(BaseStepContext):
    source: str

class Read(BaseStep):
    """Reads the source."""
    name = "read"
    progress_weight = 0.1

    def execute(self, context):
        return StepResult(data={"text": Path(context.source).read_text()})

    def restore(self, context, result):
        source = Path(context.source)
        if not source.exists() or source.read_text() != result.data["text"]:
            raise SourceChangedError(f"{source} has changed since the run began")

class Copy(BaseStep):
    """Copies line by line, and waits in the middle unless somebody has opened the gate."""
    name = "copy"
    progress_weight = 0.1

    def execute(self, context):
        return self._copy(context, 0)

    def resume(self, context, result):
        return self._copy(context, len(result.rollback_data["lines"]))

    def _copy(self, context, done):
        text = context.results["read"].data["text"]
        for number, line in enumerate(text.splitlines()[done:], done):
            context.record_rollback("lines", number)
            with open("copied.txt", "a") as file:
                file.write(line + "\\n")
            if number == 1 and not Path("open").exists():
                print("ready", flush=True)
                sys.stdin.read()
        return StepResult()

    def rollback(self, context, result):
        Path("copied.txt").unlink(missing_ok=True)

@step
def close(context):
    Path("closed.txt").touch()

close.always_run = True
copy = action("copy", [Read(), Copy(), close], params=Params, context=Context)
'''
LINES = "one\ntwo\nthree\n"


@pytest.fixture
def interrupted(folder: Path, killed: Callable[..., None]) -> Path:
    """A run that was killed after it had copied two of three lines; return its source."""
    (folder / "copying.py").write_text(COPYING)
    source = folder / "source.txt"
    source.write_text(LINES)
    (folder / "list.txt").touch()
    killed("-m", "handrail", "run", "copying.py:copy", "source.txt")
    return source


def test_a_source_that_has_changed_stops_a_resume(
    handrail: Run, folder: Path, interrupted: Path
) -> None:
    """One error says which step, where it is from, and both ways out; exit 3, all is there."""
    interrupted.write_text("another\n")
    done = handrail("resume", "1")
    assert done.returncode == 3, done.stderr
    head, *more = done.stderr.splitlines()[1:]
    assert head == (
        "error: step 'read' cannot go on: source.txt has changed since the run began; "
        "nothing was undone"
    )
    assert [line.split()[:1] for line in more[:1]] == [["at"]]
    assert "copying.py" in more[0]
    assert more[1:] == [
        "  put back what was there, then go on:  handrail resume 1",
        "  or undo the run, which does not need it:  handrail rollback 1",
    ]
    assert (folder / "copied.txt").read_text() == "one\ntwo\n"
    assert not (folder / "closed.txt").exists()
    assert states(handrail, 1) == {"read": "done", "copy": "interrupted", "close": "not started"}
    assert runs(handrail) == {1: "interrupted"}
    told = handrail("resume", "1", "--json")
    error = told.events[-1]["error"]
    assert (told.returncode, error["code"], error["exit_code"]) == (3, "source-changed", 3)
    assert error["step"] == "read"
    assert error["ways_out"][0].endswith("handrail resume 1")
    interrupted.write_text(LINES)
    (folder / "open").touch()
    assert handrail("resume", "1").returncode == 0
    assert (folder / "copied.txt").read_text() == LINES
    assert (folder / "closed.txt").exists()


def test_the_ways_out_name_the_journal_that_was_given(
    handrail: Run, folder: Path, interrupted: Path
) -> None:
    """Without it they would lead to another run."""
    interrupted.write_text("another\n")
    place = str(folder / ".handrail" / "runs.db")
    done = handrail("resume", "1", "--journal", place)
    assert f"handrail resume 1 --journal {quote(place)}" in done.stderr
    assert f"handrail rollback 1 --journal {quote(place)}" in done.stderr


def test_a_rollback_does_not_need_the_source(
    handrail: Run, folder: Path, interrupted: Path
) -> None:
    """It may even be gone; what is noted of that is no error."""
    interrupted.unlink()
    assert handrail("resume", "1").returncode == 3
    done = handrail("rollback", "1")
    assert done.returncode == 0, done.stderr
    assert "ignored for the undo: source.txt has changed since the run began" in done.stderr
    assert not (folder / "copied.txt").exists()
    assert runs(handrail) == {1: "rolled back"}


def test_params_that_are_not_valid_any_more_stop_a_resume(
    handrail: Run, folder: Path, interrupted: Path
) -> None:
    """They are named once; put back, the run goes on, and an undo does without."""
    (folder / "list.txt").unlink()
    done = handrail("resume", "1")
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("there is no file list.txt") == 1
    assert "error: the run cannot go on, and stays as it is: the params of copy" in done.stderr
    assert "put back what was there, then go on:  handrail resume 1" in done.stderr
    assert runs(handrail) == {1: "interrupted"}
    (folder / "list.txt").touch()
    (folder / "open").touch()
    assert handrail("resume", "1").returncode == 0
    (folder / "list.txt").unlink()
    assert handrail("rollback", "1", "--yes").returncode == 0


def test_all_others_that_are_dead_go_on(
    handrail: Run, folder: Path, interrupted: Path, killed: Callable[..., None]
) -> None:
    """The exit code is 3 for the one that cannot, and it is tried again."""
    killed("-m", "handrail", "run", "durable.py:job", "b")
    interrupted.write_text("another\n")
    (folder / "open").touch()
    done = handrail("resume", "--all-dead")
    assert done.returncode == 3, done.stderr
    assert "taken by another process" not in done.stderr
    assert runs(handrail) == {1: "interrupted", 2: "completed"}
    interrupted.write_text(LINES)
    assert handrail("resume", "--all-dead").returncode == 0
    assert runs(handrail) == {1: "completed", 2: "completed"}


def test_what_was_kept_stays_kept_where_a_resume_stops(
    handrail: Run, folder: Path, interrupted: Path
) -> None:
    """Nothing was touched, so `--all-dead` leaves it alone, and its undo needs --yes."""
    (folder / "open").touch()
    (folder / "copied.txt").unlink()
    source = (folder / "copying.py").read_text()
    fails = source.replace("        return StepResult()\n", '        raise OSError("no")\n', 1)
    (folder / "copying.py").write_text(fails)
    assert handrail("rollback", "1").returncode == 0
    assert handrail("run", "copying.py:copy", "source.txt", "--on-failure", "keep").returncode == 6
    interrupted.write_text("another\n")
    assert handrail("resume", "2").returncode == 3
    assert runs(handrail)[2] == "failed (kept)"
    assert handrail("rollback", "--all-dead").returncode == 0
    assert handrail("rollback", "2").returncode == 2
    assert (folder / "copied.txt").read_text() == LINES
    interrupted.write_text(LINES)
    (folder / "copying.py").write_text(source)
    assert handrail("resume", "2").returncode == 0
