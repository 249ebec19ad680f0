"""Steps that always run, and runs that are sealed."""

from __future__ import annotations

from typing import Any

import pytest
from killing.told import Does, flow, flow_run, play

from handrail import (
    StepFailedError,
    resume,
    rollback,
)
from handrail.errors import JournalError
from handrail.events import Event, RunStarted
from handrail.journal.records import AttemptChange, RunChange


def test_an_always_run_step_that_fails_after_success_leaves_the_run_completed(writes):
    def fail(context: Any) -> None:
        raise ValueError("no mail")

    first = Does("a")
    with pytest.raises(StepFailedError, match="'close' failed: no mail") as failed:
        play(writes, first, Does("close", fail, always=True))
    assert failed.value.outcome == "completed"
    assert first.undone == []
    assert writes.runs()[0].outcome == "completed"


def test_a_run_that_is_sealed_while_it_is_looked_up_is_not_rolled_back(writes):
    first, closes = Does("a"), Does("close", lambda context: context.seal("told to"), always=True)
    plan = flow(first, closes)
    writes.fail = lambda change: isinstance(change, RunChange) and change.sealed is not None
    with pytest.raises((StepFailedError, JournalError)):
        flow_run(writes, first, closes)
    claim = writes.claim
    writes.fail = lambda change: False

    def late(number: int, **more: Any) -> Any:
        writes.claim = claim
        resume(plan, number, journal=writes, packs=())
        return claim(number, **more)

    writes.claim = late
    from handrail.errors import RollbackRefusedError

    with pytest.raises(RollbackRefusedError, match="told to"):
        rollback(plan, 1, journal=writes, packs=())
    assert first.undone == []
    assert writes.runs()[0].outcome == "completed"


def test_once_a_run_is_sealed_nothing_turns_it_back(writes):
    """Not even a callback that fails while it is finished."""
    first = Does("a")
    closes = Does("close", lambda context: context.seal("told to"), always=True)
    writes.fail = lambda change: (
        isinstance(change, AttemptChange) and ((change.step, change.state) == ("close", "done"))
    )
    with pytest.raises(JournalError):
        flow_run(writes, first, closes)
    assert writes.runs()[0].sealed == "told to"

    def progress(percent: int, total: int) -> None:
        raise ValueError("broken pipe")

    with pytest.raises(StepFailedError):
        resume(flow(first, closes), 1, journal=writes, packs=(), progress_callback=progress)
    assert first.undone == []
    assert writes.runs()[0].outcome == "completed"


def test_a_run_of_closing_steps_alone_is_completed_and_can_be_rolled_back(writes):
    steps = (Does("close", always=True),)
    assert flow_run(writes, *steps)["steps_executed"] == 1
    assert writes.runs()[0].outcome == "completed"
    assert rollback(flow(*steps), 1, journal=writes, packs=())["rolled_back"]
    play(writes)
    assert writes.runs()[0].outcome == "completed", "also with no step at all"


def test_a_run_of_closing_steps_alone_that_is_interrupted_turns_back_before_they_run(writes):
    """A process that dies in them must not leave a run that `resume` completes."""
    seen: list[str] = []
    closes = Does("close", lambda _: seen.append(writes.read(1).direction), always=True)

    def interrupts(event: Event) -> None:
        if isinstance(event, RunStarted):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(writes, closes, observers=[interrupts])
    assert seen == ["undo"]


def test_a_closing_step_that_failed_is_told_again_when_the_run_is_closed_later(writes):
    def fail(context: Any) -> None:
        raise ValueError("no mail")

    ran: list[int] = []
    steps = (Does("a"), Does("mail", fail, always=True), Does("z", ran.append, always=True))
    writes.fail = lambda change: isinstance(change, RunChange) and change.outcome is not None
    with pytest.raises(JournalError):
        flow_run(writes, *steps)
    with pytest.raises(StepFailedError, match="'mail' failed") as failed:
        resume(flow(*steps), 1, journal=writes, packs=())
    assert failed.value.outcome == writes.runs()[0].outcome == "completed"
    assert len(ran) == 1
