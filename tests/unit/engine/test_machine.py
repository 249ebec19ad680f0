"""The engine, played with canned answers: no driver, no clock, no user code."""

from __future__ import annotations

from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    PlannedStep,
    Run,
    RuntimeContext,
    Sleep,
    StepRegistry,
    StepResult,
    StepWrapper,
)
from handrail.calls import (
    CHECK,
    Call,
    GoBack,
    Machine,
    NotRun,
    Pause,
    Raised,
    Report,
)
from handrail.context import link_run
from handrail.engine.machine import play
from handrail.engine.state import RunState
from handrail.errors import StepFailedError
from handrail.orchestrator.dispatch import run_info
from handrail.plan.builder import plan_of_registry
from handrail.wrapper import Layers


class Step(BaseStep):
    progress_weight = 0.1

    def __init__(self, name: str, **more: Any) -> None:
        self.name = name
        for key, value in more.items():
            setattr(self, key, value)

    def execute(self, context: BaseStepContext) -> StepResult:
        raise AssertionError("the engine calls no user code")

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        raise AssertionError("the engine calls no user code")


class Asked(Step):
    def can_skip(self, context: BaseStepContext) -> bool:
        raise AssertionError("the engine calls no user code")


class Layer(StepWrapper):
    def around(self, context: BaseStepContext) -> Any:
        yield Sleep(1)
        return (yield Run())


class Game:
    """One run, with the clock of a test."""

    def __init__(self, *steps: BaseStep, percents: list[int] | None = None) -> None:
        registry = StepRegistry()
        for step in steps:
            registry.register(step)
        plan = plan_of_registry(registry)
        context = BaseStepContext(RuntimeContext())
        self.run = RunState(
            plan,
            context,
            run_id="id",
            describe=run_info,
            clock=lambda: 0.0,
            on_progress=None if percents is None else lambda percent, _: percents.append(percent),
        )
        link_run(context, self.run.line)
        self.machine = play(self.run)
        self.walk: Machine | None = None

    def send(self, answer: Any = None) -> Any:
        """Answer, and name what comes next."""
        machine = self.machine if self.walk is None else self.walk
        try:
            command = machine.send(answer)
        except StopIteration:
            if self.walk is None:
                return "over"
            self.walk = None
            return "undone"
        if isinstance(command, GoBack):
            self.walk = command.walk
            return "goes back"
        return command.name if isinstance(command, PlannedStep) else command


GOOD = StepResult()
BAD = StepResult(success=False, error="bad")


def test_a_success_asks_for_each_step_and_a_check() -> None:
    """The command for a plain step is the planned step itself, the same object every time."""
    game = Game(Step("a"), Step("b"))
    first = game.machine.send(None)
    assert first is game.run.plan.steps[0]
    assert game.send(GOOD) == "b"
    assert game.send(GOOD) is CHECK
    assert game.send(None) == "over"
    assert game.run.outcome == "completed"
    assert game.run.failure is None


def test_a_failure_asks_for_the_undo_of_the_failing_step_first() -> None:
    """On a way of its own, with the result of each step at hand."""
    game = Game(Step("a"), Step("b"))
    assert game.send() == "a"
    assert game.send(GOOD) == "b"
    assert game.send(BAD) == "goes back"
    assert game.send() == "b"
    assert game.run.line.undo_result is BAD
    assert game.send() == "a"
    assert game.run.line.undo_result is GOOD
    assert game.send() == "undone"
    assert game.send() == "over"
    assert isinstance(game.run.failure, StepFailedError)


def test_an_interrupt_before_a_step_leaves_that_step_alone() -> None:
    """`NotRun` undoes what was executed, and the interrupt is what ends the run."""
    interrupt = KeyboardInterrupt()
    game = Game(Step("a"), Step("b"))
    game.send()
    game.send(GOOD)
    assert game.send(NotRun(interrupt)) == "goes back"
    assert game.send() == "a"
    assert game.send() == "undone"
    game.send()
    assert game.run.failure is interrupt
    assert len(game.run.line.context.step_results) == 1


def test_an_interrupt_at_the_check_undoes_everything() -> None:
    """A run is not over before the last boundary."""
    game = Game(Step("a"))
    game.send()
    assert game.send(GOOD) is CHECK
    assert game.send(Raised(KeyboardInterrupt())) == "goes back"
    assert game.send() == "a"


def test_an_interrupt_during_the_undo_stops_it() -> None:
    """The step that was being undone and those before it are named as left."""
    stop = KeyboardInterrupt()
    game = Game(Step("a"), Step("b"))
    game.send()
    game.send(GOOD)
    game.send(BAD)
    assert game.send() == "b"
    assert game.send(Raised(stop)) == "undone"
    assert game.send() == "over"
    assert (game.run.outcome, game.run.failure) == ("interrupted", stop)
    assert stop.__notes__ == ["the undo was stopped; not undone: b, a"]


def test_a_step_that_asks_is_asked_first() -> None:
    """True skips it, False executes it, an error fails the run before it started."""
    game = Game(Asked("a"), Asked("b"), Asked("c"))
    assert (game.send(), game.run.line.asking) == ("a", True)
    assert (game.send(True), game.run.line.asking) == ("b", True)
    assert game.run.line.finished[0].skipped
    assert (game.send(False), game.run.line.asking) == ("b", False)
    assert (game.send(GOOD), game.run.line.asking) == ("c", True)
    assert game.send(Raised(ValueError("x"))) == "goes back"
    assert game.send() == "b"
    assert game.send() == "undone"


def test_layers_are_played_by_the_driver() -> None:
    """They are one command; sleeps and attempts are what a driver gets from it."""
    game = Game(Layer(Step("a")))
    layers = game.send()
    assert isinstance(layers, Layers)
    assert layers.begin() == Pause(1)
    attempt = layers.move(None)
    assert isinstance(attempt, Call)
    assert attempt.step is not None
    assert layers.move(GOOD) is GOOD
    assert game.send(GOOD) is CHECK
    assert game.run.line.finished == [GOOD]


def test_reports_come_only_when_the_percentage_grows() -> None:
    """A thousand steps make a hundred reports, the last of them 100."""
    percents: list[int] = []
    game = Game(*(Step(f"s{number}") for number in range(1000)), percents=percents)
    command = game.send()
    while command != "over":
        if isinstance(command, Report):
            game.run.progress.reached(command.percent)
            command = game.send(None)
        else:
            command = game.send(GOOD)
    assert percents == list(range(1, 101))


def test_an_error_in_a_report_fails_the_step_before_it() -> None:
    """That step was executed, so it is undone first."""
    game = Game(Step("a"), Step("b"), percents=[])
    game.send()
    assert game.send(GOOD) == Report(50)
    assert game.send(Raised(ValueError("callback"))) == "goes back"
    assert game.send() == "a"
    game.send()
    game.send()
    assert str(game.run.failure) == "Step 'a' failed: callback"


def test_commands_of_plain_steps_are_built_once_per_plan() -> None:
    """Two runs of one plan are sent the very same objects."""
    game = Game(*(Step(f"s{number}") for number in range(50)))
    again = play(
        RunState(
            game.run.plan,
            game.run.line.context,
            run_id="id",
            describe=run_info,
            clock=lambda: 0.0,
        )
    )
    first, second = game.machine.send(None), again.send(None)
    for _ in range(49):
        assert first is second
        first, second = game.machine.send(GOOD), again.send(GOOD)


@pytest.mark.parametrize("outcome", [GOOD, BAD, Raised(ValueError("x"))])
def test_always_run_steps_end_every_run(outcome: Any) -> None:
    """After the check of a success, after the undo of a failure."""
    game = Game(Step("close", always_run=True), Step("a"))
    assert game.send() == "a"
    command = game.send(outcome)
    while command != "close":
        command = game.send(None)
    assert game.send(GOOD) == "over"
