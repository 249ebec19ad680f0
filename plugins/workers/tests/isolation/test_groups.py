"""Isolated steps in the lanes of a group."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from isolating import grouped, looking

from handrail import StepFailedError
from handrail.sqlite import SqliteJournal

# With one Python: each test starts processes.
pytestmark = pytest.mark.slow


def run(do: str, asynchronous: bool, action: Any = grouped, **options: Any) -> Any:
    made = action({"do": do}, packs=())
    orchestrator = made.orchestrator(made.plan(), **options)
    if asynchronous:
        asyncio.run(orchestrator.execute_async())
    else:
        orchestrator.execute()
    return orchestrator.context


@pytest.mark.parametrize("asynchronous", [False, True])
def test_lanes_have_processes_side_by_side(asynchronous: bool) -> None:
    """Each sees the context as it was when the group began, and what its lane has done."""
    context = run("nothing", asynchronous)
    results = context.results
    pids = {results[name].data["pid"] for name in ("left", "right")}
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert results["after"].data["seen"] == ["connect"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_failure_in_one_lane_stops_the_other(asynchronous: bool, journal: SqliteJournal) -> None:
    """At once, and both are undone from what they recorded."""
    with pytest.raises(StepFailedError, match="the other one waits"):
        run("meets_and_fails", asynchronous, journal=journal)
    assert not Path("left.txt").exists()
    assert not Path("right.txt").exists()
    assert journal.runs()[0].outcome == "rolled_back"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_step_sees_the_results_before_the_group_and_in_its_lane(asynchronous: bool) -> None:
    """Those of another lane are not there, whether its steps have ended or not."""
    context = run("nothing", asynchronous, looking)
    assert context.results["look"].data["results"] == ["connect", "work"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_the_time_of_a_step_in_a_lane_is_limited(asynchronous: bool) -> None:
    """It is stopped, and all is undone."""
    with pytest.raises(StepFailedError, match=r"work.*took longer than its timeout of 1s"):
        run("sleeps", asynchronous, looking)
    assert not Path("work.txt").exists()
    assert not Path("left.txt").exists()
