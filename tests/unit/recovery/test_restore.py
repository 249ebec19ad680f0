"""What a new process makes anew before it goes on: `restore`, in the order of the plan."""

from __future__ import annotations

from typing import Any

import pytest
from killing.told import Asked, Does, flow, interrupted

from handrail import StepResult, resume, rollback
from handrail.errors import JournalError, RestoreError
from handrail.journal.records import AttemptChange

CALLS: list[str] = []


class Restores(Does):
    """Says what is called."""

    def execute(self, context: Any) -> StepResult:
        CALLS.append(f"{self.name} runs")
        return super().execute(context)

    def rollback(self, context: Any, result: StepResult) -> None:
        CALLS.append(f"undo {self.name}")
        super().rollback(context, result)

    def restore(self, context: Any, result: StepResult) -> None:
        CALLS.append(f"restore {self.name} {result.data.get('made', '-')}")
        if self.told.get("broken"):
            raise OSError("no connection")


class Skips(Restores, Asked):
    """Has nothing to do."""


@pytest.fixture
def calls(writes):
    """What is called while a run goes on that was killed in its last step."""
    CALLS.clear()
    return CALLS


def steps(**last: Any) -> list[Any]:
    made = StepResult(data={"made": 1})
    first = Restores("a", lambda context: made)
    return [first, Skips("s", asked=lambda context: True), Restores("b", **last)]


@pytest.mark.parametrize("go_on", [resume, rollback])
def test_steps_that_are_over_are_restored_before_anything_else(writes, calls, go_on):
    """With their results; not the one that was skipped, nor the one that was interrupted."""
    interrupted(writes, *steps())
    calls.clear()
    assert go_on(flow(*steps(), Restores("lost")), 1, journal=writes, packs=())
    assert calls[:2] == ["restore a 1", "restore b -"]
    undone = ["undo lost", "undo b", "undo a"]
    assert calls[2:] == (["undo lost", "lost runs"] if go_on is resume else undone)


def test_a_step_that_was_undone_is_not_restored(writes, calls):
    writes.fail = lambda change: (
        isinstance(change, AttemptChange) and (change.step, change.state) == ("a", "undone")
    )
    plan = flow(*steps(), Does("broken", lambda context: 1 / 0))
    with pytest.raises(JournalError):
        plan({}, packs=()).run(journal=writes)
    calls.clear()
    assert rollback(plan, 1, journal=writes, packs=())["rolled_back"]
    assert calls == ["restore a 1", "undo a"]


@pytest.mark.parametrize("go_on", [resume, rollback])
def test_where_one_cannot_be_restored_nothing_is_touched(writes, calls, go_on):
    """The run stays as it is, for another try."""
    interrupted(writes, *steps())
    before = writes.read(1)
    calls.clear()
    with pytest.raises(RestoreError, match="no connection"):
        go_on(flow(*steps(broken=True), Does("lost")), 1, journal=writes, packs=())
    assert calls == ["restore a 1", "restore b -"]
    after = writes.read(1)
    # It is known by now when the process of the interrupted one was heard of last.
    assert [row._replace(ended=None) for row in after.attempts] == [
        row._replace(ended=None) for row in before.attempts
    ]
    assert after.outcome is None
    assert go_on(flow(*steps(), Does("lost")), 1, journal=writes, packs=())
