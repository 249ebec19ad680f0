"""A failure that is kept, and later finished or undone."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from killing.told import Asked, Does, flow, flow_run

from handrail import (
    StepFailedError,
    StepResult,
    resume,
    rollback,
)
from handrail.journal.records import AttemptChange
from handrail.plan.selection import select


def test_a_failed_step_that_is_kept_is_resumed_like_an_interrupted_one(writes):
    broken = [True]

    def work(context: Any) -> StepResult:
        context.record_rollback("made", "x")
        return StepResult(success=not broken[0], error="broken", rollback_data={"more": 1})

    first, second = Does("a"), Does("b", work)
    with pytest.raises(StepFailedError):
        flow_run(writes, first, second, on_failure="keep")
    assert (writes.runs()[0].outcome, first.undone, second.undone) == ("failed", [], [])
    broken[0] = False
    assert resume(flow(first, second), journal=writes, packs=())["success"]
    assert (first.undone, second.undone) == ([], [{"more": 1, "made": ["x"]}])


def test_a_part_of_a_plan_that_was_kept_goes_on_as_that_part(writes):
    """Nobody asked for the steps that were left out; the whole plan would run them now."""
    broken, executed = [True], []

    def works(name: str) -> Does:
        def work(context: Any) -> StepResult:
            executed.append(name)
            return StepResult(success=name != "c" or not broken[0], error="broken")

        return Does(name, work)

    action = flow(*(works(name) for name in "abcd"))
    made = action(None, packs=())
    part = select(made.plan(), only=["a", "c"])
    with pytest.raises(StepFailedError):
        made.run_plan(part, journal=writes, on_failure="keep")
    broken[0] = False
    assert resume(action, journal=writes, packs=())["success"]
    assert executed == ["a", "c", "c"]


def test_a_single_value_that_a_kept_step_returned_reaches_its_resume(writes):
    class Continues(Does):
        def resume(self, context: Any, result: StepResult) -> StepResult:
            context.record_rollback("made", "y")
            return StepResult()

    def work(context: Any) -> StepResult:
        context.record_rollback("made", "x")
        return StepResult(success=False, error="broken", rollback_data={"path": "/x"})

    step = Continues("a", work)
    with pytest.raises(StepFailedError):
        flow_run(writes, step, on_failure="keep")
    resume(flow(step), journal=writes, packs=())
    rollback(flow(step), 1, journal=writes, packs=())
    assert step.undone == [{"path": "/x", "made": ["x", "y"]}]


def test_a_kept_step_that_could_not_say_whether_to_skip_is_asked_again(writes):
    asked: list[bool] = []

    def asks(context: Any) -> bool:
        asked.append(True)
        if len(asked) == 1:
            raise ValueError("cannot say")
        return False

    ran: list[Any] = []
    step = Asked("b", ran.append, asked=asks)
    with pytest.raises(StepFailedError):
        flow_run(writes, Does("a"), step, on_failure="keep")
    assert resume(flow(Does("a"), step), 1, journal=writes, packs=())["success"]
    assert (len(asked), len(ran), step.undone) == (2, 1, [])


def test_a_kept_step_that_was_interrupted_before_it_began_is_not_asked_again(writes):
    """It was written as started; a signal came while that was done."""
    asked: list[bool] = []
    ran: list[Any] = []
    step = Asked("b", ran.append, asked=lambda context: asked.append(True))

    def interrupt(change: Any) -> bool:
        if isinstance(change, AttemptChange) and (change.step, change.state) == ("b", "started"):
            signal.raise_signal(signal.SIGINT)
        return False

    writes.fail = interrupt
    with pytest.raises(KeyboardInterrupt):
        flow_run(writes, Does("a"), step, on_failure="keep")
    assert (len(asked), ran, writes.runs()[0].outcome) == (1, [], "failed")
    writes.fail = lambda change: False
    assert resume(flow(Does("a"), step), 1, journal=writes, packs=())["success"]
    assert (len(asked), len(ran), step.undone) == (1, 1, [])
