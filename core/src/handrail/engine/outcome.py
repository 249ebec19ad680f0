"""Keeps the result of a step, or returns the failure that ends the way forward."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from handrail.calls import NotRun, Raised
from handrail.errors import RollbackDataError, StepFailedError, StopsResume, describe
from handrail.frozen import record
from handrail.rollback_data import ended, failed, join, salvage
from handrail.steps import StepResult

if TYPE_CHECKING:
    from handrail.engine.line import Line
    from handrail.engine.state import RunState
    from handrail.plan.plan import PlannedStep


@record
class Failure:
    """The reason why a run does not continue forward.

    Attributes:
        planned: The step in or before which it happened.
        text: The error, for people.
        error: The exception, if there was one.
        from_position: The last position to undo.
        stands: Whether the run stops without noting or undoing anything: a step cannot go on now,
            or the log has failed, so that what it says is unknown.
        also: What else went wrong: steps of a group that failed after the first one.
        noted: Whether the log has noted what failed, in a group.
    """

    planned: PlannedStep
    text: str
    error: BaseException | None
    from_position: int
    stands: bool = False
    also: tuple[str, ...] = ()
    noted: bool = False

    @classmethod
    def of(
        cls,
        planned: PlannedStep,
        error: BaseException,
        from_position: int = -1,
        *,
        stands: bool = False,
    ) -> Failure:
        """Return the failure of a step because of an error."""
        return cls(planned, describe(error), error, from_position, stands)


@record
class Doing:
    """The last command of a driver that was broken off.

    Attributes:
        command: The command.
        called: Whether user code has been entered for it.
        answer: The answer, if there is one.
    """

    command: Any = None
    called: bool = False
    answer: Any = None


def settle(line: Line, planned: PlannedStep, answer: Any) -> Failure | None:
    """Keep the result of a step, and return why the run cannot continue, if so."""
    position = len(line.finished)
    notes = {} if line.recording is None else line.recording.close()
    error: BaseException | None = None
    started = not isinstance(answer, NotRun)
    if isinstance(answer, Raised | NotRun):
        error = answer.error
        if not started and isinstance(error, line.run.interruptions):
            line.recording = None
            return Failure.of(planned, error, position - 1)
        outcome = failed(error)
        if isinstance(answer, Raised) and answer.left:
            outcome = replace(outcome, rollback_data=answer.left)
        if notes and line.log is not None:
            outcome = line.log.stored(outcome)
        result = ended(outcome, notes)
        if not notes and position in line.run.leftovers and line.log is None:
            # One undo will do for an attempt that could not be undone and was not followed.
            result.rollback_data = line.run.leftovers[position].pop()[1].rollback_data
    else:
        # Recorded values are in their stored form; equal ones are joined.
        returned = line.log.stored(answer) if notes and line.log is not None else answer
        try:
            result = join(returned, notes)
        except RollbackDataError as misfit:
            error = misfit
            result = replace(salvage(returned, notes), error=misfit.message)
    line.finished.append(result)
    line.recording = None
    line.context.step_results.append(result)
    if result.success:
        return None
    return Failure(planned, _reason(result), error, position if started else position - 1)


def _reason(result: StepResult) -> str:
    return str(result.error or "it returned success=False without saying why")


def refuse(line: Line, planned: PlannedStep, position: int, problem: BaseException) -> Failure:
    """Make a success that cannot be kept a failure, because of `problem`; return it."""
    result = line.finished[position]
    failed = replace(result, success=False, error=describe(problem))
    line.finished[position] = line.context.step_results[-1] = failed
    # A skipped step has nothing to undo.
    last = position - 1 if result.skipped else position
    return Failure.of(planned, problem, last)


def after(steps: tuple[PlannedStep, ...], position: int, answer: Raised) -> Failure:
    """Return a failure of the step at `position`, for an error between it and the next."""
    return Failure.of(steps[position], answer.error, position)


def stop(line: Line, planned: PlannedStep, error: StopsResume) -> Failure:
    """End the running attempt without an undo, because the step cannot go on now."""
    if line.recording is not None:
        line.recording.close()
        line.recording = None
    return Failure.of(planned, found_by(planned, error), stands=True)


def found_by(
    planned: PlannedStep,
    error: StopsResume,
    *,
    cannot: str = "go on",
    undone: str = "nothing was undone",
) -> StopsResume:
    """Add to an error the step that raised it, and its origin; return the error.

    Args:
        planned: The step.
        error: The error.
        cannot: What the step cannot do.
        undone: What was undone.
    """
    if error.step is None:
        error.step, error.origin = planned.name, error.origin or planned.origin
        error.message = f"step '{planned.name}' cannot {cannot}: {describe(error)}; {undone}"
        error.args = (error.message,)
    return error


def settle_closing(line: Line, position: int, answer: Any) -> Failure | None:
    """Keep the result of an `always_run` step, and return its failure, if any."""
    result: Any = answer
    error: BaseException | None = None
    if isinstance(answer, Raised | NotRun):
        error = answer.error
        result = failed(error)
    result = line.end_attempt(result)
    line.run.closed[position] = result
    line.context.step_results.append(result)
    if result.success:
        return None
    return Failure(line.run.plan.steps[position], _reason(result), error, -1)


def final_error(run: RunState, failure: Failure, outcome: str) -> BaseException:
    """Return the exception that is raised for `failure` at the end of the run."""
    waiting = [
        f"Step '{step}' was not undone: it waits for the undo of '{other}'"
        for step, other in run.held_back.items()
    ]
    if isinstance(failure.error, run.interruptions):
        problems = (problem.message for problem in run.rollback_errors)
        for note in (*failure.also, *problems, *waiting):
            failure.error.add_note(note)
        return failure.error
    error = StepFailedError(
        failure.planned.name,
        failure.text,
        origin=failure.planned.origin,
        outcome=outcome,
        rollback_errors=run.rollback_errors,
        held_back=run.held_back,
        cause=failure.error,
    )
    for note in (*failure.also, *waiting):
        error.add_note(note)
    return error


def outcome_of(planned: PlannedStep, error: BaseException, doing: Doing) -> StepResult | Raised:
    """Return the outcome of a step that was about to be kept."""
    command, answer = doing.command, doing.answer
    ours = command is planned or getattr(command, "step", None) is planned.step
    return answer if ours and isinstance(answer, StepResult) else Raised(error)
