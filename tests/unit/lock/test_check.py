"""The lock is checked once for each plan that is run, and by each kind of provider in its way."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from handrail import action, resume, rollback, step
from handrail.actions import checked
from handrail.builtin.project import lock
from handrail.builtin.project.lock import outline_of
from handrail.builtin.project.lock_file import LockName, write_lock
from handrail.errors import PlanDriftedError, StepFailedError
from handrail.packs.installed import installed_packs
from handrail.packs.provider import explicit_packs
from handrail.plan.selection import select
from handrail.sqlite import SqliteJournal


@step
def find(context): ...


@step
def push(context):
    if Path("shut").exists():
        raise ValueError("shut")


nightly = action("nightly", [find, push])
NAME = LockName(name=f"{__name__}:nightly", pack=None)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Return a project with a lock, and without packs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HANDRAIL_ONLY_PACKS", "")
    (tmp_path / "handrail.toml").write_text("")
    write_lock(tmp_path, [outline_of(installed_packs(), NAME, nightly.plan())])
    return tmp_path


@pytest.fixture
def reads(monkeypatch):
    """Return how often the lock is read."""
    found = []
    read_lock = lock.read_lock

    def read(folder):
        found.append(folder)
        return read_lock(folder)

    monkeypatch.setattr(lock, "read_lock", read)
    return found


@pytest.mark.parametrize(
    "run",
    [
        lambda seen: nightly.run(observers=[seen.append]),
        lambda seen: nightly().run_plan(nightly.plan(), observers=[seen.append]),
        lambda seen: nightly().orchestrator(nightly.plan(), observers=[seen.append]).execute(),
        lambda seen: nightly().run_plan(
            select(nightly.plan(), only=["push"]), observers=[seen.append]
        ),
    ],
)
def test_a_program_reads_the_lock_once(project, reads, run):
    """However it runs the action, and also a part of its plan."""
    seen = []
    run(seen)
    assert seen[0].locked is True
    assert len(reads) == 1


COMMANDS = """
import sys
from handrail import cli
from handrail.builtin.project import lock

reads, read_lock = [], lock.read_lock
lock.read_lock = lambda folder: reads.append(folder) or read_lock(folder)
print("exit", cli.main(sys.argv[1:]), "reads", len(reads))
"""


@pytest.mark.parametrize(
    ("words", "reads"),
    [
        (["run", "flows.py:nightly"], 1),
        (["run", "flows.py:nightly", "--only", "find"], 1),
        (["run", "flows.py:nightly", "--dry-run"], 1),
        (["run", "flows.py:nightly", "--no-lock"], 0),
        (["plan", "flows.py:nightly"], 1),
    ],
)
def test_a_command_reads_the_lock_once(project, words, reads):
    """Dry runs and parts of plans included; one that leaves it aside does not read it."""
    (project / "flows.py").write_text(
        "from handrail import action, step\n"
        "@step\ndef find(context): ...\n"
        "nightly = action('nightly', [find])\n"
    )
    name = LockName(name="flows.py:nightly", pack=None)
    whole = select(nightly.plan(), only=["find"])
    write_lock(project, [outline_of(installed_packs(), name, whole)])
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, *words], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == f"exit 0 reads {reads}", done.stderr


@pytest.mark.parametrize("locked", [True, False])
def test_a_plan_that_calls_itself_checked_is_checked(project, locked):
    """What stands in a plan is how its check ended, and lifts no other."""
    turned = replace(nightly.plan(), locked=locked)
    turned = replace(turned, steps=turned.steps[::-1])
    with pytest.raises(PlanDriftedError):
        nightly().run_plan(turned)
    with pytest.raises(PlanDriftedError):
        nightly().orchestrator(turned)


def test_a_run_that_is_resumed_is_checked_once_and_an_undo_never(project, reads):
    """An undo needs no lock that fits."""
    with closing(SqliteJournal("runs.db")) as journal:
        number = kept(journal)
        reads.clear()
        assert resume(nightly, number, journal=journal)["success"]
        assert len(reads) == 1
        number = kept(journal)
        write_lock(project, [])
        with pytest.raises(PlanDriftedError):
            resume(nightly, number, journal=journal)
        reads.clear()
        assert rollback(nightly, number, journal=journal)["rolled_back"]
        assert reads == []


def kept(journal):
    """Return the number of a run that failed and was kept."""
    seen = []
    Path("shut").touch()
    with pytest.raises(StepFailedError):
        nightly.run(journal=journal, on_failure="keep", observers=[seen.append])
    Path("shut").unlink()
    return seen[0].number


def test_packs_that_are_given_know_no_lock(project, reads):
    """Neither for a run nor for its undo, of which they leave none out."""
    packs = explicit_packs(())
    action = nightly.action_class(packs=packs)
    plan = action.plan()
    assert checked(action, plan, nightly.plan) is plan
    assert packs.for_undo(["acme"]) is packs
    assert reads == []
