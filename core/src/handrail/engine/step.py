"""Plays one step: asks whether it can be skipped, and executes it through its layers.

In a durable run it is recorded before it starts, and after it ended. The end of a step and the
start of the next share a commit, so a run of n steps takes n + 2 commits: one opens the run, one
closes it. Events and progress come after the commit.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

from handrail.calls import COMMIT, Call, NotRun, Pause, Raised, Report, Revert, attempt
from handrail.engine.line import lane_of
from handrail.engine.log import ValuesLeftError
from handrail.engine.outcome import Failure, after, refuse, settle, stop
from handrail.errors import RefusedError, ResultDataError, StopsResume, describe
from handrail.events import StatusChanged, StepFailed, StepFinished, StepSkipped, StepStarted
from handrail.limits import Limits
from handrail.steps import StepResult, overrides
from handrail.wrapper import Layers, is_layer

if TYPE_CHECKING:
    from handrail.engine.line import Line
    from handrail.plan.plan import PlannedStep
    from handrail.steps import BaseStep
    from handrail.wrapper import StepWrapper

NOT_STORED = "result_not_stored"
"""The name of the logged event for a value that cannot be stored."""


def play_step(line: Line, position: int) -> Generator[Any, Any, Failure | None]:
    """Run one step and write it, if the run is durable; then report it."""
    run = line.run
    planned = run.plan.steps[position]
    if line.begun == position and not planned.facts.skippable and not run.listener:
        # Most steps: there is nothing to ask, and the end of the one before has begun this one.
        line.context.current_step = planned.name
        line.begun = None
        plain = planned.facts.plain
        answer = (yield planned) if plain else (yield from execute_within(line, planned))
    else:
        answer = yield from _play(line, planned, position)
    failure = answer if isinstance(answer, Failure) else settle(line, planned, answer)
    if isinstance(answer, NotRun) and position in run.attempts:
        line.begun = position
    if failure is None:
        failure = yield from _note(line, planned, position)
    if failure is None and line.log is not None:
        failure = yield from _commit(line, planned, position)
    if run.listener and len(line.finished) > position:
        yield end_event(line, planned, position, failure)
    if failure is not None or not run.progress.wanted or position + 1 == len(run.plan.steps):
        return failure
    percent = run.progress.after(position)
    reported = (yield Report(percent)) if percent > run.progress.percent else None
    return None if reported is None else after(run.plan.steps, position, reported)


def _play(line: Line, planned: PlannedStep, position: int) -> Generator[Any, Any, Any]:
    """Return the StepResult, `Raised` or `NotRun` of a step, or a failure."""
    doubt, line.doubt = line.doubt, None
    if doubt is not None:
        return (yield from _go_on(line, planned, position, doubt))
    # A step that was started before is not asked again.
    skipped = yield from ask(line, planned, position, asks=not line.run.attempts.get(position))
    if skipped is not None:
        return skipped
    if line.begun != position:
        line.begins(position)
        committed = (yield COMMIT) if line.log is not None else None
        if isinstance(committed, Raised):
            return unwritten(planned, committed)
    line.begun = None
    return (yield from execute(line, planned))


def _go_on(line: Line, planned: PlannedStep, position: int, doubt: Any) -> Generator[Any, Any, Any]:
    """Continue an attempt of another process: with the step's `resume`, or with a new attempt."""
    line.began = line.run.clock() if line.run.listener else 0.0
    line.context.current_step = planned.name
    if line.run.listener:
        yield start_event(planned, position)
    number = line.run.attempts[position]
    has_items = number in line.run.mapped.get(position, ())
    goes_on = overrides(planned.step, "resume") or (has_items and not doubt.rollback_data)
    if goes_on and position not in line.run.taken_back:
        line.go_on_recording(doubt.rollback_data)
        if overrides(planned.step, "resume"):
            answer = yield attempt(planned.step, line.context, doubt, watched(planned))
        else:
            # All that it has done is in the accounts of its items, so it finds what is left.
            answer = yield from execute(line, planned)
        if isinstance(answer, Raised) and isinstance(answer.error, StopsResume):
            line.doubt = doubt
            return stop(line, planned, answer.error)
        if isinstance(answer, NotRun):
            line.recording = None
            return _left_in_doubt(line, planned, position, doubt, answer.error)
        line.run.unsure.discard(position)
        return answer
    line.run.unsure.discard(position)  # It runs again.
    if line.run.reverts(position):
        line.asking = True
        answer = yield from take_back(line, planned, planned.step, doubt, number)
        line.asking = False
        if answer is not None and isinstance(answer.error, RefusedError):
            line.doubt = doubt
            return stop(line, planned, answer.error)
        if answer is not None:
            return _left_in_doubt(line, planned, position, doubt, answer.error)
    committed = yield from begin_again(line, position, None)
    if isinstance(committed, Raised):
        return unwritten(planned, committed)
    return (yield from execute(line, planned))


def _left_in_doubt(
    line: Line, planned: PlannedStep, position: int, doubt: StepResult, error: BaseException
) -> Failure:
    """Return the failure of a step whose attempt in another process still has to be undone."""
    line.finished.append(doubt)
    line.context.step_results.append(doubt)
    text = f"what was begun could not be undone: {describe(error)}"
    return Failure(planned, text, error, position)


def _note(line: Line, planned: PlannedStep, position: int) -> Generator[Any, Any, Failure | None]:
    """Note that a step is over, unless its result or the context cannot be kept."""
    result = line.finished[position]
    problem: BaseException | None = None
    if line.group is not None and not result.skipped:
        problem = line.group.conflict(line, planned)
    if problem is None and line.log is not None:
        problem = yield from note_success(line, position, result)
    return None if problem is None else refuse(line, planned, position, problem)


def note_success(
    line: Line, position: int, result: StepResult
) -> Generator[Any, Any, BaseException | None]:
    """Note in the log that a step has ended well or was skipped; return why that cannot be."""
    assert line.log is not None
    if result.skipped:
        return line.log.skipped(position)
    problem: BaseException | None = line.log.done(position, line.run.attempts[position], result)
    if isinstance(problem, ValuesLeftError):
        problem = yield from _note_with_values(line, position, result)
    return problem


def _note_with_values(
    line: Line, position: int, result: StepResult
) -> Generator[Any, Any, BaseException | None]:
    """Store the values of a result that JSON lacks, and note that its step is over.

    Those that cannot be stored are reported, unless that is an error.
    """
    assert line.log is not None
    told = yield Call(line.log.store_values, (position, result))
    if isinstance(told, Raised | NotRun):
        return told.error
    facts = line.run.plan.steps[position].facts
    resumable = facts.restorable or not facts.effects
    for text, then in told:
        if line.run.strict_results:
            return ResultDataError(text)
        data = {"summary": f"{text}; {then}", "resumable": resumable}
        logged = yield Call(line.context.log, (NOT_STORED, data), inline=True)
        if isinstance(logged, Raised | NotRun) and not isinstance(logged.error, Exception):
            return logged.error
    return line.log.done(position, line.run.attempts[position], result)


def _commit(line: Line, planned: PlannedStep, position: int) -> Generator[Any, Any, Failure | None]:
    """Commit the end of a step, and with it the beginning of the next one."""
    plan, following = line.run.plan, position + 1
    # A step with `can_skip` is asked only after all before it is durable.
    if following < line.stop and not plan.steps[following].facts.skippable:
        line.begins(following)
    committed = yield COMMIT
    if not isinstance(committed, Raised):
        return None
    line.begun = None
    return unwritten(planned, committed)


def unwritten(planned: PlannedStep, answer: Raised) -> Failure:
    """Return the failure of a log that cannot be written: what it says is unknown from then on."""
    return Failure.of(planned, answer.error, stands=True)


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
        return (yield planned)
    return (yield from execute_within(line, planned))


def execute_within(line: Line, planned: PlannedStep) -> Generator[Any, Any, Any]:
    """Ask for the execution of a step through its layers, and within its limits.

    Return a StepResult, `Raised`, or `NotRun`.
    """
    line.context.current_step = planned.name
    step, limits = planned.step, planned.facts.limits
    if limits is not None and not is_layer(step):
        return (yield attempt(step, line.context, limits=watched(planned)))
    layers = Layers(cast("StepWrapper[Any]", step), line.context, watched(planned), line.log)
    answer = yield layers
    while type(answer) is Revert:
        layers.answer = yield from _end_attempt(line, answer)
        answer = yield layers
        if isinstance(answer, NotRun):
            answer = Raised(answer.error)
    return answer


def watched(planned: PlannedStep) -> Limits | None:
    """Return the limits of a step that its driver has to watch."""
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
    call.limits = None if timeout is None else Limits(timeout=timeout)
    retries = 0 if policy is None else policy.retries
    for number in range(1, retries + 2):
        if line.log is not None and line.log.broken is not None:
            return Raised(line.log.broken)
        line.context.current_step = planned.name
        answer = yield call
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
            **lane_of(planned),
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
    line.begins(position)
    line.begun = None
    return (yield COMMIT)


def start_event(planned: PlannedStep, position: int) -> StepStarted:
    """Return the event that a step begins, as its first attempt or as one that is resumed."""
    limits = planned.facts.limits
    return StepStarted(
        step=planned.name,
        position=position,
        origin=planned.origin,
        timeout=None if limits is None else limits.timeout,
        **lane_of(planned),
    )


def end_event(line: Line, planned: PlannedStep, position: int, failure: Failure | None) -> Any:
    """Return the event for the end of a step."""
    took = line.run.clock() - line.began
    result = line.result_at(position)
    lane = lane_of(planned)
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
