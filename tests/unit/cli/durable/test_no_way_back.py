"""Steps that nothing takes back are named: before a run and after one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from durable_runs import Run, Start
from garden import Garden

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

STEPS = '''
import sys
from handrail import BaseStep, StepResult, action, step

class Step(BaseStep):
    """Do something."""
    progress_weight = 0.2
    def execute(self, context):
        return StepResult()

class Mails(Step):
    name = "mails"

class Reads(Step):
    name = "reads"
    effects = False

class Undoes(Step):
    name = "undoes"
    def rollback(self, context, result): ...

class GoesOn(Step):
    name = "goes_on"
    def resume(self, context, result):
        return StepResult()

class Posts(Step):
    name = "posts"
    def execute(self, context):
        print("ready", flush=True)
        sys.stdin.read()

class Closes(Step):
    name = "closes"
    always_run = True

ship = action("ship", [Mails(), Reads(), Undoes(), GoesOn(), Posts(), Closes()])
'''


@pytest.fixture
def shipping(site: Garden) -> None:
    """A pack with an action of all kinds of steps, which it also offers one by one."""
    classes = ("Mails", "Reads", "Undoes", "GoesOn", "Posts", "Closes")
    steps = {"goes_on" if each == "GoesOn" else each.lower(): each for each in classes}
    site.plant(
        "acme-ship",
        points={
            "actions": {"ship": "acme_ship:ship"},
            "steps": {name: f"acme_ship:{each}" for name, each in steps.items()},
        },
        modules={"acme_ship/__init__.py": STEPS},
    )


def test_a_plan_names_them(shipping: None, handrail: Run) -> None:
    """Neither what only reads nor what can be undone, or goes on, nor what always runs."""
    told = handrail("plan", "ship")
    assert told.returncode == 0, told.stderr
    [line] = [line for line in told.stdout.splitlines() if "Not undone" in line]
    assert line == "Not undone, also after a kill: mails, posts"


def test_show_names_those_that_began(
    shipping: None, handrail: Run, folder: Path, start: Start
) -> None:
    """After a kill in the middle of one, which may have done its work or not."""
    process: subprocess.Popen[str] = start("-m", "handrail", "run", "ship")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.kill()
    process.wait()
    told = handrail("show", "1").stdout
    assert "stays   what mails, posts did: have effects, and no rollback" in told
