"""Results that cannot be stored: told when they are returned, and never a placeholder later."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from killing.told import Context, Does, flow, flow_run, interrupted, play

from handrail import BaseStep, RuntimeContext, StepFailedError, StepResult, resume, rollback
from handrail.errors import JournalError, RestoreError, ResultDataError, ResultMissingError
from handrail.events import MessageLogged
from handrail.journal.records import RunChange


class Frame:
    """Has no JSON form."""


FRAME = f"{Frame.__module__}.Frame"


def frame(context: Any) -> StepResult:
    context.seen.append("a")
    return StepResult(data={"df": Frame(), "ok": 1})


class Reads(Does):
    """Has no effects."""

    effects = False


class Restores(Does):
    """Puts its frame back, unless it is told not to."""

    def restore(self, context: Any, result: StepResult) -> None:
        self.told.get("restores", lambda result: result.data.update(df="restored"))(result)


def told_of(writes: Any, *steps: Any, **more: Any) -> list[str]:
    """Return what is logged about results while the steps run."""
    told: list[str] = []

    def observe(event: Any) -> None:
        if isinstance(event, MessageLogged) and event.name == "result_not_stored":
            told.append(event.data["summary"])

    flow_run(writes, *steps, observers=[observe], **more)
    return told


@pytest.mark.parametrize(
    ("kind", "then"),
    [
        (Does, "from here on the run can be undone, but not resumed"),
        (Reads, "a resumed run runs the step again for it"),
        (Restores, "a resumed run leaves it to restore() of the step"),
    ],
)
def test_a_result_that_cannot_be_stored_is_told_at_once(writes, kind, then):
    """The step, the key, the type, and what a resume will do."""
    told = told_of(writes, kind("a", frame), Does("b"))
    assert told == [f"'df' of step 'a' is {FRAME}, which cannot be stored; {then}"]


def test_the_type_deep_inside_is_told(writes):
    """Not that of the dict around it; of two, the first."""
    data = {"parts": {"a": [1, {Frame()}], "b": Frame()}}
    [told] = told_of(writes, Does("a", lambda context: StepResult(data=data)))
    assert told.startswith("'parts' of step 'a' is set, which cannot be stored;")


def test_a_value_that_refers_to_itself_is_told(writes):
    data: dict[str, Any] = {}
    data["loop"] = [data]
    [told] = told_of(writes, Does("a", lambda context: StepResult(data=data)))
    assert told.startswith("'loop' of step 'a' is list, which cannot be stored")


def test_without_observers_it_is_told_to_the_logger(writes):
    logged: list[str] = []

    class Logger:
        def log(self, event: str, data: Any, file: Any = None) -> None:
            logged.append(event)

    play(writes, Does("a", frame), context=Context(RuntimeContext(logger=Logger())))  # type: ignore[arg-type]
    assert logged == ["result_not_stored"]


def test_without_a_journal_nothing_is_told():
    logged: list[str] = []

    class Logger:
        def log(self, event: str, data: Any, file: Any = None) -> None:
            logged.append(event)

    play(None, Does("a", frame), context=Context(RuntimeContext(logger=Logger())))  # type: ignore[arg-type]
    assert logged == []


def test_a_logger_that_raises_does_not_fail_the_step(writes):
    class Logger:
        def log(self, event: str, data: Any, file: Any = None) -> None:
            raise OSError("no")

    play(writes, Does("a", frame), context=Context(RuntimeContext(logger=Logger())))  # type: ignore[arg-type]
    assert writes.runs()[0].outcome == "completed"


def test_strict_results_fail_the_step(writes):
    """It is undone like any other, and the error is the cause."""
    step = Does("a", frame)
    with pytest.raises(StepFailedError, match=rf"'df' of step 'a' is {FRAME}") as caught:
        flow_run(writes, step, strict_results=True)
    assert isinstance(caught.value.__cause__, ResultDataError)
    assert step.undone == [{}]
    assert writes.runs()[0].outcome == "rolled_back"


def test_strict_results_of_a_closing_step_are_an_error(writes):
    with pytest.raises(StepFailedError, match="'df' of step 'z'"):
        flow_run(writes, Does("z", frame, always=True), strict_results=True)
    assert writes.runs()[0].outcome == "completed"


def test_in_the_same_process_the_value_is_there(writes):
    made = Frame()
    got: list[Any] = []
    a = Does("a", lambda context: StepResult(data={"df": made}))
    flow_run(writes, a, Does("b", lambda context: got.append(context.results["a"].data["df"])))
    assert got == [made]


def seen_by(writes: Any, *steps: Any) -> list[Any]:
    """Return what a step sees of the results of the first one, after a resume."""
    seen: list[Any] = []
    last = Does("lost", lambda context: seen.append(dict(context.results["a"].data)))
    resume(flow(*steps, last), 1, journal=writes, packs=())
    return seen


def test_a_resume_is_refused_before_anything(writes):
    """Nothing is claimed, restored, run or undone; the step, key, type and ways out are named."""
    steps = [Restores("first", restores=lambda result: calls.append("restore")), Does("a", frame)]
    calls: list[str] = []
    interrupted(writes, *steps)
    before = writes.read(1)
    with pytest.raises(ResultMissingError) as caught:
        seen_by(writes, *steps)
    assert f"step 'a' returned 'df' ({FRAME}), which could not be stored" in caught.value.message
    assert caught.value.exit_code == 3
    assert caught.value.ways_out[-1] == "or undo the run:  handrail rollback 1"
    assert calls == []
    assert writes.read(1) == before


def test_a_rollback_is_never_refused(writes):
    """The key is absent."""
    got: list[Any] = []

    class Undoes(Does):
        def rollback(self, context: Any, result: StepResult) -> None:
            got.append(result.data)

    steps = [Undoes("a", frame), Does("b")]
    interrupted(writes, *steps)
    rollback(flow(*steps, Does("lost")), 1, journal=writes, packs=())
    assert got == [{"ok": 1}]


def test_a_step_without_effects_runs_again(writes):
    """Its changes of the context are discarded; it sees the context of before."""
    sees: list[Any] = []

    def read(context: Any) -> StepResult:
        sees.append((list(context.seen), context.current_step))
        return frame(context)

    def more(context: Any) -> None:
        context.seen.append("b")

    contexts: list[Any] = []
    steps = [Does("first", more), Reads("a", read), Does("b", more)]
    interrupted(writes, *steps)
    last = Does("lost", lambda context: contexts.append((context.seen, context.results["a"].data)))
    resume(flow(*steps, last), 1, journal=writes, packs=())
    assert sees == [(["b"], "a")] * 2
    [(seen, data)] = contexts
    assert seen == ["b", "a", "b"]
    assert isinstance(data["df"], Frame)
    assert data["ok"] == 1


@pytest.mark.parametrize("work", [lambda context: 1 / 0, lambda context: StepResult(success=False)])
def test_a_step_that_fails_when_it_runs_again_stops_the_resume(writes, work):
    interrupted(writes, Reads("a", frame))
    steps = [Reads("a", work)]
    with pytest.raises(RestoreError, match="'a' could not be restored"):
        seen_by(writes, *steps)
    assert writes.runs()[0].outcome is None
    assert steps[0].undone == []


def test_a_step_that_restores_puts_it_back(writes):
    interrupted(writes, Restores("a", frame))
    assert seen_by(writes, Restores("a", frame)) == [{"ok": 1, "df": "restored"}]


def test_a_restore_that_does_not_put_it_back_is_refused(writes):
    """After it was called, for nobody can know before; nothing else was done."""
    interrupted(writes, Restores("a", frame))
    step = Restores("a", frame, restores=lambda result: None)
    with pytest.raises(ResultMissingError, match=r"restore\(\) does not set it") as caught:
        seen_by(writes, step)
    assert caught.value.exit_code == 3
    assert step.undone == []


def test_a_run_with_only_closing_steps_left_goes_on(writes):
    """Nothing that reads the value is left; so it is with an undo."""
    a, closes = Does("a", frame), Does("z", frame, always=True)
    writes.fail = lambda change: isinstance(change, RunChange)
    with pytest.raises(JournalError):
        flow_run(writes, a, closes)
    writes.fail = lambda change: False
    assert resume(flow(a, closes), 1, journal=writes, packs=())["success"]


def test_values_of_json_are_not_touched(writes):
    """What looks like our own marks in them neither."""
    data = {"unstorable": '"unstorable":', "stored": {"stored": [], "unstorable": "x"}, "n": None}
    step = Does("a", lambda context: StepResult(data=data))
    interrupted(writes, step)
    assert seen_by(writes, step) == [data]


class Plain(BaseStep[Any]):
    """Has a mapping that is no dict as data."""

    name = "a"
    progress_weight = 0.1

    def execute(self, context: Any) -> StepResult:
        return StepResult(data=None)  # type: ignore[arg-type]


def test_data_that_is_none_is_nothing(writes, caplog):
    with caplog.at_level(logging.DEBUG):
        interrupted(writes, Plain())
    assert seen_by(writes, Plain()) == [{}]
