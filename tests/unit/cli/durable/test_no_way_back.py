"""Steps that nothing takes back are named: before a run and after one."""

from __future__ import annotations

import json
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


MANY = """
from handrail import BaseStep, StepResult, StepWrapper, action, step

def make(item, item_context): ...
def remove(item, item_context, data): ...

class Maps(BaseStep):
    progress_weight = 1.0
    def execute(self, context):
        context.map_items(make, range(3), rollback=remove)
        return StepResult()

class Direct(Maps):
    name = "direct"

class Within(BaseStep):
    name, progress_weight = "within", 1.0
    def execute(self, context):
        return self._work(context)
    def _work(self, context):
        context.map_items(make, range(3), **{"chunk": 1, "rollback": remove})
        return StepResult()

class Own(Maps):
    name = "own"
    def rollback(self, context, result): ...

class Wrapped(Maps):
    name = "wrapped"

@step
async def later(context):
    await context.amap_items(make, range(3), rollback=remove)

@step
def nested(context):
    def work():
        context.map_items(make, range(3), rollback=remove)
    work()

@step
def without(context):
    context.map_items(make, range(3), max_failed=1)

many = action(
    "many", [Direct(), Within(), Own(), StepWrapper(Wrapped()), later, nested, without]
)
"""


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


def test_a_plan_tells_of_steps_that_undo_their_items(handrail: Run, folder: Path) -> None:
    """As far as their code shows: `map_items` is called in it, and given a rollback."""
    (folder / "many.py").write_text(MANY)
    told = handrail("plan", "many.py:many")
    assert told.returncode == 0, told.stderr
    rows = [line.split() for line in told.stdout.splitlines()]
    undo = {row[1]: row[4] for row in rows if row and row[0].isdigit()}
    items = dict.fromkeys(("direct", "within", "later", "wrapped", "nested"), "items")
    assert undo == {**items, "own": "yes", "without": "-"}
    assert "Not undone, also after a kill: without" in told.stdout.splitlines()
    steps = json.loads(handrail("plan", "many.py:many", "--json").stdout)["steps"]
    assert {each["name"]: each["undo"] for each in steps if "undoes_items" not in each} == {
        "without": False
    }
    assert (
        '"nested<br/>many.py<br/>undo of items"'
        in handrail("plan", "many.py:many", "--mermaid").stdout
    )


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
    # To go on is no way back: an undo would leave what it did.
    assert "not undone: mails, goes_on (they have no way back)" in told
    assert "look    at what posts did before the end: it has no way back" in told
