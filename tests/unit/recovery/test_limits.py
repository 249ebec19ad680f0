"""Limits of steps in durable runs: what is recorded, and what holds when they are gone on with."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from killing.told import Context, Does, flow, flow_run

from handrail import Limits, RollbackPolicy, StepFailedError, StepResult, resume, rollback
from handrail.builtin.records.run_record import record_of
from handrail.journal import AttemptChange, RunChange

pytestmark = pytest.mark.skipif(os.name == "nt", reason="interrupts with POSIX signals")

SHORT = 0.4  # A commit is part of it, for which a busy disk may take its time.
TOO_LONG = f"it took longer than its timeout of {SHORT}s"


class Hangs(Does):
    """Records, and waits for what never comes."""

    limits = Limits(timeout=SHORT)

    def __init__(self, name: str) -> None:
        super().__init__(name, self._hang)

    def _hang(self, context: Context) -> None:
        context.record_rollback("made", 1)
        context.number = 7.0
        threading.Event().wait(30)


class Goes(Hangs):
    """Goes on with an interrupted attempt, and hangs there."""

    def resume(self, context: Context, result: StepResult) -> StepResult:
        context.record_rollback("made", 2)
        threading.Event().wait(30)
        return StepResult()


def broken_off(writes: Any, name: str) -> None:
    """Leave the run as a process does that dies within the step."""
    owned = writes.claim(1)
    owned.write([AttemptChange(name, 2, "started"), RunChange(direction="forward")])
    owned.release()


def test_a_timeout_is_recorded_with_what_was_made(writes):
    """With its error, and the traceback of where it was; nothing of it is left in the context."""
    step = Hangs("hangs")
    with pytest.raises(StepFailedError) as caught:
        flow_run(writes, Does("first"), step)
    assert caught.value.error == TOO_LONG
    recorded = record_of(writes, 1).step("hangs")
    assert recorded is not None
    assert (recorded.state, recorded.error, dict(recorded.recorded)) == (
        "failed and undone",
        TOO_LONG,
        {"made": 1},
    )
    assert "threading" in (recorded.traceback or "")
    assert step.undone == [{"made": [1]}]


def test_a_run_that_was_kept_is_resumed_within_the_same_limit(writes):
    """The new attempt has the full time, and no more."""
    step = Hangs("hangs")
    with pytest.raises(StepFailedError):
        flow_run(writes, step, on_failure="keep")
    assert writes.runs()[0].outcome == "failed"
    with pytest.raises(StepFailedError, match="its timeout of"):
        resume(flow(step), 1, journal=writes, packs=())
    assert writes.runs()[0].outcome == "rolled_back"
    assert step.undone == [{"made": [1]}, {"made": [1]}]


def test_an_attempt_that_goes_on_is_limited(writes):
    """`resume` of a step is an attempt, and is undone from all that both have recorded."""
    step = Goes("goes")
    with pytest.raises(StepFailedError):
        flow_run(writes, step, on_failure="keep")
    with pytest.raises(StepFailedError, match="its timeout of"):
        resume(flow(step), 1, journal=writes, packs=())
    assert step.undone == [{"made": [1, 2]}]


class Stubborn(Does):
    """Cannot be undone at first."""

    rollback_policy = RollbackPolicy(timeout=SHORT, retries=2, wait=0)

    def __init__(self, name: str, *, hangs: int) -> None:
        super().__init__(name)
        self.hangs = hangs

    def rollback(self, context: Any, result: StepResult) -> None:
        super().rollback(context, result)
        if len(self.undone) <= self.hangs:
            threading.Event().wait(30)


def test_the_policy_holds_for_a_rollback_that_is_asked_for(writes):
    """Each call has its own time, and there are as many as the step says."""
    step = Stubborn("stubborn", hangs=2)
    flow_run(writes, step)
    assert rollback(flow(step), 1, journal=writes, packs=())["rolled_back"]
    assert len(step.undone) == 3


def test_an_undo_that_hangs_for_good_is_recorded_once(writes):
    """As one failed undo, which a later rollback tries again."""
    step = Stubborn("stubborn", hangs=3)
    flow_run(writes, Does("first"), step)
    with pytest.raises(StepFailedError):
        rollback(flow(Does("first"), step), 1, journal=writes, packs=())
    assert [row.state for row in writes.read(1).attempts] == ["undone", "undo_failed"]
    assert rollback(flow(Does("first"), step), 1, journal=writes, packs=())["rolled_back"]
    assert len(step.undone) == 4


def test_what_is_undone_before_a_step_runs_again_has_the_same_policy(writes):
    """An attempt that was interrupted is undone first on a resume."""
    step = Stubborn("stubborn", hangs=1)
    flow_run(writes, step)
    broken_off(writes, "stubborn")
    assert resume(flow(step), 1, journal=writes, packs=())["success"]
    assert len(step.undone) == 2
