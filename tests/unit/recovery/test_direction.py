"""Forward or back: what `resume` and `rollback` do to a run, by where it was going."""

from __future__ import annotations

from typing import Any

import pytest
from killing.told import Asked, Does, flow, flow_run

from handrail import StepFailedError, resume, rollback
from handrail.errors import LeaseLostError, RollbackRefusedError, RunClosedError
from handrail.journal.records import AttemptChange


class Stuck(Does):
    """Cannot be undone, as long as it is stuck."""

    stuck = True

    def rollback(self, context: Any, result: Any) -> None:
        super().rollback(context, result)
        if self.stuck:
            raise OSError("stuck")


def failing(*steps: Any) -> Any:
    return flow(*steps, Does("broken", lambda context: 1 / 0))


def test_a_later_rollback_tries_again_what_failed_the_newest_first(writes):
    """And nothing else: what was undone is undone. As often as it takes."""
    calls: list[str] = []

    class Tells(Stuck):
        def rollback(self, context: Any, result: Any) -> None:
            calls.append(self.name)
            super().rollback(context, result)

    steps = [Tells(name) for name in "abcd"]
    steps[1].stuck = steps[3].stuck = False
    plan = failing(*steps)
    with pytest.raises(StepFailedError) as failed:
        plan({}, packs=()).run(journal=writes)
    assert failed.value.outcome == "rollback_incomplete"
    assert calls == ["d", "c", "b", "a"]
    calls.clear()
    steps[0].stuck = False
    with pytest.raises(StepFailedError) as failed:
        rollback(plan, 1, journal=writes, packs=())
    assert failed.value.outcome == writes.runs()[0].outcome == "rollback_incomplete"
    assert [problem.step for problem in failed.value.rollback_errors] == ["c"]
    assert calls == ["c", "a"]
    calls.clear()
    with pytest.raises(RollbackRefusedError):
        resume(plan, 1, journal=writes, packs=())
    steps[2].stuck = False
    assert rollback(plan, 1, journal=writes, packs=())["rolled_back"]
    assert calls == ["c"]


@pytest.mark.parametrize("go_on", [resume, rollback])
def test_what_was_rolled_back_is_final(writes, go_on):
    step = Does("a")
    plan = failing(step)
    with pytest.raises(StepFailedError):
        plan({}, packs=()).run(journal=writes)
    before = writes.read(1)
    with pytest.raises(RunClosedError):
        go_on(plan, 1, journal=writes, packs=())
    assert writes.read(1) == before
    assert len(step.undone) == 1


def test_a_run_that_undoes_keeps_its_direction(writes):
    """Also when nothing would fail any more; and the way back is the recorded one."""
    step = Does("a")
    writes.fail = lambda change: isinstance(change, AttemptChange) and change.state == "undone"
    writes.error = LeaseLostError
    with pytest.raises(LeaseLostError):
        failing(step)({}, packs=()).run(journal=writes)
    assert writes.runs()[0].direction == "undo"
    with pytest.raises(StepFailedError, match="division by zero") as failed:
        resume(flow(step, Does("broken")), 1, journal=writes, packs=())
    assert failed.value.outcome == "rolled_back"


def test_the_decision_to_undo_is_written_before_the_first_undo(writes):
    """With the result of the step that failed, which its undo gets."""
    seen: list[Any] = []

    class Looks(Does):
        def rollback(self, context: Any, result: Any) -> None:
            found = writes.read(1)
            seen.append((found.direction, found.attempts[-1].state))
            super().rollback(context, result)

    with pytest.raises(StepFailedError):
        flow_run(writes, Looks("a", lambda context: 1 / 0))
    assert seen == [("undo", "failed")]


def test_a_step_that_was_started_is_never_asked_again_whether_to_skip(writes):
    """Neither when it is run again after a kill, nor when that was killed as well."""
    asked: list[str] = []
    ran: list[str] = []
    step = Asked("b", lambda context: ran.append("b"), asked=lambda context: asked.append("b"))
    writes.fail = lambda change: (
        isinstance(change, AttemptChange) and (change.step, change.state) == ("b", "done")
    )
    writes.error = LeaseLostError
    plan = flow(Does("a"), step, Does("c"))
    with pytest.raises(LeaseLostError):
        plan({}, packs=()).run(journal=writes)
    assert (asked, ran) == (["b"], ["b"])
    assert resume(plan, 1, journal=writes, packs=())["success"]
    assert (asked, ran, len(step.undone)) == (["b"], ["b", "b"], 1)


def test_once_it_is_closed_no_callback_comes(writes):
    """The last callback, the step that always runs included, comes before the run is closed."""
    outcomes: list[Any] = []

    def look(context: Any) -> None:
        outcomes.append(writes.runs()[0].outcome)

    def progress(percent: int, total: int) -> None:
        outcomes.append(writes.runs()[0].outcome)

    flow_run(writes, Does("a"), Does("close", look, always=True), progress_callback=progress)
    assert set(outcomes) == {None}
    assert writes.runs()[0].outcome == "completed"
