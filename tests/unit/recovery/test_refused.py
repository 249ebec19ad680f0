"""A step that refuses to work because something else is in the way, in each direction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from killing.told import Context, Does, flow, flow_run, interrupted, play

from handrail import (
    HandrailError,
    RefusedError,
    RuntimeContext,
    StepFailedError,
    StepResult,
    resume,
    resume_async,
    rollback,
    rollback_async,
)
from handrail.errors import ExitCode, JournalError
from handrail.events import Event, RunFinished, StepUndone, UndoFailed
from handrail.journal.records import RunChange

GoOn = Callable[..., Any]


class GoneError(RefusedError):
    """With a code of its own."""

    code = "gone"
    exit_code = ExitCode.ROLLBACK


class Guarded(Does):
    """Refuses whatever is in `refuses`."""

    def __init__(self, name: str, *refuses: str, error: type[RefusedError] = RefusedError) -> None:
        super().__init__(name)
        self.refuses, self.error, self.calls = set(refuses), error, list[str]()

    def _look(self, what: str) -> None:
        self.calls.append(what)
        if what in self.refuses:
            raise self.error("run 15 is at work there", ways_out=("wait for run 15",))

    def execute(self, context: Any) -> StepResult:
        self._look("execute")
        return StepResult()

    def rollback(self, context: Any, result: StepResult) -> None:
        self._look("rollback")
        super().rollback(context, result)


class GoesOn(Guarded):
    """Goes on where it was interrupted."""

    def resume(self, context: Any, result: StepResult) -> StepResult:
        self._look("resume")
        return StepResult()


class GoesOnAsync(GoesOn):
    """The same in coroutines."""

    async def execute(self, context: Any) -> StepResult:  # type: ignore[override]
        return super().execute(context)

    async def rollback(self, context: Any, result: StepResult) -> None:  # type: ignore[override]
        super().rollback(context, result)

    async def resume(self, context: Any, result: StepResult) -> StepResult:  # type: ignore[override]
        return super().resume(context, result)


def _blocking(function: GoOn) -> GoOn:
    return function


def _async(function: GoOn) -> GoOn:
    return lambda *words, **named: asyncio.run(function(*words, **named))


drivers = pytest.mark.parametrize(
    ("go_on", "undo", "kind"),
    [
        pytest.param(_blocking(resume), _blocking(rollback), GoesOn, id="blocking"),
        pytest.param(_async(resume_async), _async(rollback_async), GoesOnAsync, id="async"),
    ],
)


@pytest.mark.parametrize("kind", [GoesOn, GoesOnAsync])
@pytest.mark.parametrize("error", [RefusedError, GoneError])
@pytest.mark.parametrize("durable", [False, True])
def test_a_refused_step_fails_its_run_with_its_own_code(writes, kind, error, durable):
    """The run is undone; the error has the message, the ways out and the codes of the refusal."""
    first, refuses = Does("first"), kind("refuses", "execute", error=error)
    with pytest.raises(StepFailedError) as failed:
        play(writes if durable else None, first, refuses)
    raised = failed.value
    assert (raised.code, raised.exit_code) == (error.code, error.exit_code)
    assert raised.message == str(raised) == "run 15 is at work there"
    assert raised.ways_out == ("wait for run 15",)
    assert (raised.step, raised.outcome) == ("refuses", "rolled_back")
    assert raised.to_dict()["exit_code"] == int(error.exit_code)
    assert (len(first.undone), refuses.calls) == (1, ["execute", "rollback"])


@drivers
def test_a_refused_resume_stops_the_run_and_undoes_nothing(writes, go_on, undo, kind):
    """It can be tried again, with the step in doubt as before."""
    first, lost = Does("first"), kind("lost", "resume", error=GoneError)
    interrupted(writes, first)
    before = writes.read(1)
    with pytest.raises(GoneError) as stopped:
        go_on(flow(first, lost), 1, journal=writes, packs=())
    error, after = stopped.value, writes.read(1)
    assert (error.exit_code, error.step) == (ExitCode.ROLLBACK, "lost")
    assert error.message == (
        "step 'lost' cannot go on: run 15 is at work there; nothing was undone"
    )
    assert error.ways_out == (
        "wait for run 15",
        "try again later:  handrail resume 1",
        "or undo the run:  handrail rollback 1",
    )
    # Of the one that was interrupted, it is known by now when its process was heard of last.
    assert [row._replace(ended=None) for row in after.attempts] == [
        row._replace(ended=None) for row in before.attempts
    ]
    assert after.outcome is None
    assert (first.undone, lost.calls) == ([], ["resume"])
    lost.refuses.clear()
    assert go_on(flow(first, lost), 1, journal=writes, packs=())["success"]


def test_a_refused_undo_before_a_new_attempt_stops_the_run(writes):
    """A step without `resume` is undone first; that it refuses is no reason to undo the others."""
    first, lost = Does("first"), Guarded("lost", "rollback")
    interrupted(writes, first)
    with pytest.raises(RefusedError, match="nothing was undone"):
        resume(flow(first, lost), 1, journal=writes, packs=())
    assert (first.undone, lost.calls, writes.read(1).outcome) == ([], ["rollback"], None)
    lost.refuses.clear()
    assert resume(flow(first, lost), 1, journal=writes, packs=())["success"]
    assert lost.calls == ["rollback", "rollback", "execute"]


def _completed(journal: Any, *steps: Any) -> Any:
    flow_run(journal, *steps)
    return flow(*steps)


@drivers
def test_a_completed_run_that_refuses_to_be_undone_stays_completed(writes, go_on, undo, kind):
    """Nothing was undone, nothing is noted, clean-up steps do not run again; later it is undone."""
    first, last, closes = Does("first"), kind("last", "rollback"), Does("closes", always=True)
    closed: list[str] = []
    closes.work = lambda context: closed.append("closed")
    action, events = _completed(writes, first, last, closes), list[Event]()
    before = writes.read(1)
    for _ in range(2):
        with pytest.raises(RefusedError) as stopped:
            undo(action, 1, journal=writes, packs=(), observers=(events.append,))
        after = writes.read(1)
        assert (after.attempts, after.fields) == (before.attempts, before.fields)
        assert (after.outcome, after.direction) == ("completed", "forward")
    assert stopped.value.message == (
        "step 'last' cannot be undone now: run 15 is at work there; nothing was undone"
    )
    assert stopped.value.ways_out[1:] == ("try again later:  handrail rollback 1",)
    assert [each.step for each in events if isinstance(each, UndoFailed)] == ["last", "last"]
    assert [each.outcome for each in events if isinstance(each, RunFinished)] == ["completed"] * 2
    assert (first.undone, closed) == ([], ["closed"])
    last.refuses.clear()
    assert undo(action, 1, journal=writes, packs=())["rolled_back"]
    assert (len(first.undone), writes.read(1).outcome) == (1, "rolled_back")


def test_a_refused_undo_runs_no_clean_up_step_that_came_later(writes):
    """The run is as it was, also with a plan that has changed since."""
    first, late, ran = Guarded("first", "rollback"), Does("late", always=True), list[str]()
    late.work = lambda context: ran.append("late")
    _completed(writes, first)
    with pytest.raises(RefusedError):
        rollback(flow(first, late), 1, journal=writes, packs=(), accept_drift=True)
    assert (ran, [row.step for row in writes.read(1).attempts]) == ([], ["first"])


@drivers
def test_an_undo_that_is_refused_half_way_stops_there(writes, go_on, undo, kind):
    """What comes before is left alone, what came after is not undone again by the next rollback."""
    first, middle, last = Does("first"), kind("middle", "rollback"), Does("last")
    action, events = _completed(writes, first, middle, last), list[Event]()
    with pytest.raises(RefusedError) as stopped:
        undo(action, 1, journal=writes, packs=(), observers=(events.append,))
    assert stopped.value.message == (
        "step 'middle' cannot be undone now: run 15 is at work there; "
        "only what came after it was undone"
    )
    assert writes.read(1).outcome == "rollback_incomplete"
    states = {row.step: row.state for row in writes.read(1).attempts}
    assert states == {"first": "done", "middle": "undo_failed", "last": "undone"}
    assert [each.step for each in events if isinstance(each, StepUndone)] == ["last"]
    with pytest.raises(RefusedError) as again:
        undo(action, 1, journal=writes, packs=())
    assert again.value.ways_out[-1] == "try again later:  handrail rollback 1"
    assert (len(last.undone), first.undone) == (1, [])
    middle.refuses.clear()
    assert undo(action, 1, journal=writes, packs=())["rolled_back"]
    assert (len(first.undone), len(middle.undone), len(last.undone)) == (1, 1, 1)


@pytest.mark.parametrize("kind", [GoesOn, GoesOnAsync])
@pytest.mark.parametrize("durable", [False, True])
def test_the_undo_of_a_failed_run_stops_where_it_is_refused(writes, kind, durable):
    """The error is that of the failed step, with the refusal among those of the undo."""
    first, middle = Does("first"), kind("middle", "rollback")
    broken = Does("broken", lambda _: StepResult(success=False, error="broken"))
    context = Context(RuntimeContext())
    with pytest.raises(StepFailedError) as failed:
        play(writes if durable else None, first, middle, broken, context=context)
    error = failed.value
    assert (error.step, error.error, error.code) == ("broken", "broken", "step-failed")
    assert error.outcome == "rollback_incomplete"
    [problem] = error.rollback_errors
    assert isinstance(problem.__cause__, RefusedError)
    assert context.errors == [problem.message]
    assert (len(broken.undone), first.undone) == (1, [])
    if durable:
        assert writes.read(1).outcome == "rollback_incomplete"


def test_a_refusal_after_another_error_of_the_undo_is_told_with_it(writes):
    """Both are in the error, and the undo stopped at the second."""
    first, middle, last = Does("first"), Guarded("middle", "rollback"), Does("last", stuck=True)
    action = _completed(writes, first, middle, last)
    with pytest.raises(StepFailedError) as failed:
        rollback(action, 1, journal=writes, packs=())
    assert [problem.step for problem in failed.value.rollback_errors] == ["last", "middle"]
    assert (first.undone, writes.read(1).outcome) == ([], "rollback_incomplete")


def test_an_interrupted_run_that_refuses_to_be_undone_can_still_be_finished(writes):
    """It goes forward as before, and the time of the refused undo is no time of going forward."""
    first, lost = Does("first"), GoesOn("lost", "rollback")
    interrupted(writes, first)
    with pytest.raises(RefusedError):
        rollback(flow(first, lost), 1, journal=writes, packs=())
    row = writes.read(1)
    assert (row.outcome, row.direction) == (None, "forward")
    assert resume(flow(first, lost), 1, journal=writes, packs=())["success"]
    row = writes.read(1)
    assert (row.outcome, row.direction, row.turned) == ("completed", "forward", None)


def test_a_kept_run_that_refuses_to_be_undone_stays_kept(writes):
    """With the error for which it was kept."""
    first = Guarded("first", "rollback")
    broken = Does("broken", lambda _: StepResult(success=False, error="broken"))
    action = flow(first, broken)
    with pytest.raises(StepFailedError):
        action({}, packs=()).run(journal=writes, on_failure="keep")
    broken.rollback = first.rollback  # type: ignore[method-assign]
    with pytest.raises(RefusedError):
        rollback(action, 1, journal=writes, packs=())
    after = writes.read(1)
    assert (after.outcome, after.direction) == ("failed", "forward")
    assert [(row.state, row.error) for row in after.attempts if row.step == "broken"] == [
        ("failed", "broken")
    ]


def test_a_refused_undo_that_cannot_be_written_is_left_to_another_process(writes):
    """The run is still being undone; the error is that of the journal."""
    first = Guarded("first", "rollback")
    action = _completed(writes, first)
    claim = writes.claim

    def failing(*words: Any, **named: Any) -> Any:
        owned = claim(*words, **named)
        write = owned.write

        def told(changes: Any) -> None:
            if RunChange(direction="forward") in changes:
                raise JournalError("no room")
            write(changes)

        owned.write = told
        return owned

    writes.claim = failing
    with pytest.raises(JournalError, match="no room"):
        rollback(action, 1, journal=writes, packs=())
    writes.claim = claim
    assert (writes.read(1).outcome, writes.read(1).direction) == (None, "undo")
    first.refuses.clear()
    assert rollback(action, 1, journal=writes, packs=())["rolled_back"]


def test_a_refusal_is_an_error_of_handrail() -> None:
    """A pack derives its own from it, with a code and an exit code."""
    assert issubclass(RefusedError, HandrailError)
    assert RefusedError("no").to_dict()["step"] is None
