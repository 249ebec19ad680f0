"""A plan that is not what it was when the run began."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from killing.told import Does, flow, interrupted

from handrail import StepFailedError, StepWrapper, resume, rollback
from handrail.builtin.cli.recovery import news
from handrail.errors import DriftError
from handrail.recovery.recorded import drift


def test_with_accepted_drift_new_steps_before_the_position_do_not_run(writes):
    first = Does("a")
    interrupted(writes, first)
    ran: list[str] = []
    new = [Does(name, lambda context, name=name: ran.append(name)) for name in ("new", "newer")]
    plan = flow(new[0], first, Does("lost"), new[1])
    with pytest.raises(DriftError, match="a was step 1, and is step 2"):
        resume(plan, journal=writes, packs=())
    assert resume(plan, journal=writes, packs=(), accept_drift=True)["steps_executed"] == 3
    assert ran == ["newer"]


def test_with_accepted_drift_a_step_that_is_gone_counts_as_not_undone(writes):
    first, second = Does("a"), Does("b")
    interrupted(writes, first, second)
    plan = flow(second, Does("lost"))
    with pytest.raises(DriftError, match="a is not in the plan any more"):
        rollback(plan, 1, journal=writes, packs=())
    with pytest.raises(StepFailedError) as failed:
        rollback(plan, 1, journal=writes, packs=(), accept_drift=True)
    assert [problem.step for problem in failed.value.rollback_errors] == ["a"]
    assert (first.undone, len(second.undone)) == ([], 1)
    assert writes.runs()[0].outcome == "rollback_incomplete"
    assert rollback(flow(first, second, Does("lost")), 1, journal=writes, packs=())["rolled_back"]
    assert (len(first.undone), len(second.undone)) == (1, 1)


def test_what_a_run_knew_survives_a_plan_that_lost_steps(writes):
    def add(context: Any) -> None:
        context.seen.append("x")

    interrupted(writes, Does("a", add), Does("b", add), Does("c", add))
    seen: list[list[str]] = []
    last = Does("last", lambda context: seen.append([*context.seen]))
    plan = flow(Does("c", add), Does("lost", add), last)
    resume(plan, journal=writes, packs=(), accept_drift=True)
    assert seen == [["x"] * 4]
    fields = [each for each in writes.read(1).fields if each.name == "seen"]
    assert fields[-1].value == '["x","x","x","x"]'


class Later(Does):
    """Records in another way than before."""

    data_version = 2


@pytest.mark.parametrize("go_on", [resume, rollback])
def test_a_step_that_records_in_another_way_is_not_handed_what_the_old_one_recorded(writes, go_on):
    """Unless that is accepted; of a step that did not begin the version does not matter."""
    first, later = Does("a"), Later("a")
    interrupted(writes, first)
    with pytest.raises(DriftError, match="recorded for data_version 1, now 2"):
        go_on(flow(later, Does("lost")), 1, journal=writes, packs=())
    assert writes.runs()[0].outcome is None
    assert later.undone == []
    assert go_on(
        flow(later, Does("lost"), Later("new")), 1, journal=writes, packs=(), accept_drift=True
    )


@pytest.mark.parametrize("go_on", [resume, rollback])
def test_layers_of_a_step_that_began_are_compared(writes, go_on):
    first = Does("a")
    interrupted(writes, first)

    class Wraps(flow(first, Does("lost"))):  # type: ignore[misc]
        action_name = "flow"

        def setup_steps(self, registry: Any) -> None:
            super().setup_steps(registry)
            registry.wrap("a", StepWrapper)

    wrapped: Any = Wraps
    with pytest.raises(DriftError, match="a had the layers -, now wrapper"):
        go_on(wrapped, 1, journal=writes, packs=())
    assert go_on(wrapped, 1, journal=writes, packs=(), accept_drift=True)


@pytest.mark.parametrize("go_on", [resume, rollback])
def test_what_comes_after_the_position_may_change(writes, go_on):
    """New steps run, those that are gone do not; an undo does not care."""
    first, ran = Does("a"), list[str]()
    interrupted(writes, first, Does("b"))
    new = Does("new", lambda context: ran.append("new"))
    assert go_on(flow(first, Does("b"), Does("lost"), new), 1, journal=writes, packs=())
    assert ran == (["new"] if go_on is resume else [])


def began_elsewhere(recorded: Any, **origin: str) -> Any:
    """Return the record of a run whose first step came from there."""
    plan = json.loads(recorded.plan)
    plan["steps"][0]["origin"].update(origin)
    plan["fingerprint"] = "0" * 16
    return replace(recorded, plan=json.dumps(plan))


def test_a_step_of_another_distribution_is_another_step(writes):
    """Of another version of the same one it is the same, and that is told."""
    interrupted(writes, Does("a"))
    plan = flow(Does("a"), Does("lost"))({}, packs=()).plan()
    moved = began_elsewhere(writes.read(1), pack="acme-steps")
    (line,) = drift(moved, plan)
    assert line.startswith("a was of acme-steps, now of ")
    older = began_elsewhere(writes.read(1), version="0.1")
    assert drift(older, plan) == []
    (line,) = news(older, plan)
    assert line.endswith("was 0.1")
