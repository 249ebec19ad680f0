"""What became of each step is said in one word, the same wherever it is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from durable_runs import Run, Start

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

FLOW = """
import os, signal, sys, time
from pathlib import Path
from handrail import action, step

@step
def book(context):
    context.record_rollback("room", 1)

@book.rollback
def _(context, result):
    ...

@step
def stuck(context):
    ...

@stuck.rollback
def _(context, result):
    if not Path("mended").exists():
        raise RuntimeError("the printer is on fire")

@step
def notify(context):
    ...

@step(effects=False)
def reads(context):
    ...

@step
def invite(context):
    raise ValueError("nobody comes")

@invite.rollback
def _(context, result):
    ...

def ends(context):
    how = os.environ.get("ENDS")
    if how == "kill":
        time.sleep(1.2)
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "stop":
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

@step
def deliver(context):
    ends(context)

@step(effects=False)
def looks(context):
    ends(context)

@step
def packs(context):
    ends(context)

@packs.rollback
def _(context, result):
    ...

def sort_one(item, item_context):
    ...

def unsort_one(item, item_context, data):
    ...

@step
def sorts(context):
    ends(context)
    context.map_items(sort_one, range(2), rollback=unsort_one)

sorting = action("sorting", [sorts])

party = action("party", [book, stuck, notify, reads, invite])
plain = action("plain", [book, notify, reads, invite])
delivery = action("delivery", [book, deliver])
look = action("look", [book, looks])
packing = action("packing", [book, packs])
shipping = action("shipping", [book, notify, packs])
"""


@pytest.fixture
def flow(folder: Path) -> None:
    (folder / "flow.py").write_text(FLOW)


def shown(handrail: Run, number: int) -> dict[str, object]:
    """Return the state of each step of a run."""
    found = json.loads(handrail("show", str(number), "--json").stdout)
    return {step["name"]: step["state"] for step in found["steps"]}


Ends = Callable[..., int]


@pytest.fixture
def ends(start: Start) -> Ends:
    """Run an action that is killed or stopped in its last step; return the exit code."""

    def run(name: str, how: str = "kill") -> int:
        process = start("-m", "handrail", "run", f"flow.py:{name}", ENDS=how)
        process.communicate()
        return process.returncode

    return run


def test_the_culprit_failed_and_the_others_did_not(flow: None, handrail: Run) -> None:
    """Each has its word; the cause is the headline, and the failed undo stands beside it."""
    done = handrail("run", "flow.py:party")
    assert done.returncode == 5
    assert "party failed at invite, rolled back, but not completely" in done.stderr
    assert "not undone: notify" in done.stderr
    assert shown(handrail, 1) == {
        "book": "undone",
        "stuck": "undo failed",
        "notify": "done",
        "reads": "done",
        "invite": "failed and undone",
    }
    lines = handrail("show", "1").stdout.splitlines()
    assert lines[0].endswith("rollback incomplete · failed at invite")
    assert [line for line in lines if line.startswith(("  failed", "  undo "))] == [
        "  failed  invite: nobody comes",
        "  undo    stuck: the printer is on fire",
    ]


def test_the_traceback_of_a_failed_undo_is_kept(flow: None, handrail: Run) -> None:
    """Beside that of the cause, which a second undo that fails does not replace."""
    handrail("run", "flow.py:party")
    assert handrail("rollback", "1", "--yes").returncode == 5
    found = json.loads(handrail("show", "1", "--json").stdout)
    assert found["run"]["cause"] == "invite"
    steps = {step["name"]: step for step in found["steps"]}
    assert (steps["invite"]["error"], steps["stuck"]["error"]) == ("nobody comes", None)
    assert steps["stuck"]["undo_error"] == "the printer is on fire"
    assert 'raise RuntimeError("the printer is on fire")' in steps["stuck"]["undo_traceback"]
    told = handrail("show", "1", "--traceback").stdout
    assert told.index("run 1 · invite · failed: ") < told.index("run 1 · stuck · undo failed: ")
    assert told.count("Traceback (most recent call last)") == 2


def test_an_undo_that_succeeds_later_leaves_no_error(
    flow: None, handrail: Run, folder: Path
) -> None:
    handrail("run", "flow.py:party")
    (folder / "mended").touch()
    assert handrail("rollback", "1", "--yes").returncode == 0
    found = json.loads(handrail("show", "1", "--json").stdout)
    [stuck] = [step for step in found["steps"] if step["name"] == "stuck"]
    assert (stuck["state"], stuck["error"], stuck["undo_error"]) == ("undone", None, None)


def test_what_has_no_way_back_is_named_after_each_undo(flow: None, handrail: Run) -> None:
    """At the end, in the list, in `show` and in JSON; the exit code is another one if so asked."""
    done = handrail("run", "flow.py:plain")
    assert done.returncode == 1
    assert "plain failed at invite, rolled back except notify" in done.stderr
    listed = json.loads(handrail("runs", "--json").stdout)
    assert listed["runs"][0]["not_undone"] == ["notify"]
    assert "rolled back except notify" in " ".join(handrail("runs").stdout.split())
    assert handrail("show", "1").stdout.startswith(
        "run 1 · flow.py:plain · rolled back except notify"
    )
    handrail("run", "flow.py:plain", "--on-failure", "keep")
    (result,) = handrail("rollback", "2", "--yes", "--quiet", "--json").events[-1:]
    assert result["result"]["not_undone"] == ["notify"]
    handrail("run", "flow.py:plain", "--on-failure", "keep")
    for words, code in (((), 0), (("--strict",), 5)):
        preview = handrail("rollback", "3", "--dry-run", *words)
        assert (preview.returncode, "not undone: notify" in preview.stdout) == (code, True)
    strict = handrail("rollback", "3", "--yes", "--strict")
    assert (strict.returncode, "rolled back except notify" in strict.stdout) == (5, True)
    again = handrail("rollback", "3", "--strict")
    assert (again.returncode, "rolled back except notify" in again.stdout) == (5, True)
    (failed,) = handrail("run", "flow.py:plain", "--quiet", "--json").events[-1:]
    assert failed["error"]["not_undone"] == ["notify"]


def test_each_dead_run_is_undone_as_strictly_as_one(flow: None, handrail: Run, ends: Ends) -> None:
    for strict, code in (((), 0), (("--strict",), 5)):
        assert ends("shipping") == -9
        done = handrail("rollback", "--all-dead", *strict)
        assert (done.returncode, "except notify" in done.stdout + done.stderr) == (code, True)


def test_what_a_kept_run_failed_with_is_not_lost_by_its_undo(flow: None, handrail: Run) -> None:
    """Neither its error nor its traceback, nor how long the step took."""
    handrail("run", "flow.py:plain", "--on-failure", "keep")
    before = json.loads(handrail("show", "1", "--json").stdout)["steps"][-1]
    handrail("rollback", "1", "--yes")
    after = json.loads(handrail("show", "1", "--json").stdout)["steps"][-1]
    assert (before["state"], after["state"]) == ("failed", "failed and undone")
    same = ("error", "traceback", "took")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert after["spans"][0] == before["spans"][0]


def test_a_killed_step_without_an_undo_may_have_left_something(
    flow: None, handrail: Run, ends: Ends
) -> None:
    """The preview says so, the undo is incomplete each time, and a person ends it."""
    assert ends("delivery") == -9
    assert shown(handrail, 1)["deliver"] == "may have left something"
    preview = handrail("rollback", "1", "--dry-run")
    assert preview.returncode == 5
    assert "deliver may have left something" in preview.stdout
    assert "handrail rollback 1 --by-hand deliver --reason TEXT" in preview.stdout
    (shows,) = handrail("rollback", "1", "--dry-run", "--json").events
    assert (shows["may_have_left"], shows["not_undone"]) == (["deliver"], [])
    for _ in range(2):
        done = handrail("rollback", "1", "--yes")
        assert done.returncode == 5
        assert "failed at" not in done.stderr
        assert shown(handrail, 1) == {"book": "undone", "deliver": "may have left something"}
        told = json.loads(handrail("show", "1", "--json").stdout)
        assert "undo" not in {span["direction"] for span in told["steps"][1]["spans"]}
    assert handrail("rollback", "1", "--by-hand", "deliver", "--reason", "looked").returncode == 0
    assert handrail("show", "1").stdout.startswith("run 1 · flow.py:delivery · rolled back, 1 by")


ENDING = (("look", "looks"), ("packing", "packs"), ("sorting", "sorts"))


def test_one_that_only_reads_or_has_an_undo_leaves_nothing(
    flow: None, handrail: Run, ends: Ends
) -> None:
    for number, (name, step) in enumerate(ENDING, 1):
        assert ends(name) == -9
        assert shown(handrail, number)[step] == "interrupted"
        assert handrail("rollback", str(number), "--yes", "--strict").returncode == 0


def test_a_killed_step_without_an_undo_runs_again_if_the_run_goes_on(
    flow: None, handrail: Run, ends: Ends
) -> None:
    assert ends("delivery") == -9
    assert handrail("resume", "1").returncode == 0
    assert shown(handrail, 1) == {"book": "done", "deliver": "done"}


def test_ctrl_c_interrupts_a_step_that_has_not_failed(
    flow: None, handrail: Run, ends: Ends
) -> None:
    """It went through the step, which could clean up; so what has no undo is named."""
    assert ends("packing", "stop") == 130
    assert shown(handrail, 1)["packs"] == "undone"
    assert ends("delivery", "stop") == 130
    assert shown(handrail, 2)["deliver"] == "interrupted"
    told = handrail("show", "2").stdout
    assert told.startswith("run 2 · flow.py:delivery · rolled back except deliver")


def test_a_killed_run_has_one_duration_before_and_after_its_undo(
    flow: None, handrail: Run, ends: Ends
) -> None:
    """In the list, in `show` and in its timeline: up to the last sign of life."""
    assert ends("packing") == -9

    def times() -> tuple[object, ...]:
        [run] = json.loads(handrail("runs", "--json").stdout)["runs"]
        found = json.loads(handrail("show", "1", "--json").stdout)
        step = found["steps"][-1]
        return run["took"], found["run"]["took"], step["took"], step["spans"][0]

    before = times()
    assert before[0] == before[1]
    handrail("rollback", "1", "--yes")
    assert times() == before
