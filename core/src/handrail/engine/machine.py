"""One run as a generator: it yields what to do next and is sent how that went.

It calls no user code, reads no clock and starts no thread, so both drivers share it and a test can
play it through with a list of answers. In the loop over plain steps nothing is allocated.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from handrail.engine.commands import CHECK, UNDO_BEGINS, UNDO_ENDS, NotRun, Report
from handrail.engine.rollback import join, salvage
from handrail.errors import RollbackDataError, RollbackError, StepFailedError, describe
from handrail.events import (
    RunFinished,
    RunStarted,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepStarted,
    StepUndone,
    UndoFailed,
    UndoStarted,
)
from handrail.steps import StepResult
from handrail.wrapper import Attempt, Call, Raised, Revert, StepWrapper, interpret, is_layer

if TYPE_CHECKING:
    from handrail.engine.state import RunState
    from handrail.plan.plan import PlannedStep

Machine = Generator[Any, Any, None]


@dataclass(slots=True, kw_only=True)
class Failure:
    """Why a run does not go forward any more.

    Attributes:
        planned: The step it happened in, or before.
        text: What went wrong, for people.
        error: The exception, if there was one.
        from_position: The last position that has to be undone.
    """

    planned: PlannedStep
    text: str
    error: BaseException | None
    from_position: int

    @property
    def passes_through(self) -> bool:
        """Whether the exception is re-raised itself: an interrupt, an exit, a cancellation."""
        return self.error is not None and not isinstance(self.error, Exception)


def play(run: RunState, *, undo: bool = True) -> Machine:
    """Play one run: forward, back if that fails, and the `always_run` steps.

    At the end `run.outcome` and `run.failure` tell how it went.
    """
    started = run.clock() if run.listener else 0.0
    if run.listener:
        names = tuple(planned.name for planned in run.plan.steps)
        yield RunStarted(
            action=run.plan.action,
            run_id=run.run_id,
            fingerprint=run.plan.fingerprint,
            steps=names,
        )
    failure = yield from _forward(run)
    if failure is None:
        run.outcome = "completed"
    elif undo:
        yield from _undo(run, failure)
    else:
        run.outcome = "failed"
        run.failure = _final_error(run, failure)
    if run.outcome in ("completed", "rolled_back", "rollback_incomplete"):
        yield from _close(run)
    if run.listener:
        yield RunFinished(
            action=run.plan.action,
            outcome=run.outcome or "failed",
            took=run.clock() - started,
            steps_executed=executed_steps(run),
            steps_total=len(run.plan.steps),
            error=None if run.failure is None else describe(run.failure),
        )


def abandon(run: RunState, error: BaseException) -> Machine:
    """Undo a run whose `play` was broken off by `error`, raised between two steps by others.

    A signal handler of the program may raise anywhere; the step that was about to be kept counts
    as started.
    """
    steps = run.plan.steps
    position = len(run.finished)
    if run.outcome is not None or run.undoing or not steps:
        run.outcome = run.outcome or "interrupted"
        run.failure = error
        return
    if position < run.ordinary and run.context.current_step == steps[position].name:
        _settle(run, steps[position], Raised(error))
        position += 1
    planned = steps[max(0, position - 1)]
    failure = Failure(
        planned=planned, text=describe(error), error=error, from_position=position - 1
    )
    yield from _undo(run, failure)
    yield from _close(run)


def executed_steps(run: RunState) -> int:
    """Return how many steps succeeded without being skipped."""
    results = [*run.finished, *run.closed.values()]
    return sum(result.success and not result.skipped for result in results)


def _forward(run: RunState) -> Generator[Any, Any, Failure | None]:
    steps = run.plan.steps
    keep = run.finished.append
    publish = run.context.step_results.append
    reporting = run.reporting
    observed = run.listener is not None
    segments = run.weights.segments(run.ordinary) if reporting else [(0, run.ordinary, 0)]
    for first, end, percent in segments:
        for planned in steps if end - first == len(steps) else steps[first:end]:
            if planned.plain and not observed:
                answer = yield planned
                if answer.__class__ is StepResult and answer.success and run.recording is None:
                    keep(answer)
                    publish(answer)
                    continue
            else:
                answer = yield from _perform(run, planned, len(run.finished))
            position = len(run.finished)
            failure = _settle(run, planned, answer)
            if observed:
                yield _told(run, planned, position, failure)
            if failure is not None:
                return failure
        if percent > run.percent and end < len(steps):
            answer = yield Report(percent)
            if answer is not None:
                return _after(steps, end - 1, answer)
    answer = yield (CHECK if run.ordinary < len(steps) or not reporting else Report(100))
    return None if answer is None else _after(steps, run.ordinary - 1, answer)


def _after(steps: tuple[PlannedStep, ...], position: int, answer: Raised) -> Failure:
    """Blame the step at `position` for what happened between it and the next one."""
    if position < 0:
        raise answer.error
    return Failure(
        planned=steps[position],
        text=describe(answer.error),
        error=answer.error,
        from_position=position,
    )


def _perform(run: RunState, planned: PlannedStep, position: int) -> Generator[Any, Any, Any]:
    """Ask for everything that belongs to one step; return a StepResult, `Raised` or `NotRun`."""
    run.began = run.clock() if run.listener else 0.0
    run.context.current_step = planned.name
    if run.listener:
        yield StepStarted(step=planned.name, position=position, origin=planned.origin)
    if planned.skippable:
        answer = yield Call(planned.step.can_skip, (run.context,))
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
    notes = _take_notes(run)
    outcome = command.outcome
    if isinstance(outcome, Raised):
        outcome = StepResult(success=False, error=describe(outcome.error))
    try:
        result = join(outcome, notes)
    except RollbackDataError:
        result = salvage(outcome, notes)
    answer = yield Call(command.step.rollback, (run.context, result))
    return Raised(answer.error) if isinstance(answer, NotRun) else answer


def _take_notes(run: RunState) -> dict[str, list[Any]]:
    recording, run.recording = run.recording, None
    return {} if recording is None else recording.close()


def _settle(run: RunState, planned: PlannedStep, answer: Any) -> Failure | None:
    """Keep the result of a step, and return why the run cannot go on, if it cannot."""
    position = len(run.finished)
    notes = _take_notes(run)
    if isinstance(answer, NotRun) and not isinstance(answer.error, Exception):
        return Failure(
            planned=planned,
            text=describe(answer.error),
            error=answer.error,
            from_position=position - 1,
        )
    error: BaseException | None = None
    started = True
    if isinstance(answer, Raised | NotRun):
        started = isinstance(answer, Raised)
        error = answer.error
        result = StepResult(
            success=False,
            error=describe(error),
            rollback_data={key: list(values) for key, values in notes.items()},
        )
    else:
        result = answer
        try:
            result = join(answer, notes)
        except RollbackDataError as misfit:
            error = misfit
            result = replace(salvage(answer, notes), error=misfit.message)
    run.finished.append(result)
    run.context.step_results.append(result)
    if result.success:
        return None
    return Failure(
        planned=planned,
        text=result.error or "it returned success=False without saying why",
        error=error,
        from_position=position if started else position - 1,
    )


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


def _undo(run: RunState, failure: Failure) -> Generator[Any, Any, None]:
    """Undo the failing step first, then the executed ones in reverse."""
    steps = run.plan.steps
    finished = run.finished
    context = run.context
    listening = run.listener is not None
    yield UNDO_BEGINS
    run.undoing = True
    position = failure.from_position
    stopped: BaseException | None = None
    if listening:
        names = tuple(
            steps[position].name
            for position in range(failure.from_position, -1, -1)
            if steps[position].undoable and not finished[position].skipped
        )
        yield UndoStarted(cause=failure.text, steps=names)
    for position in range(failure.from_position, -1, -1):
        planned = steps[position]
        result = finished[position]
        if not planned.undoable or result.skipped:
            continue
        began = run.clock() if listening else 0.0
        run.current = position
        run.undo_result = result
        answer = yield planned
        if answer is None:
            if listening:
                yield StepUndone(step=planned.name, took=run.clock() - began)
            continue
        if isinstance(answer.error, KeyboardInterrupt):
            stopped = answer.error
            break
        problem = RollbackError(planned.name, answer.error, origin=planned.origin)
        run.rollback_errors.append(problem)
        context.errors.append(problem.message)
        if listening:
            yield UndoFailed(
                step=planned.name,
                took=run.clock() - began,
                error=describe(answer.error),
                origin=planned.origin,
            )
    run.undoing = False
    run.current = None
    run.undo_result = None
    if stopped is not None:
        run.outcome = "interrupted"
        left = [steps[place].name for place in range(position, -1, -1) if steps[place].undoable]
        stopped.add_note(f"the undo was stopped; not undone: {', '.join(left)}")
        run.failure = stopped
    else:
        run.outcome = "rollback_incomplete" if run.rollback_errors else "rolled_back"
        run.failure = _final_error(run, failure)
    yield UNDO_ENDS


def _final_error(run: RunState, failure: Failure) -> BaseException:
    if failure.passes_through:
        assert failure.error is not None
        for problem in run.rollback_errors:
            failure.error.add_note(problem.message)
        return failure.error
    final = StepFailedError(
        failure.planned.name,
        failure.text,
        origin=failure.planned.origin,
        outcome=run.outcome or "failed",
        rollback_errors=run.rollback_errors,
    )
    final.__cause__ = failure.error
    return final


def _close(run: RunState) -> Generator[Any, Any, None]:
    """Run the `always_run` steps; each one, even when another of them fails."""
    for position in range(run.ordinary, len(run.plan.steps)):
        planned = run.plan.steps[position]
        run.current = position
        answer = yield from _perform(run, planned, position)
        failure = _settle_closing(run, planned, position, answer)
        if run.listener:
            yield _told(run, planned, position, failure)
        if failure is None and run.failure is None and run.reporting:
            last = position + 1 == len(run.plan.steps)
            percent = 100 if last else run.weights.after(position)
            answer = (yield Report(percent)) if percent > run.percent else None
            failure = None if answer is None else _after(run.plan.steps, position, answer)
        if failure is None:
            continue
        if run.failure is None:
            run.failure = _final_error(run, failure)
        else:
            run.failure.add_note(f"Step '{planned.name}' failed: {failure.text}")
        if failure.passes_through:
            run.failure = failure.error
            return
    run.current = None


def _settle_closing(
    run: RunState, planned: PlannedStep, position: int, answer: Any
) -> Failure | None:
    _take_notes(run)
    error = answer.error if isinstance(answer, Raised | NotRun) else None
    result = answer if error is None else StepResult(success=False, error=describe(error))
    run.closed[position] = result
    run.context.step_results.append(result)
    if result.success:
        return None
    text = result.error or "it returned success=False without saying why"
    return Failure(planned=planned, text=text, error=error, from_position=-1)
