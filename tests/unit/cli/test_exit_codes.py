"""Exit code 5 is for undos: one that is incomplete, or refused. Each code has its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from handrail import ExitCode

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

FLOWS = """
import os
from pathlib import Path
from handrail import BaseStep, StepResult, action, step

@step
def send(context): ...

@send.rollback
def unsend(context, result): ...

@step
def tell(context):
    if Path("away").exists():
        raise ValueError("nobody listens")
    if Path("exit").exists():
        raise SystemExit(3)
tell.always_run = True

class Connect(BaseStep):
    name = "connect"
    progress_weight = 0.1
    effects = False

    def execute(self, context):
        return StepResult()

    def restore(self, context, result):
        raise OSError("no line")

@step
def work(context):
    if Path("stops").exists():
        raise ValueError("no way")

told = action("told", [send, tell])
lines = action("lines", [Connect(), send, work])
"""


@pytest.fixture
def project(folder: Path) -> Path:
    (folder / "codes.py").write_text(FLOWS)
    return folder


@pytest.mark.parametrize("how", ["away", "exit"])
def test_a_step_that_always_runs_fails_after_all_was_done(call, project, how):
    """Nothing is undone, and nothing is to be: what was done is kept."""
    (project / how).touch()
    assert call("run", "codes.py:told").code == ExitCode.KEPT


def test_what_cannot_be_restored_stops_a_resume_and_an_undo_differently(call, project):
    """A resume has undone nothing, and was not to; a rollback that cannot begin is incomplete."""
    (project / "stops").touch()
    assert call("run", "codes.py:lines", "--on-failure", "keep").code == ExitCode.KEPT
    resumed = call("resume", "1")
    assert (resumed.code, "could not be restored" in resumed.err) == (ExitCode.PLAN, True)
    undone = call("rollback", "1", "--yes")
    assert (undone.code, "could not be restored" in undone.err) == (ExitCode.ROLLBACK, True)


def test_each_exit_code_is_on_a_line_of_its_own(call):
    lines = call("--help").lines
    for code in ExitCode:
        assert any(line.split()[:1] == [str(int(code))] for line in lines), code


def test_an_action_that_is_called_like_a_command_is_suggested(yard):
    assert "'ship' is an action:  handrail run ship photos" in yard("ship", "photos").stderr
