"""`handrail run --dry-run`: what each step would do, and what those that only read find."""

from __future__ import annotations

import pytest

FLOWS = '''
from pydantic import BaseModel
from handrail import BaseStep, RefusedError, StepResult, action, step

class Params(BaseModel):
    """What to send."""
    to: str
    refuse: bool = False

@step(effects=False)
def look(context):
    """Read what is there."""
    if context.options.refuse:
        raise RefusedError("the place is taken", ways_out=("give another --to",))
    context.log("column", {"summary": "size is a number (int64)"})
    return {"summary": "3 files found"}

class Send(BaseStep):
    name = "send"
    progress_weight = 1.0

    def execute(self, context):
        open("sent", "w").close()
        return StepResult(data={"size": 3})

    def preview(self, context):
        yield f"send 3 files to {context.options.to}"
        yield from (f"file {number}" for number in range(30))

class Test(BaseStep):
    name = "test"
    progress_weight = 1.0
    effects = False

    def execute(self, context):
        return StepResult(data={"size": context.results["send"].data["size"]})

    def preview(self, context):
        return "test what was sent"

@step(effects=False)
def count(context):
    """Needs what a dry run does not make."""
    return {"size": context.results["send"].data["size"]}

@step(effects=False)
def idle(context):
    """Has nothing to do."""

@idle.skip_if
def always(context):
    return True

sending = action("sending", [look, idle, Send(), Test(), count], params=Params)
'''


@pytest.fixture
def sending(folder):
    (folder / "sending.py").write_text(FLOWS)
    return folder


def world(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")


DRY = ("run", "sending.py:sending", "--to", "there", "--dry-run")


def test_it_lists_what_each_step_would_do(sending, call):
    """Steps that only read have run; nothing was made, and nothing recorded."""
    before = world(sending)
    done = call(*DRY)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        " · look",
        "     column size is a number (int64)",
        " ○ send",
        "     send 3 files to there",
        *(f"     file {number}" for number in range(9)),
        "     ... and 20 more: --all",
        "     file 29",
        " ○ test",
        "     test what was sent",
        " ○ count",
        "     cannot tell in a dry run: 'size'",
        "sending would run 4 of 5 steps; nothing was done",
    ]
    assert "3 files found" in done.err
    assert world(sending) == before
    assert "     file 17" in call(*DRY, "--all").out.splitlines()


def test_it_ends_as_the_run_would(sending, call):
    """With the exit code and the ways out of a run that would be refused."""
    done = call(*DRY, "--refuse")
    assert done.code == call("run", "sending.py:sending", "--to", "there", "--refuse").code == 3
    assert "the place is taken" in done.err
    assert "give another --to" in done.err
    assert "sending would stop at look, nothing was done" in done.err
