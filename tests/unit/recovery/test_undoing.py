"""Attempts that were left behind, and steps that never began."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from killing.told import Asked, Does, flow, flow_run

from handrail import (
    Run,
    StepFailedError,
    StepResult,
    StepWrapper,
    Undo,
    resume,
    rollback,
)
from handrail.errors import JournalError
from handrail.journal.records import AttemptChange


class Again(StepWrapper[Any]):
    """Undoes the first attempt, and goes on although that fails."""

    def around(self, context: Any) -> Any:
        yield Run()
        with contextlib.suppress(OSError):
            yield Undo()
        return (yield Run())


def test_an_attempt_that_was_left_behind_is_tried_again_by_a_later_rollback(writes):
    """Also when the attempt after it was undone."""
    calls: list[list[int]] = []
    numbers = iter(range(1, 9))
    stuck = {1}

    class Stuck(Does):
        def rollback(self, context: Any, result: StepResult) -> None:
            calls.append(result.rollback_data["n"])
            if result.rollback_data["n"][0] in stuck:
                raise OSError("stuck")

    step = Stuck("a", lambda context: context.record_rollback("n", next(numbers)))
    last = Does("b", lambda context: StepResult(success=False, error="broken"))
    with pytest.raises(StepFailedError):
        flow_run(writes, Again(step), last)
    assert writes.runs()[0].outcome == "rollback_incomplete"
    assert calls == [[1], [2], [1]]
    stuck.clear()
    assert rollback(flow(Again(step), last), 1, journal=writes, packs=())["rolled_back"]
    assert calls == [[1], [2], [1], [1]]


@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_a_step_that_could_not_say_whether_to_skip_never_began(writes, way):
    """Its run undoes, also in another process, and tells why; the step itself is not undone."""

    def broken(context: Any) -> bool:
        raise ValueError("cannot say")

    first, second = Does("a"), Asked("b", asked=broken)
    writes.fail = lambda change: isinstance(change, AttemptChange) and change.state == "undone"
    with pytest.raises(JournalError):
        flow_run(writes, first, second)
    assert writes.runs()[0].direction == "undo"
    first.undone.clear()
    if way == "resume":
        with pytest.raises(StepFailedError, match="'b' failed: cannot say"):
            resume(flow(first, second), 1, journal=writes, packs=())
    else:
        assert rollback(flow(first, second), 1, journal=writes, packs=())["rolled_back"]
    assert (len(first.undone), second.undone) == (1, [])


def test_an_attempt_that_a_layer_undoes_is_undone_from_what_is_stored(writes):
    """As the next process would have it: both ways are the same way."""
    step = Does("a", lambda context: StepResult(rollback_data={"pair": (1, 2)}))
    flow_run(writes, Again(step))
    assert step.undone == [{"pair": [1, 2]}]


def test_an_undo_goes_on_with_what_the_undos_before_it_left_in_the_context(writes):
    """Also in another process."""
    seen: list[list[str]] = []

    class Leaves(Does):
        def rollback(self, context: Any, result: StepResult) -> None:
            seen.append([*context.seen])
            context.seen.append(self.name)

    plan = flow(*map(Leaves, "abc"), Does("broken", lambda context: 1 / 0))
    writes.fail = lambda change: (
        isinstance(change, AttemptChange) and (change.step, change.state) == ("b", "undone")
    )
    with pytest.raises(JournalError):
        plan({}, packs=()).run(journal=writes)
    assert rollback(plan, 1, journal=writes, packs=())["rolled_back"]
    assert seen == [[], ["c"], ["c"], ["c", "b"]]
