"""Programs that run actions themselves are held to the project's lock like the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow  # Hundreds of commands: with one Python.

FLOWS = """
from handrail import BaseAction, action, step

@step
def find(context): ...

@step
def push(context): ...

nightly = action("nightly", [find, push])

class Weekly(BaseAction):
    def setup_steps(self, registry):
        registry.register(find)

class SimpleAction(BaseAction):
    def execute(self):
        return {"done": True}

def made_here():
    return action("made_here", [find])
"""

HEAD = """
import asyncio, json, sys
from dataclasses import replace
from handrail import errors
from handrail.builtin.cli.dry_run import preview_plan
from handrail.plan.selection import select

def tell(answer):
    seen = []
    try:
        answer(seen)
    except errors.HandrailError as error:
        problems = [each.message for each in getattr(error, "problems", ())]
        print(json.dumps([error.code, error.message, problems, list(error.ways_out), len(seen)]))
    else:
        print(json.dumps([seen[0].locked if seen else "done"]))
"""


@pytest.fixture
def program(yard, environment):
    """Return a function that runs lines of Python in the project, and returns what they tell."""
    (yard.project / "flows.py").write_text(FLOWS)
    (yard.project / "handrail.toml").write_text("")

    def run(expression, folder="", lines="", **variables):
        done = subprocess.run(
            [sys.executable, "-c", f"{HEAD}\n{lines}\ntell(lambda seen: {expression})"],
            cwd=yard.project / folder,
            env={
                **environment,
                "PYTHONPATH": f"{yard.garden.site}:{yard.project}",
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


SHIP = "__import__('acme_ship').ship"
NIGHTLY = "__import__('flows').nightly"


@pytest.mark.parametrize(
    "call",
    [
        f"{SHIP}.run(observers=[seen.append])",
        f"{SHIP}().run(observers=[seen.append])",
        f"asyncio.run({SHIP}().run_async(observers=[seen.append]))",
        f"{SHIP}().run_plan({SHIP}.plan(), observers=[seen.append])",
        f"{SHIP}().run_plan(select({SHIP}.plan(), only=['send']), observers=[seen.append])",
        f"{SHIP}().run_plan(preview_plan({SHIP}.plan()), observers=[seen.append])",
    ],
)
def test_a_run_of_a_program_is_locked(yard, program, call):
    """However it is called, also in parts; drift is refused before the first step."""
    assert program(call) == [None]
    yard("lock", "ship")
    assert program(call) == [True]
    code, message, problems, ways_out, seen = program(call, HANDRAIL_NO_PACKS="acme-audit")
    assert (code, seen) == ("plan-drifted", 0)
    assert message == "the plan of ship is not the one in handrail.lock; nothing was run"
    assert problems == [
        "audit (acme-audit 2.0.1) is gone",
        "acme-audit 2.0.1 is off: HANDRAIL_NO_PACKS",
    ]
    assert ways_out[0].endswith("handrail lock acme-ship:ship")
    assert not any("--no-lock" in way for way in ways_out)


def test_a_plan_from_elsewhere_is_no_part_of_the_locked_one(yard, program):
    """Its steps have to be in the locked plan, as they are there and in that order."""
    yard("lock", "ship")
    turned = f"{SHIP}().run_plan((lambda plan: replace(plan, steps=plan.steps[::-1]))"
    code, *_ = program(f"{turned}({SHIP}.plan()), observers=[seen.append])")
    assert code == "plan-drifted"


@pytest.mark.parametrize("name", ["flows.py:nightly", "flows:nightly"])
@pytest.mark.parametrize("folder", ["", "inner"])
def test_an_action_of_the_project_has_the_name_of_its_file_or_module(yard, program, name, folder):
    """Whichever the lock has, from whichever folder of the project it is called."""
    (yard.project / "inner").mkdir()
    call = f"{NIGHTLY}.run(observers=[seen.append])"
    yard("lock", "ship")
    code, _, problems, ways_out, _ = program(call, folder)
    assert (code, problems) == ("plan-drifted", ["flows.py:nightly is not in handrail.lock"])
    way = "../flows.py:nightly" if folder else "flows.py:nightly"
    assert ways_out == [f"if the plan is meant to be as it is now:  handrail lock {way}"]
    assert yard("lock", name).returncode == 0
    assert program(call, folder) == [True]
    (yard.project / "flows.py").write_text(FLOWS.replace("[find, push]", "[push, find]"))
    assert program(call, folder)[0] == "plan-drifted"


def test_an_action_that_the_project_names_has_that_name(yard, program):
    """That of `[local.actions]`, for a program and on the command line."""
    settings = '[local.actions]\nevery_night = "flows.py:nightly"\n'
    (yard.project / "handrail.toml").write_text(settings)
    call = f"{NIGHTLY}.run(observers=[seen.append])"
    yard("lock", "ship")
    assert program(call)[2] == ["every_night is not in handrail.lock"]
    for _ in range(2):
        assert yard("lock").returncode == 0
        assert (yard.project / "handrail.lock").read_text().count("every_night") == 1
    assert program(call) == [True]
    assert "(locked)" in yard("run", "every_night").stderr
    assert yard("lock", "--check").returncode == 0


def test_classes_and_actions_in_one_piece_are_held_too(yard, program):
    """A class by its name in the module."""
    yard("lock", "ship")
    weekly = "__import__('flows').Weekly().run(observers=[seen.append])"
    simple = "__import__('flows').SimpleAction().run()"
    assert program(weekly)[2] == ["flows.py:Weekly is not in handrail.lock"]
    assert program(simple)[2] == ["flows.py:SimpleAction is not in handrail.lock"]
    yard("lock", "flows.py:Weekly", "flows.py:SimpleAction")
    yard("lock", "flows.py:SimpleAction")
    assert program(weekly) == [True]
    assert program(simple) == ["done"]


def test_no_lock_holds_for_actions_in_one_piece(yard, program):
    """The command line does not hold them a second time."""
    yard("lock", "ship")
    assert yard("run", "flows.py:SimpleAction").returncode == 3
    assert yard("run", "flows.py:SimpleAction", "--no-lock").returncode == 0


def test_an_action_that_nobody_can_name_runs_unlocked(yard, program):
    """And its run says so; where every run has to be locked, it is refused."""
    call = "__import__('flows').made_here().run(observers=[seen.append])"
    assert program(call) == [None]
    yard("lock", "ship")
    assert program(call) == [False]
    (yard.project / "handrail.toml").write_text("locked = true\n")
    code, message, *_ = program(call)
    assert code == "bad-lock"
    assert (
        message == "handrail.toml:1 wants every run locked, and made_here has no name to lock it by"
    )


def test_where_every_run_has_to_be_locked_a_program_needs_the_lock(yard, program):
    """Also with a plan that says that the lock was left aside."""
    (yard.project / "handrail.toml").write_text("locked = true\n")
    call = f"{SHIP}.run(observers=[seen.append])"
    assert (
        program(call)[1] == "handrail.toml:1 wants every run locked, and there is no handrail.lock"
    )
    yard("lock", "ship")
    assert program(call) == [True]
    aside = f"{SHIP}().run_plan(replace({SHIP}.plan(), locked=False), observers=[seen.append])"
    assert program(aside, HANDRAIL_NO_PACKS="acme-audit")[0] == "plan-drifted"


@pytest.mark.parametrize("packs", ["()", "[__import__('acme_scan')]"])
def test_given_packs_know_no_lock(yard, program, packs):
    """A test means the same in every project."""
    yard("lock", "ship")
    assert program(f"{SHIP}.run(packs={packs}, observers=[seen.append])") == [None]


def test_planning_is_never_refused(yard, program):
    """Only running is, so that a program can look at what would run."""
    yard("lock", "ship")
    call = f"seen.append(replace({SHIP}.plan(), locked=None))"
    assert program(call, HANDRAIL_NO_PACKS="acme-audit") == [None]
