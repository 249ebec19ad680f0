"""What a step recorded and what it returned, joined for its undo: the same way in every process."""

from __future__ import annotations

from typing import Any

import pytest
from killing.told import Does, flow, flow_run, interrupted

from handrail import StepFailedError, StepResult, rollback


def records(*values: Any, **returned: Any) -> Any:
    def work(context: Any) -> StepResult:
        context.record_rollback_many("key", values)
        return StepResult(rollback_data=returned)

    return work


@pytest.fixture(params=["in this process", "in another"])
def undone(request, writes):
    """Run a step, and something that fails; return what its undo gets, also after a kill."""

    def undo(work: Any) -> Any:
        step = Does("a", work)
        if request.param == "in this process":
            with pytest.raises(StepFailedError):
                flow_run(writes, step, Does("broken", lambda context: 1 / 0))
        else:
            interrupted(writes, step)
            assert rollback(flow(step, Does("lost")), 1, journal=writes, packs=())
        (got,) = step.undone
        return got

    return undo


def test_recorded_values_come_first_and_equal_ones_once(undone):
    """However they are equal: as JSON has them."""
    work = records("b", ["x", 1], "a", key=["c", "a", ("x", 1), "b"], other="alone")
    assert undone(work) == {"key": ["b", ["x", 1], "a", "c"], "other": "alone"}


def test_what_was_recorded_twice_is_there_once_as_soon_as_it_is_returned(undone):
    assert undone(records("b", "b", key=["b"])) == {"key": ["b"]}


def test_a_single_value_under_a_recorded_key_fails_the_step(writes):
    """What was recorded is undone nevertheless."""
    step = Does("a", records("b", key="c"))
    with pytest.raises(StepFailedError, match="'key' was recorded as a list, but the result holds"):
        flow_run(writes, step)
    assert step.undone == [{"key": ["b"]}]
