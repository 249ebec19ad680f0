"""Plays one step: asks whether it can be skipped, and executes it through its layers."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

from handrail.engine.commands import COMMIT, Attempt, Call, NotRun, Raised, Revert
from handrail.errors import describe
from handrail.events import StepFailed, StepFinished, StepSkipped, StepStarted
from handrail.steps import StepResult
from handrail.wrapper import Layers

if TYPE_CHECKING:
    from handrail.engine.line import Line
    from handrail.engine.outcome import Failure
    from handrail.plan.plan import PlannedStep
    from handrail.wrapper import StepWrapper


def perform(
    line: Line, planned: PlannedStep, position: int, *, asks: bool = True
) -> Generator[Any, Any, Any]:
    """Ask for everything that belongs to one step; return a StepResult, `Raised` or `NotRun`.

    Args:
        line: The line of the step.
        planned: The step.
        position: Its position.
        asks: Whether to call the `can_skip` of the step.
    """
    answer = yield from ask(line, planned, position, asks=asks)
    return (yield from execute(line, planned)) if answer is None else answer


def ask(
    line: Line, planned: PlannedStep, position: int, *, asks: bool = True
) -> Generator[Any, Any, Any]:
    """Start a step: return None if it is to be executed, otherwise a StepResult or `NotRun`."""
    asks = asks and planned.facts.skippable
    line.began = line.run.clock() if line.run.listener else 0.0
    line.asking = asks
    line.context.current_step = planned.own_name
    if line.run.listener:
        yield start_event(planned, position)
    if asks:
        answer = yield planned
        line.asking = False
        return skipped(answer)
    return None


def skipped(answer: Any) -> StepResult | NotRun | None:
    """Convert the answer of `can_skip` to the result of the step; None if it has to run."""
    if isinstance(answer, Raised | NotRun):
        return NotRun(answer.error)
    return StepResult(skipped=True) if answer else None


def execute(line: Line, planned: PlannedStep) -> Generator[Any, Any, Any]:
    """Ask for the execution of a step; return a StepResult, `Raised`, or `NotRun`."""
    if planned.facts.plain:
        return (yield Attempt(planned.step))
    return (yield from through_layers(line, planned))


def through_layers(line: Line, planned: PlannedStep) -> Generator[Any, Any, Any]:
    """Ask for the execution of a step with layers; return a StepResult, `Raised`, or `NotRun`."""
    line.context.current_step = planned.own_name
    layers = Layers(cast("StepWrapper[Any]", planned.step), line.context)
    answer = yield layers
    while type(answer) is Revert:
        layers.answer = yield from _end_attempt(line, answer)
        answer = yield layers
        if isinstance(answer, NotRun):
            answer = Raised(answer.error)
    return answer


def _end_attempt(line: Line, command: Revert) -> Generator[Any, Any, Any]:
    """Undo the attempt that a layer retries, from its recorded and returned data."""
    attempt = line.end_attempt(command.outcome)
    line.asking = True
    answer = yield Call(command.step.rollback, (line.context, attempt))
    line.asking = False
    failed = isinstance(answer, Raised | NotRun)
    if failed:
        line.leave_behind(attempt)
    if line.log is not None:
        error = describe(answer.error) if failed else None
        committed = yield from begin_again(line, line.position, error)
        if isinstance(committed, Raised):
            return committed
    return Raised(answer.error) if failed else None


def begin_again(line: Line, position: int, undo_error: str | None) -> Generator[Any, Any, Any]:
    """Commit that the undo of the last attempt ended, and that a new attempt begins."""
    assert line.log is not None
    attempt = line.run.attempts[position]
    if undo_error is None:
        line.log.undone(position, attempt)
    else:
        line.log.undo_failed(position, attempt, undo_error)
    line.run.attempts[position] = attempt + 1
    line.log.started(position, attempt + 1)
    return (yield COMMIT)


def start_event(planned: PlannedStep, position: int) -> StepStarted:
    """Return the event that a step begins, as its first attempt or as one that is resumed."""
    return StepStarted(
        step=planned.name,
        position=position,
        origin=planned.origin,
        group=planned.facts.group,
        lane=planned.facts.lane,
    )


def end_event(line: Line, planned: PlannedStep, position: int, failure: Failure | None) -> Any:
    """Return the event for the end of a step."""
    took = line.run.clock() - line.began
    result = line.result_at(position)
    lane: Any = {"group": planned.facts.group, "lane": planned.facts.lane}
    if failure is not None or result is None:
        text = "" if failure is None else failure.text
        return StepFailed(
            step=planned.name,
            position=position,
            took=took,
            error=text,
            origin=planned.origin,
            **lane,
        )
    if result.skipped:
        return StepSkipped(step=planned.name, position=position, **lane)
    return StepFinished(step=planned.name, position=position, took=took, data=result.data, **lane)
