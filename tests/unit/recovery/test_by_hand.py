"""What an undo has left, until it is undone: by a later rollback, or by a person."""

from __future__ import annotations

from typing import Any

import pytest
from killing.told import Does, flow, flow_run

from handrail import RefusedError, StepFailedError, StepResult, rollback
from handrail.builtin.records.leftovers import record_by_hand, with_left
from handrail.builtin.records.run_record import record_of
from handrail.errors import (
    JournalDamagedError,
    NotFoundError,
    RollbackRefusedError,
    RunClosedError,
    RunHeldError,
)
from handrail.journal import AttemptChange, RunChange
from handrail.records import RunStatus, status_of

ADA = "ada on build-3"


class Stuck(Does):
    """Cannot be undone."""

    def rollback(self, context: Any, result: StepResult) -> None:
        raise OSError(f"{self.name} is stuck")


def failing() -> Does:
    return Does("fails", lambda context: StepResult(success=False, error="broken"))


def left_behind(writes: Any, *steps: Any) -> RunStatus:
    """Run steps of which some cannot be undone; return the status of the run."""
    with pytest.raises(StepFailedError):
        flow_run(writes, *steps, failing())
    return status(writes)


def status(writes: Any, number: int = 1) -> RunStatus:
    [found] = with_left(writes, [status_of(writes, writes.read(number))])
    return found


def by_hand(writes: Any, step: str, reason: str = "removed it in the console") -> tuple[str, ...]:
    return record_by_hand(writes, 1, step, by=ADA, reason=reason)


def test_a_later_rollback_calls_only_what_is_left(writes):
    """A step that was undone by hand is not undone again."""
    calls: list[str] = []

    class Calls(Stuck):
        def rollback(self, context: Any, result: StepResult) -> None:
            calls.append(self.name)
            super().rollback(context, result)

    steps = (Calls("a"), Calls("b"))
    left_behind(writes, *steps)
    by_hand(writes, "b")
    calls.clear()
    with pytest.raises(StepFailedError):
        rollback(flow(*steps, failing()), 1, journal=writes, packs=())
    assert calls == ["a"]
    assert [each.step for each in status(writes).by_hand] == ["b"]


def test_an_undo_that_was_broken_off_goes_on_without_the_step(writes):
    """Such as one that hangs in a step: its run stays interrupted, and `rollback` does the rest."""
    order: list[str] = []

    class Interrupted(Does):
        def rollback(self, context: Any, result: StepResult) -> None:
            order.append(self.name)
            if self.name == "b":
                raise KeyboardInterrupt

    closing = Does("closes", lambda context: order.append("closes"))
    closing.always_run = True
    steps = (Interrupted("a"), Interrupted("b"), failing(), closing)
    with pytest.raises(KeyboardInterrupt):
        flow_run(writes, *steps)
    assert status(writes).left == ("b", "a")
    assert by_hand(writes, "b") == ("a",)
    assert (status(writes).state, status(writes).left) == ("interrupted", ("a",))
    rollback(flow(*steps), 1, journal=writes, packs=())
    assert order == ["b", "a", "closes"]
    assert status(writes).described == "rolled back, 1 by hand"


def test_what_a_refusal_left_can_be_undone_by_hand(writes):
    """All that was not undone after it is left, too."""

    class Refuses(Does):
        def rollback(self, context: Any, result: StepResult) -> None:
            raise RefusedError("later")

    done = left_behind(writes, Does("a"), Refuses("b"), Does("c"))
    assert (done.state, done.left) == ("rollback incomplete", ("b", "a"))
    assert by_hand(writes, "b") == ("a",)
    assert by_hand(writes, "a") == ()
    assert status(writes).state == "rolled back"


def test_each_attempt_that_was_left_is_undone(writes):
    """A step that a layer tried again may have left several."""
    left_behind(writes, Stuck("a"))
    owned = writes.claim(1)
    owned.write([AttemptChange("a", 2, "undo_failed"), RunChange(outcome="rollback_incomplete")])
    owned.release()
    assert by_hand(writes, "a") == ()
    states = {(row.step, row.n): row.state for row in writes.read(1).attempts}
    assert (states["a", 1], states["a", 2]) == ("undone", "undone")


def test_a_run_that_is_not_being_undone_is_refused(writes):
    """By hand is for what an undo has left: first comes the undo."""
    flow_run(writes, Does("a"))
    with pytest.raises(RollbackRefusedError) as caught:
        by_hand(writes, "a")
    assert caught.value.ways_out == ("undo it first:  handrail rollback 1",)
    assert status(writes).row.outcome == "completed"


@pytest.mark.parametrize(
    ("step", "way"), [("b", "left: a"), ("stuck_on", "did you mean stuck_one?")]
)
def test_a_step_of_which_nothing_is_left_is_refused(writes, step, way):
    """With what is left, or with the step that was meant."""
    first = "stuck_one" if step == "stuck_on" else "a"
    left_behind(writes, Stuck(first), Does("b"))
    with pytest.raises(RollbackRefusedError, match=f"nothing left of '{step}'") as caught:
        by_hand(writes, step)
    assert caught.value.ways_out == (way,)
    assert status(writes).by_hand == ()


def test_a_run_that_was_rolled_back_is_refused(writes):
    """Nothing of it is left."""
    left_behind(writes, Does("a"))
    with pytest.raises(RunClosedError, match="nothing of it is left"):
        by_hand(writes, "a")


def test_a_run_that_is_not_there_is_refused(writes):
    """With the closest numbers, as for every command."""
    with pytest.raises(NotFoundError):
        by_hand(writes, "a")


def test_a_run_of_another_process_is_refused(writes):
    """While it lives, it may undo the step itself."""
    left_behind(writes, Stuck("a"))
    owned = writes.claim(1)
    owned.write([RunChange(direction="undo")])
    with pytest.raises(RunHeldError):
        by_hand(writes, "a")


def test_a_run_that_changes_meanwhile_is_left_as_it_is(writes, monkeypatch):
    """Another process may undo the step between the look and the claim."""
    left_behind(writes, Stuck("a"), Stuck("b"))
    claim = writes.claim

    def late(number: int) -> Any:
        monkeypatch.setattr(writes, "claim", claim)
        by_hand(writes, "b")
        return claim(number)

    monkeypatch.setattr(writes, "claim", late)
    with pytest.raises(RollbackRefusedError, match="has changed meanwhile"):
        by_hand(writes, "a")
    assert (status(writes).left, status(writes).state) == (("a",), "rollback incomplete")


def test_secrets_in_a_reason_are_masked(writes):
    """It is kept for ever, and shown to everybody."""
    left_behind(writes, Stuck("a"))
    by_hand(writes, "a", "removed from https://ada:geheim@store.example/in")
    assert "geheim" not in status(writes).by_hand[0].reason


def test_a_record_that_was_changed_is_damage(writes):
    """`show` says so; a list of runs goes on."""
    left_behind(writes, Stuck("a"))
    writes.claim(1).write([RunChange(by_hand='{"x": 1}', outcome="rolled_back")])
    assert status(writes).by_hand == ()
    with pytest.raises(JournalDamagedError, match="what was undone by hand"):
        record_of(writes, 1)
