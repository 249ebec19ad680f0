"""Runs the steps of a durable run: each is recorded before it starts, and after it ended.

The end of a step and the start of the next share a commit, so a run of n steps takes n + 2 commits:
one opens the run, one closes it. Events and progress come after the commit.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from handrail.engine.attempt import (
    ask,
    attempt,
    begin_again,
    end_event,
    execute,
    execute_within,
    start_event,
    take_back,
)
from handrail.engine.commands import CHECK, COMMIT, Call, NotRun, Raised, Report
from handrail.engine.log import ValuesLeftError
from handrail.engine.outcome import Failure, after, refuse, settle, stop
from handrail.errors import RefusedError, ResultDataError, StopsResume, describe
from handrail.steps import overrides

if TYPE_CHECKING:
    from handrail.engine.line import Line
    from handrail.plan.plan import PlannedStep
    from handrail.steps import StepResult

NOT_STORED = "result_not_stored"
"""The name of the logged event for a value that cannot be stored."""


def forward_journaled(line: Line) -> Generator[Any, Any, Failure | None]:
    """Run the steps that are left in a line; return the failure, if one comes."""
    run, finished = line.run, line.finished
    ordinary = run.plan.ordinary
    if finished and run.progress.wanted:
        run.progress.reached(run.progress.weights.after(len(finished) - 1))
    while len(finished) < line.stop:
        failure = yield from step_journaled(line, len(finished))
        if failure is not None:
            return failure
    if line.stop < ordinary:
        return None
    answer = yield (CHECK if run.plan.closes or not run.progress.wanted else Report(100))
    return None if answer is None else after(run.plan.steps, ordinary - 1, answer)


def step_journaled(line: Line, position: int) -> Generator[Any, Any, Failure | None]:
    """Run one step and write it, then report it."""
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
    if failure is None:
        failure = yield from _commit(line, planned, position)
    if run.listener and len(line.finished) > position:
        yield end_event(line, planned, position, failure)
    if failure is not None or not run.progress.wanted or position + 1 == len(run.plan.steps):
        return failure
    percent = run.progress.after(position)
    reported = (yield Report(percent)) if percent > run.progress.percent else None
    return None if reported is None else after(run.plan.steps, position, reported)


def begin(line: Line, position: int) -> None:
    """Note that an attempt of the step at `position` is about to begin."""
    assert line.log is not None
    line.run.attempts[position] = line.run.attempts.get(position, 0) + 1
    line.begins(position)
    line.log.started(position, line.run.attempts[position])
    line.begun = position


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
        begin(line, position)
        committed = yield COMMIT
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
            answer = yield attempt(planned, doubt)
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
    return Failure(planned=planned, text=text, error=error, from_position=position)


def _note(line: Line, planned: PlannedStep, position: int) -> Generator[Any, Any, Failure | None]:
    """Note that a step is over, unless its result or the context cannot be stored."""
    assert line.log is not None
    result = line.finished[position]
    problem: BaseException | None = None
    if line.group is not None and not result.skipped:
        problem = line.group.conflict(line, planned)
    if problem is not None:
        pass
    elif result.skipped:
        problem = line.log.skipped(position)
    else:
        problem = line.log.done(position, line.run.attempts[position], result)
        if isinstance(problem, ValuesLeftError):
            problem = yield from note_with_values(line, position, result)
    return None if problem is None else refuse(line, planned, position, problem)


def note_with_values(
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
        begin(line, following)
    committed = yield COMMIT
    if not isinstance(committed, Raised):
        return None
    line.begun = None
    return unwritten(planned, committed)


def unwritten(planned: PlannedStep, answer: Raised) -> Failure:
    """Return the failure of a log that cannot be written: what it says is unknown from then on."""
    text = describe(answer.error)
    return Failure(planned=planned, text=text, error=answer.error, from_position=-1, stands=True)
