"""The states of steps that only a look at the right moment, or at more than one attempt, shows."""

from __future__ import annotations

from typing import Any

import pytest
from killing.told import Does, flow_run

from handrail import StepFailedError, parallel
from handrail.builtin.cli.view.failure import recorded_failures
from handrail.builtin.records.run_record import record_of
from handrail.journal.records import AttemptChange, RunChange


def states_of(journal: Any) -> dict[str, str]:
    return {step.name: step.state for step in record_of(journal, 1).steps}


def test_the_first_step_of_a_lane_that_others_keep_from_beginning_waits(writes):
    """What stands behind a step that runs has not started."""
    seen: dict[str, str] = {}
    looks = Does("looks", lambda context: seen.update(states_of(writes)))
    lanes = parallel("side", [[looks, Does("next")], [Does("other"), Does("last")]], concurrency=1)
    flow_run(writes, Does("before"), lanes)
    assert seen == {
        "before": "done",
        "looks": "running",
        "next": "not started",
        "other": "waiting",
        "last": "not started",
    }


def test_a_step_whose_earlier_attempt_is_left_is_not_undone(writes):
    """A layer tried again after an undo that failed; the undo of the second attempt went well."""
    flow_run(writes, Does("a"))
    owned = writes.claim(1)
    owned.write([AttemptChange("a", 1, "undo_failed"), AttemptChange("a", 2, "undone")])
    owned.write([RunChange(direction="undo", outcome="rollback_incomplete")])
    owned.release()
    assert states_of(writes) == {"a": "undo failed"}
    assert record_of(writes, 1).left == ("a",)


def test_the_cause_is_no_step_that_closes_the_run_or_could_not_be_undone(writes):
    """Both may be beside the step that failed, before it and behind it."""

    def fails(context: Any) -> None:
        raise ValueError("broken")

    steps = [Does("a", stuck=True), Does("b", fails), Does("closes", fails, always=True)]
    with pytest.raises(StepFailedError):
        flow_run(writes, *steps)
    assert record_of(writes, 1).cause == "b"


def test_what_was_called_off_is_listed_below_the_cause(writes):
    """Also where it stands before it in the plan."""

    def goes_on(context: Any) -> None:
        while True:
            context.set_progress(1, 2)

    def fails(context: Any) -> None:
        raise ValueError("broken")

    with pytest.raises(StepFailedError):
        flow_run(writes, parallel("side", [[Does("a", goes_on)], [Does("b", fails)]]))
    first, second = recorded_failures(record_of(writes, 1), everything=True)
    assert first.split() == ["failed", "b:", "broken"]
    assert second.split(maxsplit=1) == ["stopped", "a: cancelled, because step 'b' failed"]
