"""Orchestrator: results, failures, the way back, progress and events."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    Run,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
)
from handrail.errors import RollbackError, StepResultError
from handrail.events import StepFinished, StopObserving
from handrail.orchestrator.dispatch import Dispatcher

log: list[Any] = []


@pytest.fixture(autouse=True)
def _fresh() -> None:
    log.clear()


class Step(BaseStep):
    def __init__(self, name: str, act: Any = None, weight: Any = 0.1, **more: Any) -> None:
        self.name = name
        self.progress_weight = weight
        self.act = act
        self.undo = more.pop("undo", None)
        for key, value in more.items():
            setattr(self, key, value)

    def execute(self, context: BaseStepContext) -> StepResult:
        log.append(self.name)
        answer = self.act(context) if callable(self.act) else self.act
        return StepResult() if answer is None else answer

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        log.append(f"undo {self.name}")
        if self.undo:
            raise self.undo


class Skipped(Step):
    def can_skip(self, context: BaseStepContext) -> bool:
        return True


def raises(error: BaseException) -> Any:
    def act(context: BaseStepContext) -> None:
        raise error

    return act


def make(*steps: BaseStep, callback: Any = None, **more: Any) -> Orchestrator:
    registry = StepRegistry()
    for step in steps:
        registry.register(step)
    return Orchestrator(registry, BaseStepContext(RuntimeContext()), callback, **more)


both = pytest.mark.parametrize("how", ["blocking", "async"])


def execute(orchestrator: Orchestrator, how: str = "blocking") -> Any:
    if how == "async":
        return asyncio.run(orchestrator.execute_async())
    return orchestrator.execute()


def fail(orchestrator: Orchestrator, how: str = "blocking") -> StepFailedError:
    with pytest.raises(StepFailedError) as caught:
        execute(orchestrator, how)
    return caught.value


@both
def test_an_empty_workflow_succeeds(how: str) -> None:
    """It reports 100 and that it did nothing."""
    percents: list[int] = []
    made = make(callback=lambda now, total: percents.append(now))
    assert execute(made, how) == {"success": True, "steps_executed": 0, "steps_total": 0}
    assert percents == [100]


@both
def test_a_second_execute_starts_afresh(how: str) -> None:
    """Results and errors of the first one are gone, and edits of the registry count."""
    made = make(Step("a"), Step("b", StepResult(success=False), undo=OSError("stuck")))
    fail(made, how)
    assert len(made.context.errors) == 1
    made.registry.unregister("b")  # type: ignore[union-attr]
    made.registry.register(Step("c"))  # type: ignore[union-attr]
    assert execute(made, how)["steps_executed"] == 2
    assert len(made.context.step_results) == 2
    assert made.context.errors == []


@both
def test_a_failure_tells_everything(how: str) -> None:
    """Message, step, origin, cause, undo errors, notes, and one sentence each in the context."""
    cause = ValueError("broken")
    made = make(Step("a", undo=OSError("stuck")), Step("b"), Step("c", raises(cause)))
    error = fail(made, how)
    assert isinstance(error, RuntimeError)
    assert str(error) == "Step 'c' failed: broken"
    assert (error.step, error.error, error.outcome) == ("c", "broken", "rollback_incomplete")
    assert error.__cause__ is cause
    assert error.origin is not None
    (problem,) = error.rollback_errors
    assert isinstance(problem, RollbackError)
    assert isinstance(problem.__cause__, OSError)
    assert error.__notes__ == ["Rollback of step 'a' failed: stuck"]
    assert made.context.errors == ["Rollback of step 'a' failed: stuck"]
    assert log == ["a", "b", "c", "undo c", "undo b", "undo a"]
    assert made.context.failure is error
    assert made.context.step_results[-1].error == "broken"
    assert made.context.step_results[-1].success is False


def test_a_failing_result_is_told() -> None:
    """Its error is the text; without one the message says so; there is no cause."""
    error = fail(make(Step("a", StepResult(success=False, error="no space"))))
    assert str(error) == "Step 'a' failed: no space"
    assert error.__cause__ is None
    error = fail(make(Step("a", StepResult(success=False))))
    assert str(error) == "Step 'a' failed: it returned success=False without saying why"
    error = fail(make(Step("a", raises(KeyError()))))
    assert str(error) == "Step 'a' failed: KeyError"


class NoName(StepWrapper):
    @property
    def name(self) -> str:
        raise ValueError("broken")

    def around(self, context: BaseStepContext) -> Any:
        self.name  # noqa: B018
        return (yield Run())


class Raising(StepWrapper):
    def around(self, context: BaseStepContext) -> Any:
        yield Run()
        raise ValueError("broken")


@both
def test_an_error_in_a_wrapper_is_inside_the_guard(how: str) -> None:
    """The step inside had been executed, so it is undone."""
    error = fail(make(Step("a"), Raising(Step("b"))), how)
    assert str(error) == "Step 'b' failed: broken"
    assert log == ["a", "b", "undo b", "undo a"]


@both
def test_an_error_in_a_property_is_inside_the_guard(how: str) -> None:
    """What reads it while the run goes on fails like a step."""
    registry = StepRegistry()
    registry.register(Step("a"))
    registry.wrap("a", NoName)
    made = Orchestrator(registry, BaseStepContext(RuntimeContext()))
    assert str(fail(made, how)) == "Step 'a' failed: broken"
    assert log == ["undo a"]


@both
@pytest.mark.parametrize("at", [10, 50, 100])
def test_an_error_in_the_callback_is_inside_the_guard(how: str, at: int) -> None:
    """It fails the step after which it was called; also when that is the last."""

    def callback(now: int, total: int) -> None:
        if now == at:
            raise ValueError("broken")

    steps = [Step(f"s{number}") for number in range(10)]
    error = fail(make(*steps, callback=callback), how)
    last = at // 10 - 1
    assert str(error) == f"Step 's{last}' failed: broken"
    assert log[last + 1 :] == [f"undo s{number}" for number in range(last, -1, -1)]


@both
def test_an_error_in_the_callback_reaches_the_step_that_reports(how: str) -> None:
    """`set_progress` raises what the callback raises, in the step, which fails with it."""

    def callback(now: int, total: int) -> None:
        raise ValueError("broken")

    error = fail(
        make(Step("a", lambda context: context.set_progress(1, 2)), callback=callback), how
    )
    assert str(error) == "Step 'a' failed: broken"


@both
@pytest.mark.parametrize("value", [7, "text", {"a": 1}, StepResult, True])
def test_a_step_that_returns_something_else_fails(how: str, value: Any) -> None:
    """The error says what it returned, and is a TypeError."""
    error = fail(make(Step("a", lambda context: value)), how)
    assert isinstance(error.__cause__, StepResultError)
    assert isinstance(error.__cause__, TypeError)
    assert "step 'a' returned" in str(error)
    assert "instead of a StepResult" in str(error)
    assert log == ["a", "undo a"]


@both
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_interrupts_and_exits_undo_and_are_raised_themselves(
    how: str, kind: type[BaseException]
) -> None:
    """They pass through as they are, with undo errors as notes."""
    error = kind()
    made = make(Step("a", undo=OSError("stuck")), Step("b", raises(error)))
    with pytest.raises(kind) as caught:
        execute(made, how)
    if how == "blocking":
        assert caught.value is error
    assert error.__notes__ == ["Rollback of step 'a' failed: stuck"]
    assert log == ["a", "b", "undo b", "undo a"]
    assert made.context.outcome == "rollback_incomplete"


def test_a_keyboard_interrupt_in_an_undo_stops_it() -> None:
    """What is left is named, the first failure is the cause, and nothing runs any more."""
    steps = [Step("a"), Step("b", undo=KeyboardInterrupt()), Step("c", raises(ValueError("x")))]
    made = make(*steps, Step("close", always_run=True))
    with pytest.raises(KeyboardInterrupt) as caught:
        execute(made)
    assert caught.value.__notes__ == ["the undo was stopped; not undone: b, a"]
    assert isinstance(caught.value.__cause__, StepFailedError)
    assert log == ["a", "b", "c", "undo c", "undo b"]
    assert made.context.outcome == "interrupted"


def close(context: BaseStepContext) -> None:
    failed = None if context.failure is None else str(context.failure)
    log.append((context.outcome, failed))


@both
def test_always_run_steps_run_after_the_undo(how: str) -> None:
    """Each of them, even when one fails, which is a note; none is undone."""
    made = make(
        Step("close1", close, always_run=True),
        Step("a"),
        Step("close2", raises(OSError("shut")), always_run=True),
        Step("b", raises(ValueError("broken"))),
        Step("close3", always_run=True),
    )
    error = fail(made, how)
    assert str(error) == "Step 'b' failed: broken"
    expected = ("rolled_back", "Step 'b' failed: broken")
    assert log[:4] == ["a", "b", "undo b", "undo a"]
    assert log[4:] == ["close1", expected, "close2", "close3"]
    assert error.__notes__ == ["Step 'close2' failed: shut"]


@both
def test_an_always_run_step_that_fails_after_a_success(how: str) -> None:
    """StepFailedError with outcome completed; nothing is undone, and 100 is not reported."""
    percents: list[int] = []
    made = make(
        Step("a"),
        Step("close", raises(OSError("shut")), always_run=True),
        Step("last", always_run=True),
        callback=lambda now, total: percents.append(now),
    )
    error = fail(made, how)
    assert (str(error), error.outcome) == ("Step 'close' failed: shut", "completed")
    assert made.context.outcome == "completed"
    assert log == ["a", "close", "last"]
    assert percents == [33]


@both
def test_progress_of_always_run_steps_does_not_count_after_a_failure(how: str) -> None:
    """The bar stays where the run failed."""
    percents: list[int] = []
    made = make(
        Step("a"),
        Step("b", StepResult(success=False)),
        Step("close", lambda context: context.set_progress(1, 1), always_run=True),
        callback=lambda now, total: percents.append(now),
    )
    fail(made, how)
    assert percents == [33]


def percents_of(weights: list[Any], how: str = "blocking") -> list[int]:
    calls: list[tuple[int, int]] = []
    steps = [Step(f"s{number}", None, weight) for number, weight in enumerate(weights)]
    execute(make(*steps, callback=lambda now, total: calls.append((now, total))), how)
    assert {total for _, total in calls} == {100}
    return [now for now, _ in calls]


@both
@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ([0.1] * 10, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        ([0.1, 0.7, 0.2], [10, 80, 100]),
        ([0, 0, 0, 0], [25, 50, 75, 100]),
        ([1, 0], [99, 100]),
        ([0, 1], [100]),
        ([1] * 3, [33, 66, 100]),
        ([0.001, 0.999], [100]),
        ([Fraction(1, 3), Fraction(2, 3)], [33, 100]),
        ([1e-300, 1.0, 1e-300], [99, 100]),
        ([1], [100]),
    ],
)
def test_progress_is_exact(how: str, weights: list[Any], expected: list[int]) -> None:
    """Rounded down from exact arithmetic; 100 at the end of a success, and always then."""
    assert percents_of(weights, how) == expected


@given(st.lists(st.decimals(0, 5, places=2).map(float), min_size=1, max_size=150))
def test_progress_matches_exact_arithmetic(weights: list[float]) -> None:
    """For any weights: growing only, at most 99 before the end, and exactly the fraction."""
    exact = [Fraction(str(weight)) for weight in weights]
    if not sum(exact):
        exact = [Fraction(1)] * len(exact)
    expected: list[int] = []
    done = Fraction(0)
    for weight in exact[:-1]:
        done += weight
        percent = min(99, int(100 * done / sum(exact)))
        if percent > (expected[-1] if expected else 0):
            expected.append(percent)
    assert percents_of(weights) == [*expected, 100]


reports = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from([1, 1.0, 3, 0.1, 10**30])), max_size=6
)


@given(st.lists(st.tuples(st.sampled_from([0, 0.1, 0.7, 2]), reports), min_size=1, max_size=6))
def test_progress_within_steps_only_grows(plan: list[tuple[float, Any]]) -> None:
    """Whatever steps report: strictly growing, at most 99 before the end, and never lost."""
    calls: list[int] = []

    def act(own: Any) -> Any:
        def report(context: BaseStepContext) -> None:
            for share, total in own:
                context.set_progress(min(share * total, total), total)

        return report

    steps = [Step(f"s{n}", act(own), weight) for n, (weight, own) in enumerate(plan)]
    execute(make(*steps, callback=lambda now, total: calls.append(now)))
    assert calls == sorted(set(calls))
    assert calls[-1] == 100
    assert all(now <= 99 for now in calls[:-1])


def test_progress_within_a_step_counts_its_share() -> None:
    """Half of a step of weight 0.7 after one of 0.1 is 45 percent; nonsense is not counted."""
    calls: list[int] = []

    def act(context: BaseStepContext) -> None:
        context.set_progress(1, 2)
        context.set_progress(0.25, 1.0)
        context.set_progress(2, 2)

    duck = type("Duck", (), {"set_progress": lambda self, *given: None})()
    made = make(Step("a"), Step("b", act, 0.7), Step("c", weight=0.2))
    made.progress_callback = lambda now, total: calls.append(now)
    made.context.runtime_ctx = duck
    execute(made)
    assert calls == [10, 45, 80, 100]
    made.registry.replace("b", Step("b", lambda context: context.set_progress(5, 0), 0.7))  # type: ignore[union-attr]
    calls.clear()
    execute(made)
    assert calls == [10, 80, 100]


@both
def test_a_step_that_reports_its_end_and_fails_is_not_at_100(how: str) -> None:
    """100 means that the run has succeeded, whatever its last step says."""
    calls: list[int] = []

    def act(context: BaseStepContext) -> StepResult:
        context.set_progress(2, 2)
        return StepResult(success=False)

    fail(make(Step("a"), Step("b", act), callback=lambda now, total: calls.append(now)), how)
    assert calls == [50, 99]


def test_progress_from_threads_only_grows() -> None:
    """Steps may report from threads of their own."""
    calls: list[int] = []
    duck = type("Duck", (), {"set_progress": lambda self, *given: None})()

    def act(context: BaseStepContext) -> None:
        threads = [
            threading.Thread(
                target=lambda: [context.set_progress(n, 1000, "x") for n in range(1000)]
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    made = make(Step("a", act), callback=lambda now, total: calls.append(now))
    made.context.runtime_ctx = duck
    execute(made)
    assert calls == list(range(1, 101))


def events(orchestrator_of: Any, how: str) -> list[str]:
    names: list[str] = []

    def observe(event: Any) -> None:
        about = getattr(event, "step", "")
        names.append(f"{type(event).__name__} {about}".strip())
        assert event.to_dict()["event"] == type(event).__name__

    made = orchestrator_of(observers=[observe])
    with contextlib.suppress(StepFailedError):
        execute(made, how)
    return names


@both
def test_the_events_of_a_run_come_in_order(how: str) -> None:
    """Start, steps with what they tell, undo, and the end."""

    def act(context: BaseStepContext) -> None:
        context.set_progress(1, 2)
        context.log("hello", {})
        context.set_metrics({"a": 1})

    seen = events(
        lambda **more: make(
            Step("a", act),
            Skipped("b"),
            Step("c", StepResult(success=False), undo=OSError("stuck")),
            Step("close", always_run=True),
            **more,
        ),
        how,
    )
    assert seen == [
        "RunStarted",
        "StepStarted a",
        "StepProgressed a",
        "ProgressChanged",
        "MessageLogged a",
        "MetricsMeasured a",
        "StepFinished a",
        "ProgressChanged",
        "StepStarted b",
        "StepSkipped b",
        "ProgressChanged",
        "StepStarted c",
        "StepFailed c",
        "UndoStarted",
        "UndoFailed c",
        "StepUndone a",
        "StepStarted close",
        "StepFinished close",
        "RunFinished",
    ]


@both
def test_the_progress_of_an_undo_is_told_and_the_run_does_not_progress(how: str) -> None:
    """It is an event of the step that is being undone; a callback of the run hears nothing."""
    told: list[Any] = []
    percents: list[int] = []

    class Undone(Step):
        def rollback(self, context: BaseStepContext, result: StepResult) -> None:
            context.set_progress(1, 4, "bytes")
            context.set_progress(4, 4)

    steps = Undone("a"), Step("b"), Step("c", StepResult(success=False))
    fail(make(*steps, callback=lambda percent, _: percents.append(percent)), how)
    before = list(percents)
    fail(make(*steps, observers=[told.append]), how)
    fail(make(*steps, callback=lambda percent, _: percents.append(percent)), how)
    assert percents == before * 2
    after = [each.to_dict() for each in told]
    first = next(place for place, each in enumerate(after) if each["event"] == "UndoStarted")
    assert [
        (each["step"], each["current"], each["total"], each["category"])
        for each in after[first:]
        if each["event"] == "StepProgressed"
    ] == [("a", 1, 4, "bytes"), ("a", 4, 4, "a")]
    assert "ProgressChanged" not in [each["event"] for each in after[first:]]


@both
def test_an_observer_that_raises_is_dropped_once(
    how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The run and the other observers go on, and there is one line about it."""
    good: list[Any] = []
    calls: list[Any] = []

    def bad(event: Any) -> None:
        calls.append(event)
        raise ValueError("telemetry is down")

    execute(make(Step("a"), Step("b"), observers=[bad, good.append]), how)
    assert len(calls) == 1
    assert type(good[-1]).__name__ == "RunFinished"
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1
    assert "bad was dropped, it raised ValueError: telemetry is down" in err[0]


@both
def test_an_observer_that_wants_no_more_is_told_no_more(
    how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is told of that; the other observers go on."""
    good: list[Any] = []
    calls: list[Any] = []

    def satisfied(event: Any) -> None:
        calls.append(event)
        if isinstance(event, StepFinished):
            raise StopObserving

    execute(make(Step("a"), Step("b"), observers=[satisfied, good.append]), how)
    assert [type(each).__name__ for each in calls] == [
        "RunStarted",
        "StepStarted",
        "StepFinished",
    ]
    assert type(good[-1]).__name__ == "RunFinished"
    assert capsys.readouterr() == ("", "")


@both
@pytest.mark.parametrize("progress", [True, False])
def test_a_run_that_all_observers_decline_is_as_one_without(
    how: str, progress: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its start no event is made of it; who asked for its progress gets that."""
    passed: list[Any] = []
    told: list[int] = []
    real = Dispatcher._pass_on

    def declines(event: Any) -> None:
        raise StopObserving

    def pass_on(self: Any, event: Any) -> None:
        passed.append(event)
        real(self, event)

    monkeypatch.setattr(Dispatcher, "_pass_on", pass_on)
    callback = (lambda percent, _: told.append(percent)) if progress else None
    made = make(Step("a"), Step("b"), observers=[declines, declines], callback=callback)
    execute(made, how)
    assert [type(each).__name__ for each in passed] == ["RunStarted"]
    assert told == ([50, 100] if progress else [])
    fail(make(Step("a"), Step("b", StepResult(success=False)), observers=[declines]), how)
    assert [type(each).__name__ for each in passed] == ["RunStarted"] * 2


def test_an_observer_may_log() -> None:
    """What an observer causes is told after what it is being told, and does not recurse."""
    seen: list[str] = []
    made = make(Step("a"))

    def observe(event: Any) -> None:
        seen.append(type(event).__name__)
        if type(event).__name__ == "StepStarted":
            made.context.runtime_ctx = type("Duck", (), {"log": lambda self, *given: None})()
            made.context.log("from the observer", {})
            assert seen[-1] == "StepStarted"

    made._observers = (observe,)
    execute(made)
    assert seen[1:3] == ["StepStarted", "MessageLogged"]


def test_on_failure_needs_a_journal() -> None:
    """Nothing could be resumed otherwise; other words are told."""
    with pytest.raises(ValueError, match="needs a journal"):
        make(on_failure="keep")
    with pytest.raises(ValueError, match="'undo' or 'keep'"):
        make(on_failure="retry")


def test_a_run_inside_a_step_is_a_run_of_its_own() -> None:
    """A nested run that fails is undone by itself, then the outer one."""

    def inner(context: BaseStepContext) -> None:
        execute(make(Step("in1"), Step("in2", raises(ValueError("broken")))))

    error = fail(make(Step("out1"), Step("out2", inner)))
    assert str(error) == "Step 'out2' failed: Step 'in2' failed: broken"
    assert log == ["out1", "out2", "in1", "in2", "undo in2", "undo in1", "undo out2", "undo out1"]
