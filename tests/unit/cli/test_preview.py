"""`handrail plan --preview`: the plan, and what each step would do, as a dry run finds it."""

from __future__ import annotations

import json

import pytest

FLOWS = '''
from pydantic import BaseModel
from handrail import BaseStep, RefusedError, StepResult, action, chain, parallel, step

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

@step
def tell(context): ...

@step(isolated=True, effects=False)
def apart(context):
    """Reads in a process of its own."""
    return {"summary": "seen from there"}

@step(isolated=True)
def away(context):
    open("sent", "w").close()

alone = action("alone", [apart, away])
sending = action("sending", [look, idle, Send(), Test(), count], params=Params)
abreast = action("abreast", [look, parallel("both", [[Send()], [tell]])], params=Params)
'''


@pytest.fixture
def sending(folder):
    (folder / "sending.py").write_text(FLOWS)
    return folder


def world(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")


PREVIEW = ("plan", "sending.py:sending", "--to", "there", "--preview")


def test_the_plan_comes_first_and_then_what_each_step_would_do(sending, call):
    """Steps that only read have run; nothing was made, and nothing recorded."""
    before = world(sending)
    table = call("plan", "sending.py:sending").out
    done = call(*PREVIEW)
    assert done.code == 0, done.err
    assert done.out.startswith(table)
    assert done.out.removeprefix(table).splitlines() == [
        " ✓ look   3 files found",
        "     column size is a number (int64)",
        " - idle   skipped",
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
    assert done.err == ""
    assert world(sending) == before


@pytest.mark.parametrize("name", ["sending", "abreast"])
def test_it_tells_what_a_dry_run_tells(sending, call, name):
    """Of every step with lines the same ones, in groups too."""
    words = (f"sending.py:{name}", "--to", "there")
    dry = call("run", *words, "--dry-run", "--all")
    preview = call("plan", *words, "--preview", "--all")
    assert (preview.code, dry.code) == (0, 0)
    told = [line for line in dry.out.splitlines() if line.startswith("     ")]
    assert "     file 17" in told
    assert [line for line in preview.out.splitlines() if line.startswith("     ")] == told


def test_isolated_steps_that_only_read_run_in_their_process(sending, call):
    """What has effects is not even started there."""
    before = world(sending)
    done = call("plan", "sending.py:alone", "--preview")
    assert done.code == 0, done.err
    assert done.out.splitlines()[-4:] == [
        " ✓ apart  seen from there",
        " ○ away",
        "     not previewed",
        "alone would run 2 steps; nothing was done",
    ]
    assert world(sending) == before


def test_for_programs_it_is_one_document(sending, call):
    """The plan, with its fingerprint, and every line of each step that was reached."""
    plan = json.loads(call("plan", "sending.py:sending", "--json").out)
    found = json.loads(call(*PREVIEW, "--json").out)
    assert {key: found[key] for key in plan} == plan
    assert found["error"] is None
    look, idle, send, *_ = found["preview"]
    assert look == {
        "step": "look",
        "state": "done",
        "data": {"summary": "3 files found"},
        "lines": ["column size is a number (int64)"],
    }
    assert idle == {"step": "idle", "state": "skipped", "lines": []}
    assert (send["state"], len(send["lines"])) == ("previewed", 31)


def test_it_takes_the_params_that_a_run_takes(sending, call):
    """The plan alone needs none of them."""
    for words in (("plan", "sending.py:sending", "--preview"), ("run", "sending.py:sending")):
        done = call(*words)
        assert done.code == 2
        assert "--to: is required" in done.err
    assert call("plan", "sending.py:sending").code == 0


def test_it_ends_as_the_dry_run_does(sending, call):
    """With the exit code and the message of a run that would fail; the plan is shown before."""
    words = ("sending.py:sending", "--to", "there", "--refuse")
    dry = call("run", *words, "--dry-run")
    done = call("plan", *words, "--preview")
    assert done.code == dry.code != 0
    assert done.out.startswith("sending · 5 steps · plan ")
    assert done.out.splitlines()[-1] == " ✗ look"
    assert "the place is taken" in done.err
    assert "give another --to" in done.err
    found = json.loads(call("plan", *words, "--preview", "--json").out)
    assert found["error"]["exit_code"] == dry.code
    assert [each["state"] for each in found["preview"]] == ["failed"]
    assert [each["name"] for each in found["steps"]][:2] == ["look", "idle"]


def test_a_plan_that_is_not_the_locked_one_is_not_previewed(sending, call):
    """A run of it would be refused."""
    (sending / "handrail.toml").touch()
    assert call("lock", "sending.py:sending").code == 0
    assert call(*PREVIEW).code == 0
    (sending / "handrail.toml").write_text('[actions.sending]\nremove = ["idle"]\n')
    refused = call("run", "sending.py:sending", "--to", "there", "--dry-run")
    done = call(*PREVIEW)
    assert done.code == refused.code == 3
    assert done.out.startswith("sending · 4 steps · plan ")
    assert "send 3 files" not in done.out
    assert done.err.splitlines()[0] in refused.err
    found = json.loads(call(*PREVIEW, "--json").out)
    assert (found["error"]["exit_code"], found["preview"]) == (3, [])


def test_an_action_in_one_piece_is_not_previewed(call):
    done = call("plan", "flows.py:SimpleAction", "in", "--preview")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "simple has no steps; it runs in one piece",
        "simple is not previewed",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--preview", "--explain", "look"), "--explain and --preview are two questions; ask one"),
        (("--preview", "--mermaid"), "--preview and --mermaid are two questions; ask one"),
        (("--all",), "--all goes with --preview"),
    ],
)
def test_one_question_at_a_time(sending, call, words, message):
    done = call("plan", "sending.py:sending", *words)
    assert done.code == 2
    assert message in done.err
