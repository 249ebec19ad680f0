"""Plays one step: asks whether it can be skipped, and executes it through its layers."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

from handrail.engine.commands import (
    COMMIT,
    Attempt,
    Call,
    Limited,
    NotRun,
    Pause,
    Raised,
    Revert,
)
from handrail.errors import RefusedError, describe
from handrail.events import StatusChanged, StepFailed, StepFinished, StepSkipped, StepStarted
from handrail.limits import Limits
from handrail.steps import StepResult
from handrail.wrapper import Layers, is_layer

if TYPE_CHECKING:
    from handrail.engine.line import Line
    from handrail.engine.outcome import Failure
    from handrail.plan.plan import PlannedStep
    from handrail.steps import BaseStep
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
    line.context.current_step = planned.name
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
    return (yield from execute_within(line, planned))


def execute_within(line: Line, planned: PlannedStep) -> Generator[Any, Any, Any]:
    """Ask for the execution of a step through its layers, and within its limits.

    Return a StepResult, `Raised`, or `NotRun`.
    """
    line.context.current_step = planned.name
    step, limits = planned.step, planned.facts.limits
    if limits is not None and not is_layer(step):
        return (yield attempt(planned))
    watched = limits and _watched(planned)
    layers = Layers(cast("StepWrapper[Any]", step), line.context, watched, line.log)
    answer = yield layers
    while type(answer) is Revert:
        layers.answer = yield from _end_attempt(line, answer)
        answer = yield layers
        if isinstance(answer, NotRun):
            answer = Raised(answer.error)
    return answer


def attempt(planned: PlannedStep, resumed: StepResult | None = None) -> Attempt | Limited:
    """Return the command for one attempt of a step, with or without layers."""
    command, limits = Attempt(planned.step, resumed), _watched(planned)
    return command if limits is None else Limited(command, limits)


def _watched(planned: PlannedStep) -> Limits | None:
    limits = planned.facts.limits
    return limits if limits is not None and limits.watched else None


def take_back(
    line: Line,
    planned: PlannedStep,
    step: BaseStep[Any],
    result: StepResult,
    attempt: int,
) -> Generator[Any, Any, Any]:
    """Ask for the undo of an attempt, as often as the policy says; return None, or why it failed.

    Its items come first: what the step itself has made may be what they are in.

    Args:
        line: The line of the step.
        planned: The step.
        step: The same, or one of its layers.
        result: What the attempt has recorded and returned.
        attempt: The number of the attempt.
    """
    run, position = line.run, line.position
    if run.places is not None and attempt in run.mapped.get(position, ()):
        undo = Call(run.places.undo_items, (line, position, attempt))
        answer = yield from _take_back(line, planned, undo)
        if answer is not None:
            return answer
    return (yield from _take_back(line, planned, Call(step.rollback, (line.context, result))))


def _take_back(line: Line, planned: PlannedStep, call: Call) -> Generator[Any, Any, Any]:
    policy = planned.facts.rollback_policy
    timeout = None if policy is None else policy.timeout
    command = call if timeout is None else Limited(call, Limits(timeout=timeout))
    retries = 0 if policy is None else policy.retries
    for number in range(1, retries + 2):
        if line.log is not None and line.log.broken is not None:
            return Raised(line.log.broken)
        line.context.current_step = planned.name
        answer = yield command
        if not isinstance(answer, Raised | NotRun):
            return None
        error = answer.error
        lost = not isinstance(error, Exception) or isinstance(error, RefusedError)
        if lost or isinstance(answer, NotRun) or policy is None or number > retries:
            return answer
        wait = policy.wait * 2 ** (number - 1)
        answer = yield from _wait(line, planned, f"{number}/{retries}", describe(error), wait)
        if isinstance(answer, Raised | NotRun):
            return answer
    return None


def _wait(
    line: Line, planned: PlannedStep, number: str, error: str, wait: float
) -> Generator[Any, Any, Any]:
    """Say that an undo is tried again, and wait."""
    summary = f"undo retried {number} in {wait:g}s: {error}"
    data = {"step": planned.name, "error": error, "wait": wait, "summary": summary}
    answer = yield Call(line.context.log, ("rollback_retry", data), inline=True)
    if isinstance(answer, Raised | NotRun) and not isinstance(answer.error, Exception):
        return answer
    if line.run.listener:
        yield StatusChanged(
            step=planned.name,
            status=f"retrying {number}: {error}",
            group=planned.facts.group,
            lane=planned.facts.lane,
        )
    return (yield Pause(wait))


def _end_attempt(line: Line, command: Revert) -> Generator[Any, Any, Any]:
    """Undo the attempt that a layer retries, from its recorded and returned data."""
    attempt = line.end_attempt(command.outcome)
    line.asking = True
    run, position = line.run, line.position
    number = run.attempts.get(position, 1)
    answer = yield from take_back(line, run.plan.steps[position], command.step, attempt, number)
    line.asking = False
    if answer is not None:
        line.leave_behind(attempt)
    if line.log is not None:
        error = None if answer is None else answer.error
        committed = yield from begin_again(line, line.position, error)
        if isinstance(committed, Raised):
            return committed
    else:
        line.begins(line.position)
    return None if answer is None else Raised(answer.error)


def begin_again(
    line: Line, position: int, undo_error: BaseException | None
) -> Generator[Any, Any, Any]:
    """Commit that the undo of the last attempt ended, and that a new attempt begins."""
    assert line.log is not None
    attempt = line.run.attempts[position]
    if undo_error is None:
        line.log.undone(position, attempt)
    else:
        line.log.undo_failed(position, attempt, describe(undo_error), undo_error)
    line.run.attempts[position] = attempt + 1
    line.begins(position)
    line.log.started(position, attempt + 1)
    return (yield COMMIT)


def start_event(planned: PlannedStep, position: int) -> StepStarted:
    """Return the event that a step begins, as its first attempt or as one that is resumed."""
    limits = planned.facts.limits
    return StepStarted(
        step=planned.name,
        position=position,
        origin=planned.origin,
        group=planned.facts.group,
        lane=planned.facts.lane,
        timeout=None if limits is None else limits.timeout,
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
