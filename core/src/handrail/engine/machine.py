"""One run as a generator: it yields what to do next and is sent how that went.

It calls no user code, reads no clock and starts no thread, so both drivers share it and a test can
play it through with a list of answers. In the loop over plain steps nothing is allocated.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from handrail.engine.commands import CHECK, UNDO_BEGINS, UNDO_ENDS, NotRun, Report
from handrail.engine.rollback import ended, join, salvage
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
    if run.listener:
        run.opened = run.clock()
        yield RunStarted(
            action=run.plan.action,
            run_id=run.run_id,
            fingerprint=run.plan.fingerprint,
            steps=tuple(planned.name for planned in run.plan.steps),
        )
    failure = yield from _forward(run)
    if failure is None:
        run.outcome = "completed"
    elif undo:
        yield from _undo(run, failure)
    else:
        run.failure = _final_error(run, failure, "failed")
        run.outcome = "failed"
    yield from _end(run)


def _end(run: RunState) -> Generator[Any, Any, None]:
    if run.outcome in ("completed", "rolled_back", "rollback_incomplete"):
        yield from _close(run)
    if run.listener:
        yield RunFinished(
            action=run.plan.action,
            outcome=run.outcome or "failed",
            took=run.clock() - run.opened,
            steps_executed=executed_steps(run),
            steps_total=len(run.plan.steps),
            error=None if run.failure is None else describe(run.failure),
        )


@dataclass(slots=True)
class Doing:
    """What a driver is doing, as far as it matters when it is broken off.

    Attributes:
        command: What it was asked for last.
        called: Whether user code has been entered for that.
        answer: What has come of it, if anything.
    """

    command: Any = None
    called: bool = False
    answer: Any = None


def abandon(run: RunState, error: BaseException, doing: Doing) -> Machine:
    """Go on with a run whose `play` was broken off by `error`, raised outside its steps.

    A signal handler of the program may raise anywhere. Forward, what was done is undone; an undo
    goes on with the step that was being undone; and `always_run` steps still run.
    """
    if run.outcome is not None:
        run.undoing = False
        if run.failure is None:
            run.failure = error
        _settle_broken_off(run, error, doing)
    elif run.fell is not None:
        yield from _undo(run, run.fell, broken_off_by=error)
    else:
        failure = _broken_off(run, error, doing)
        if failure is None:
            run.outcome = "rolled_back"
            run.failure = error
        else:
            yield from _undo(run, failure)
    yield from _end(run)


def _broken_off(run: RunState, error: BaseException, doing: Doing) -> Failure | None:
    steps = run.plan.steps
    position = len(run.finished)
    planned = steps[position] if position < run.ordinary else None
    if planned is not None and not run.asking and run.context.current_step == planned.name:
        # It was about to be kept, and counts as started.
        failure = _settle(run, planned, _outcome_of(planned, error, doing))
        return failure or _after(steps, position, Raised(error))
    return _after(steps, position - 1, Raised(error)) if position else None


def _settle_broken_off(run: RunState, error: BaseException, doing: Doing) -> None:
    """Do not run the `always_run` step again that was being run."""
    position = run.ordinary + len(run.closed)
    if run.current == position and not run.asking:
        outcome = _outcome_of(run.plan.steps[position], error, doing)
        if doing.called or isinstance(outcome, StepResult):
            _settle_closing(run, position, outcome)


def _outcome_of(planned: PlannedStep, error: BaseException, doing: Doing) -> StepResult | Raised:
    command, answer = doing.command, doing.answer
    ours = command is planned or (isinstance(command, Attempt) and command.step is planned.step)
    return answer if ours and isinstance(answer, StepResult) else Raised(error)


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
                return _after(steps, end - 1, answer)
    answer = yield (CHECK if run.ordinary < len(steps) or not reporting else Report(100))
    if answer is None:
        return None
    if run.ordinary == 0:
        raise answer.error  # There is no step to blame, and nothing to undo.
    return _after(steps, run.ordinary - 1, answer)


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
        failure = _settle(run, planned, answer)
        if observed:
            yield _told(run, planned, position, failure)
        if failure is not None:
            return failure
    return None


def _after(steps: tuple[PlannedStep, ...], position: int, answer: Raised) -> Failure:
    """Blame the step at `position` for what happened between it and the next one."""
    return Failure(
        planned=steps[position],
        text=describe(answer.error),
        error=answer.error,
        from_position=position,
    )


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


def _settle(run: RunState, planned: PlannedStep, answer: Any) -> Failure | None:
    """Keep the result of a step, and return why the run cannot go on, if it cannot."""
    position = len(run.finished)
    notes = {} if run.recording is None else run.recording.close()
    error: BaseException | None = None
    started = not isinstance(answer, NotRun)
    if isinstance(answer, Raised | NotRun):
        error = answer.error
        if not started and not isinstance(error, Exception):
            run.recording = None
            return _failure(planned, describe(error), error, position - 1)
        result = ended(Raised(error), notes)
        if not notes and position in run.leftovers:
            # One undo will do for an attempt that could not be undone and was not followed.
            result.rollback_data = run.leftovers[position].pop().rollback_data
    else:
        result = answer
        try:
            result = join(answer, notes)
        except RollbackDataError as misfit:
            error = misfit
            result = replace(salvage(answer, notes), error=misfit.message)
    run.finished.append(result)
    run.recording = None
    run.context.step_results.append(result)
    if result.success:
        return None
    return _failure(planned, _reason(result), error, position if started else position - 1)


def _reason(result: StepResult) -> str:
    return str(result.error or "it returned success=False without saying why")


def _failure(
    planned: PlannedStep, text: str, error: BaseException | None, from_position: int
) -> Failure:
    return Failure(planned=planned, text=text, error=error, from_position=from_position)


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


def _undo(
    run: RunState, failure: Failure, *, broken_off_by: BaseException | None = None
) -> Generator[Any, Any, None]:
    """Undo the failing step first, then the executed ones in reverse."""
    steps = run.plan.steps
    first = failure.from_position
    if run.fell is None:
        run.fell = failure
        run.undoing = True
        yield UNDO_BEGINS
        if run.listener:
            yield UndoStarted(
                cause=failure.text,
                steps=tuple(steps[place].name for place in _places_to_undo(run, first)),
            )
    else:
        # It was broken off: the step that was being undone is undone again.
        yield UNDO_BEGINS
        first = first if run.current is None else run.current
    stopped = broken_off_by if isinstance(broken_off_by, KeyboardInterrupt) else None
    for position in _places_to_undo(run, first):
        run.current = position
        if stopped is None:
            stopped = yield from _undo_step(run, steps[position], position)
        if stopped is not None:
            left = ", ".join(steps[place].name for place in _places_to_undo(run, position))
            stopped.add_note(f"the undo was stopped; not undone: {left}")
            break
    outcome = "rollback_incomplete" if run.rollback_errors else "rolled_back"
    if stopped is None:
        run.failure = _final_error(run, failure, outcome)
    else:
        outcome = "interrupted"
        if not failure.passes_through:
            stopped.__cause__ = _final_error(run, failure, outcome)
        run.failure = stopped
    run.outcome = outcome
    run.undoing = False
    run.current = None
    run.undo_result = None
    yield UNDO_ENDS


def _places_to_undo(run: RunState, first: int) -> Iterator[int]:
    for position in range(first, -1, -1):
        if run.plan.steps[position].reverts and not run.finished[position].skipped:
            yield position


def _undo_step(
    run: RunState, planned: PlannedStep, position: int
) -> Generator[Any, Any, KeyboardInterrupt | None]:
    """Undo one step; return the interrupt that stopped it, if one did."""
    began = run.clock() if run.listener else 0.0
    error: BaseException | None = None
    for result in (run.finished[position], *reversed(run.leftovers.get(position, ()))):
        run.undo_result = result
        answer = yield planned
        if answer is not None:
            if isinstance(answer.error, KeyboardInterrupt):
                return answer.error
            error = cast("BaseException", answer.error)
            problem = RollbackError(planned.name, error, origin=planned.origin)
            run.rollback_errors.append(problem)
            run.context.errors.append(problem.message)
    if run.listener:
        took = run.clock() - began
        if error is None:
            yield StepUndone(step=planned.name, took=took)
        else:
            yield UndoFailed(
                step=planned.name, took=took, error=describe(error), origin=planned.origin
            )
    return None


def _final_error(run: RunState, failure: Failure, outcome: str) -> BaseException:
    if failure.passes_through:
        assert failure.error is not None
        for problem in run.rollback_errors:
            failure.error.add_note(problem.message)
        return failure.error
    final = StepFailedError(
        failure.planned.name,
        failure.text,
        origin=failure.planned.origin,
        outcome=outcome,
        rollback_errors=run.rollback_errors,
    )
    final.__cause__ = failure.error
    return final


def _close(run: RunState) -> Generator[Any, Any, None]:
    """Run the `always_run` steps; each one, even when another of them fails."""
    last = len(run.plan.steps) - 1
    for position in range(run.ordinary + len(run.closed), last + 1):
        planned = run.plan.steps[position]
        run.current = position
        answer = yield from _perform(run, planned, position)
        failure = _settle_closing(run, position, answer)
        if run.listener:
            yield _told(run, planned, position, failure)
        if failure is None and run.failure is None and run.reporting:
            percent = 100 if position == last else run.weights.after(position)
            answer = (yield Report(percent)) if percent > run.percent else None
            failure = None if answer is None else _after(run.plan.steps, position, answer)
        if failure is None:
            continue
        if run.failure is None:
            run.failure = _final_error(run, failure, "completed")
        elif failure.passes_through:
            run.failure = failure.error
        else:
            run.failure.add_note(f"Step '{planned.name}' failed: {failure.text}")
    run.current = None


def _settle_closing(run: RunState, position: int, answer: Any) -> Failure | None:
    result: Any = answer
    error: BaseException | None = None
    if isinstance(answer, Raised | NotRun):
        error = answer.error
        result = Raised(error)
    result = run.end_attempt(result)
    run.closed[position] = result
    run.context.step_results.append(result)
    if result.success:
        return None
    return _failure(run.plan.steps[position], _reason(result), error, -1)
