"""Limits of steps on the command line: from the project file, in a plan, and in a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from durable_runs import Run

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

FLOWS = """
import threading
from pathlib import Path
from handrail import action, step

@step
def first(context):
    Path("first.txt").touch()

@first.rollback
def unfirst(context, result):
    Path("first.txt").unlink(missing_ok=True)

@step
def waits(context):
    context.record_rollback("made", "second.txt")
    Path("second.txt").touch()
    if not Path("open").exists():
        threading.Event().wait(30)

@waits.rollback
def unwaits(context, result):
    if Path("stuck").exists():
        threading.Event().wait(30)
    for name in result.rollback_data["made"]:
        Path(name).unlink(missing_ok=True)

job = action("job", [first, waits])
"""

LIMITS = """
[local.actions]
job = "flows.py:job"

[actions.job.steps.waits]
timeout = {timeout}
rollback_timeout = 0.2
rollback_retries = 1
rollback_wait = 0
"""


@pytest.fixture
def project(folder: Path) -> Path:
    (folder / "flows.py").write_text(FLOWS)
    (folder / "handrail.toml").write_text(LIMITS.format(timeout=0.2))
    return folder


def test_the_plan_shows_what_the_project_limits(handrail: Run, project: Path) -> None:
    """Below the step, and with its place as an explanation."""
    assert (
        "└ timeout 0.2s, undo timeout 0.2s, undo retried once after 0s"
        in handrail("plan", "job").stdout
    )
    explained = handrail("plan", "job", "--explain", "waits").stdout
    assert "given timeout = 0.2" in " ".join(explained.split())
    assert "handrail.toml:5" in explained
    [_, waits] = json.loads(handrail("plan", "job", "--json").stdout)["steps"]
    assert waits["limits"] == {"timeout": 0.2}
    assert waits["rollback_policy"] == {"timeout": 0.2, "retries": 1, "wait": 0}


def test_a_workflow_of_the_project_limits_its_steps(handrail: Run, folder: Path) -> None:
    """In the table of each; one that extends another has them in a table of its own."""
    (folder / "flows.py").write_text(FLOWS)
    (folder / "handrail.toml").write_text(
        '[local.steps]\nfirst = "flows.py:first"\nwaits = "flows.py:waits"\n'
        '[local.actions]\njob = "flows.py:job"\n'
        '[workflows.night]\nsteps = ["first", { step = "waits", timeout = 0.2 }]\n'
        '[workflows.day]\nextends = "job"\n[workflows.day.steps.first]\ntimeout = 7\n'
    )
    assert "└ timeout 0.2s" in handrail("plan", "night").stdout
    assert "└ timeout 7s" in handrail("plan", "day").stdout
    assert "waits(timeout=0.2)" in handrail("config").stdout
    done = handrail("run", "night")
    assert "it took longer than its timeout of 0.2s" in done.stderr
    assert not (folder / "second.txt").exists()


def test_a_step_whose_time_is_over_is_undone(handrail: Run, project: Path) -> None:
    """With exit code 1, the reason, and nothing left."""
    done = handrail("run", "job")
    assert done.returncode == 1
    assert "  cause   it took longer than its timeout of 0.2s\n" in done.stderr
    line = FLOWS[: FLOWS.index("Event().wait")].count("\n") + 1
    assert f"  at      flows.py:{line} in waits\n" in done.stderr
    assert not (project / "first.txt").exists()
    assert not (project / "second.txt").exists()
    assert "rolled back" in handrail("runs").stdout


def test_a_run_that_timed_out_goes_on_with_more_time(handrail: Run, project: Path) -> None:
    """Limits are no part of what a plan is: more time is no drift, also where a lock is."""
    assert handrail("lock", "job").returncode == 0
    kept = handrail("run", "job", "--on-failure", "keep")
    assert kept.returncode == 6
    (project / "handrail.toml").write_text(LIMITS.format(timeout=60))
    (project / "open").touch()
    assert handrail("lock", "--check").returncode == 0
    resumed = handrail("resume", "1")
    assert resumed.returncode == 0, resumed.stderr
    assert "since run 1 began" not in resumed.stderr
    assert (project / "second.txt").exists()


def test_an_undo_that_hangs_for_good_is_left(handrail: Run, project: Path) -> None:
    """After its tries the other steps are undone; the exit code is 5, and a person can help."""
    (project / "stuck").touch()
    done = handrail("run", "job")
    assert done.returncode == 5
    assert "undo retried 1/1" in done.stderr
    assert "Rollback of step 'waits' failed: it took longer than its timeout of 0.2s" in done.stderr
    assert "handrail rollback 1 --by-hand waits --reason TEXT" in done.stderr
    assert not (project / "first.txt").exists()
    assert (project / "second.txt").exists()
    assert handrail("rollback", "1", "--by-hand", "waits", "--reason", "removed it").returncode == 0
    assert "rolled back, 1 by hand" in handrail("runs").stdout
