"""An input that is not there is a mistake in the call: exit code 2, and no run is recorded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from handrail import BaseAction, ParamsError, hookimpl, step
from handrail.packs.provider import explicit_packs

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

FLOWS = """
from pathlib import Path
from typing import Annotated
from pydantic import BaseModel
from handrail import Argument, BaseAction, action, hookimpl, step

class Params(BaseModel):
    source: Annotated[Path, Argument()]
    sheet: Path | None = None

def missing(params):
    if not params.source.is_dir():
        yield "source", f"there is no folder {params.source}"
    if params.sheet and not params.sheet.is_file():
        yield "sheet", f"there is no file {params.sheet}"

@step(effects=False)
def look(context): ...

@step
def send(context): ...

@send.rollback
def unsend(context, result): ...

flow = action("flow", [look, send], params=Params, check_inputs=missing)

class SimpleAction(BaseAction[Params]):
    def check_inputs(self):
        return missing(self.params)
    def execute(self):
        return {}

class Broken(BaseAction[Params]):
    def setup_steps(self, registry):
        registry.register(send)
    def check_inputs(self):
        raise KeyError("oh")

@step
def fetch(context):
    Path("later").mkdir()
"""


@pytest.fixture
def project(folder: Path) -> Path:
    (folder / "inputs.py").write_text(FLOWS)
    return folder


@pytest.mark.parametrize("name", ["inputs.py:flow", "inputs.py:SimpleAction"])
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_a_missing_input_leaves_no_run(call, project, name, more):
    """All that is missing is told at once, by the names that were typed, also in a dry run."""
    done = call("run", name, "nowhere", "--sheet", "no.csv", *more)
    assert done.code == 2
    assert "SOURCE: there is no folder nowhere" in done.err
    assert "--sheet: there is no file no.csv" in done.err
    assert call("runs").lines == ["no runs yet; handrail run ACTION makes one"]
    assert call("run", name, "in", *more).code == 0


def test_plans_and_undos_need_no_inputs(call, project):
    """The inputs of a finished run may be gone."""
    assert call("plan", "inputs.py:flow", "nowhere").code == 0
    (project / "soon").mkdir()
    assert call("run", "inputs.py:flow", "soon").code == 0
    (project / "soon").rmdir()
    assert call("rollback", "1", "--yes").code == 0


def test_a_step_of_others_that_goes_first_may_make_the_inputs(call, project):
    """As in a workflow of the project that downloads what it uploads."""
    (project / "handrail.toml").write_text(
        '[local.steps]\nfetch = "inputs.py:fetch"\n\n'
        '[local.actions]\nflow = "inputs.py:flow"\n\n'
        '[workflows.nightly]\nextends = "flow"\n'
        'insert = [{ step = "local:fetch", before = "look" }]\n'
    )
    assert call("run", "nightly", "later").code == 0
    assert call("run", "flow", "never").code == 2


def test_a_step_that_a_pack_puts_first_changes_nothing():
    """Whatever effects it has: nothing runs, and the exit code is that of a mistake."""
    ran = []

    @step
    def notify(context):
        ran.append("notify")

    class Before:
        @hookimpl
        def insert_before(self, step):
            return notify if step.name == "send" else None

    class Instead:
        @hookimpl
        def setup_steps(self, registry):
            registry.replace("send", notify)

    for hooks in (Before, Instead):
        action = Sending({}, packs=explicit_packs([hooks()]))
        assert action.plan().steps[0].name == "notify"
        with pytest.raises(ParamsError, match="source: there is no folder"):
            action.run()
    assert ran == []


def test_a_check_that_raises_names_its_action_and_line(call, project):
    done = call("run", "inputs.py:Broken", "in")
    assert done.code == 3
    assert "check_inputs of broken raised KeyError" in done.err
    assert "inputs.py:38" in done.err


@step
def send(context): ...


class Sending(BaseAction[dict]):
    def setup_steps(self, registry):
        registry.register(send)

    def check_inputs(self):
        yield "source", "there is no folder"


def test_a_program_gets_a_params_error():
    """In both ways to run an action."""
    action = Sending({}, packs=())
    for run in (action.run, lambda: asyncio.run(action.run_async())):
        with pytest.raises(ParamsError, match="source: there is no folder"):
            run()
