"""How one step is played: asked whether it can be skipped, executed through its layers, told of."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from handrail.engine.commands import COMMIT, Attempt, Call, NotRun, Raised, Revert
from handrail.errors import describe
from handrail.events import StepFailed, StepFinished, StepSkipped, StepStarted
from handrail.steps import StepResult
from handrail.wrapper import StepWrapper, interpret, is_layer

if TYPE_CHECKING:
    from handrail.engine.outcome import Failure
    from handrail.engine.state import RunState
    from handrail.plan.plan import PlannedStep


def perform(
    run: RunState, planned: PlannedStep, position: int, *, asks: bool = True
) -> Generator[Any, Any, Any]:
    """Ask for everything that belongs to one step; return a StepResult, `Raised` or `NotRun`.

    Args:
        run: The run.
        planned: The step.
        position: Its position.
        asks: Whether a step that may skip itself is asked.
    """
    answer = yield from ask(run, planned, position, asks=asks)
    return (yield from execute(run, planned)) if answer is None else answer


def ask(
    run: RunState, planned: PlannedStep, position: int, *, asks: bool = True
) -> Generator[Any, Any, Any]:
    """Begin with a step: return None if it is to be executed, else a StepResult or `NotRun`."""
    asks = asks and planned.facts.skippable
    run.began = run.clock() if run.listener else 0.0
    run.asking = asks
    run.context.current_step = planned.name
    if run.listener:
        yield StepStarted(step=planned.name, position=position, origin=planned.origin)
    if asks:
        answer = yield planned
        run.asking = False
        return skipped(answer)
    return None


def skipped(answer: Any) -> StepResult | NotRun | None:
    """Return what has come of a step that was asked whether to skip it: None if it is to be run."""
    if isinstance(answer, Raised | NotRun):
        return NotRun(answer.error)
    return StepResult(skipped=True) if answer else None


def execute(run: RunState, planned: PlannedStep) -> Generator[Any, Any, Any]:
    """Ask for the execution of a step, through its layers; return a StepResult or `Raised`."""
    if isinstance(planned.step, StepWrapper) and is_layer(planned.step):
        return (yield from _through_layers(run, planned.step))
    return (yield Attempt(planned.step))


def _through_layers(run: RunState, outermost: StepWrapper[Any]) -> Generator[Any, Any, Any]:
    interpretation = interpret(outermost, run.context)
    answer: Any = None
    while True:
        try:
            command = interpretation.send(answer)
        except StopIteration as stop:
            return stop.value
        if isinstance(command, Revert):
            answer = yield from _end_attempt(run, command)
        else:
            answer = yield command
            if isinstance(answer, NotRun):
                answer = Raised(answer.error)


def _end_attempt(run: RunState, command: Revert) -> Generator[Any, Any, Any]:
    """Undo the attempt that a layer wants to try again, from what it recorded and returned."""
    attempt = run.end_attempt(command.outcome)
    run.asking = True
    answer = yield Call(command.step.rollback, (run.context, attempt))
    run.asking = False
    failed = isinstance(answer, Raised | NotRun)
    if failed:
        run.leave_behind(attempt)
    if run.log is not None:
        error = describe(answer.error) if failed else None
        committed = yield from begin_again(run, run.position, error)
        if isinstance(committed, Raised):
            return committed
    return Raised(answer.error) if failed else None


def begin_again(run: RunState, position: int, undo_error: str | None) -> Generator[Any, Any, Any]:
    """Commit that the last attempt of a step was undone, or was not, and that a new one begins."""
    assert run.log is not None
    attempt = run.attempts[position]
    if undo_error is None:
        run.log.undone(position, attempt)
    else:
        run.log.undo_failed(position, attempt, undo_error)
    run.attempts[position] = attempt + 1
    run.log.started(position, attempt + 1)
    return (yield COMMIT)


def told(run: RunState, planned: PlannedStep, position: int, failure: Failure | None) -> Any:
    """Return the event that tells how a step ended."""
    took = run.clock() - run.began
    result = run.result_at(position)
    if failure is not None or result is None:
        text = "" if failure is None else failure.text
        return StepFailed(
            step=planned.name,
            position=position,
            took=took,
            error=text,
            origin=planned.origin,
        )
    if result.skipped:
        return StepSkipped(step=planned.name, position=position)
    return StepFinished(step=planned.name, position=position, took=took, data=result.data)
