"""One run as a generator: it yields what to do next and is sent how that went.

It calls no user code, reads no clock and starts no thread, so both drivers share it and a test can
play it through with a list of answers. In the loop over plain steps nothing is allocated.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from handrail.engine.commands import CHECK, NotRun, Report
from handrail.engine.outcome import Failure, after, final_error, settle, settle_closing
from handrail.engine.undo import undo as go_back
from handrail.errors import describe
from handrail.events import (
    RunFinished,
    RunStarted,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
)
from handrail.steps import StepResult
from handrail.wrapper import Attempt, Call, Raised, Revert, StepWrapper, interpret, is_layer

if TYPE_CHECKING:
    from handrail.engine.state import RunState
    from handrail.plan.plan import PlannedStep

Machine = Generator[Any, Any, None]


def play(run: RunState, *, undo: bool = True) -> Machine:
    """Play one run: forward, back if that fails, and the `always_run` steps.

    At the end `run.outcome` and `run.failure` tell how it went.
    """
    if run.listener:
        run.opened = run.clock()
        yield RunStarted(
            action=run.plan.action,
            run_id=run.run_id,
            fingerprint=run.plan.fingerprint,
            steps=tuple(planned.name for planned in run.plan.steps),
            locked=run.plan.locked,
        )
    failure = yield from _forward(run)
    if failure is None:
        run.outcome = "completed"
    elif undo:
        yield from go_back(run, failure)
    else:
        run.failure = final_error(run, failure, "failed")
        run.outcome = "failed"
    yield from end(run)


def end(run: RunState) -> Generator[Any, Any, None]:
    """Run what always runs, and tell that the run is over."""
    if run.outcome in ("completed", "rolled_back", "rollback_incomplete"):
        yield from close(run)
    if run.listener:
        yield RunFinished(
            action=run.plan.action,
            outcome=run.outcome or "failed",
            took=run.clock() - run.opened,
            steps_executed=executed_steps(run),
            steps_total=len(run.plan.steps),
            error=None if run.failure is None else describe(run.failure),
        )


def executed_steps(run: RunState) -> int:
    """Return how many steps succeeded without being skipped."""
    results = [*run.finished, *run.closed.values()]
    return sum(result.success and not result.skipped for result in results)


def _forward(run: RunState) -> Generator[Any, Any, Failure | None]:
    steps = run.plan.steps
    reporting = run.reporting
    segments = run.weights.segments(run.ordinary) if reporting else [(0, run.ordinary, 0)]
    for first, end, percent in segments:
        failure = yield from _stretch(run, steps if end - first == len(steps) else steps[first:end])
        if failure is not None:
            return failure
        if percent > run.percent and end < len(steps):
            answer = yield Report(percent)
            if answer is not None:
                return after(steps, end - 1, answer)
    answer = yield (CHECK if run.ordinary < len(steps) or not reporting else Report(100))
    if answer is None:
        return None
    if run.ordinary == 0:
        raise answer.error  # There is no step to blame, and nothing to undo.
    return after(steps, run.ordinary - 1, answer)


def _stretch(run: RunState, steps: tuple[PlannedStep, ...]) -> Generator[Any, Any, Failure | None]:
    """Run some steps; this is the hot loop."""
    keep = run.finished.append
    publish = run.context.step_results.append
    observed = run.listener is not None
    for planned in steps:
        if planned.plain and not observed:
            answer = yield planned
            if answer.__class__ is StepResult and answer.success and run.recording is None:
                keep(answer)
                publish(answer)
                continue
        else:
            answer = yield from _perform(run, planned, len(run.finished))
        position = len(run.finished)
        failure = settle(run, planned, answer)
        if observed:
            yield _told(run, planned, position, failure)
        if failure is not None:
            return failure
    return None


def _perform(run: RunState, planned: PlannedStep, position: int) -> Generator[Any, Any, Any]:
    """Ask for everything that belongs to one step; return a StepResult, `Raised` or `NotRun`."""
    run.began = run.clock() if run.listener else 0.0
    run.asking = planned.skippable
    run.context.current_step = planned.name
    if run.listener:
        yield StepStarted(step=planned.name, position=position, origin=planned.origin)
    if planned.skippable:
        answer = yield Call(planned.step.can_skip, (run.context,))
        run.asking = False
        if isinstance(answer, Raised | NotRun):
            return NotRun(answer.error)
        if answer:
            return StepResult(skipped=True)
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
    if isinstance(answer, Raised | NotRun):
        run.leave_behind(attempt)
        return Raised(answer.error)
    return None


def _told(run: RunState, planned: PlannedStep, position: int, failure: Failure | None) -> Any:
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


def close(run: RunState) -> Generator[Any, Any, None]:
    """Run the `always_run` steps; each one, even when another of them fails."""
    last = len(run.plan.steps) - 1
    for position in range(run.ordinary + len(run.closed), last + 1):
        planned = run.plan.steps[position]
        run.current = position
        answer = yield from _perform(run, planned, position)
        failure = settle_closing(run, position, answer)
        if run.listener:
            yield _told(run, planned, position, failure)
        if failure is None and run.failure is None and run.reporting:
            percent = 100 if position == last else run.weights.after(position)
            answer = (yield Report(percent)) if percent > run.percent else None
            failure = None if answer is None else after(run.plan.steps, position, answer)
        if failure is None:
            continue
        if run.failure is None:
            run.failure = final_error(run, failure, "completed")
        elif failure.passes_through:
            run.failure = failure.error
        else:
            run.failure.add_note(f"Step '{planned.name}' failed: {failure.text}")
    run.current = None
