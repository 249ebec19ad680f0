"""The end of a run: the `always_run` steps, and the outcome in the log and in an event."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import chain
from typing import TYPE_CHECKING, Any

from handrail.calls import COMMIT, Call, Machine, Raised, Report
from handrail.engine.outcome import Failure, after, final_error, settle_closing
from handrail.engine.step import ask, end_event, execute, note_success, unwritten
from handrail.entry import innermost
from handrail.errors import StepFailedError, describe
from handrail.events import RunFinished
from handrail.rollback_data import ASKED
from handrail.steps import StepResult

if TYPE_CHECKING:
    from handrail.engine.line import Line
    from handrail.engine.state import RunState
    from handrail.plan.plan import PlannedStep


EXECUTED = "steps_executed"
"""In the data of a step that makes a run: how many steps that has executed."""


def end(run: RunState) -> Machine:
    """Close its parts that have paused, run the `always_run` steps, and write the outcome."""
    if run.outcome == "completed" and run.plan.inner:
        yield from _close_parts(run)
    if run.outcome in ("completed", "rolled_back", "rollback_incomplete"):
        yield from close(run)
    yield from write_end(run)


def write_end(run: RunState) -> Machine:
    """Write the outcome of a run, and report its end."""
    log = run.line.log
    if log is not None and run.outcome is not None and run.outcome != "interrupted":
        log.closed(run.outcome)
        committed = yield COMMIT
        if isinstance(committed, Raised):
            _unwritten(run, committed.error)
    if run.listener:
        yield RunFinished(
            action=run.plan.action,
            outcome=run.outcome or "failed",
            took=run.clock() - run.opened,
            steps_executed=executed_steps(run),
            steps_total=run.plan.size,
            error=_wrong(run.failure),
            not_undone=run.not_undone,
        )


def _wrong(failure: BaseException | None) -> str | None:
    """Return the error of a run as text; a requested undo is none."""
    asked = isinstance(failure, StepFailedError) and failure.error == ASKED
    return None if failure is None or asked else describe(failure)


def executed_steps(run: RunState) -> int:
    """Return the number of steps that succeeded without being skipped."""
    executed = 0
    for result in chain(run.line.finished, run.closed.values()):
        if result.success and not result.skipped:
            executed += 1
    return executed + (_executed_within(run) if run.plan.inner else 0)


def _executed_within(run: RunState) -> int:
    """Return how many more steps it is if those of runs count in the place of what makes them."""
    within: Iterable[int] = (
        result.data.get(EXECUTED, 0) - 1
        for position, result in enumerate(run.line.finished)
        if run.plan.steps[position].inner is not None and result.success and not result.skipped
    )
    return run.closed_within + sum(within)


def _close_parts(run: RunState) -> Machine:
    """Close the runs of its steps; each one, even when a step in another of them fails.

    If one cannot be closed, the run stays open, as interrupted.
    """
    line = run.line
    for position, planned in enumerate(run.plan.steps[: run.plan.ordinary]):
        if planned.inner is None or line.finished[position].skipped:
            continue
        step: Any = innermost(planned.step)
        line.current, line.context.current_step = position, planned.name
        answer = yield Call(step.close, (line.context,))
        if not isinstance(answer, Raised):
            run.closed_within += answer
        elif isinstance(answer.error, (StepFailedError, *run.interruptions)):
            _keep(run, planned, after(run.plan.steps, position, answer))
        else:
            _unwritten(run, answer.error)
            return
    line.current = None
    if run.plan.ordinary == len(run.plan.steps) and run.failure is None and run.progress.wanted:
        yield Report(100)


def close(run: RunState) -> Machine:
    """Run the `always_run` steps; each one, even when another of them fails.

    If the log cannot take all of it, the run stays open, as interrupted.
    """
    line, last = run.line, len(run.plan.steps) - 1
    for position in range(run.plan.ordinary, last + 1):
        if position in run.closed:
            continue
        planned = run.plan.steps[position]
        line.current = position
        failure = yield from _perform(line, planned, position)
        if failure is not None and failure.stands:
            assert failure.error is not None
            _unwritten(run, failure.error)
            return
        if run.listener:
            yield end_event(line, planned, position, failure)
        if failure is None and run.failure is None and run.progress.wanted:
            percent = 100 if position == last else run.plan.weights.after(position)
            answer = (yield Report(percent)) if percent > run.progress.percent else None
            failure = None if answer is None else after(run.plan.steps, position, answer)
        if failure is not None:
            _keep(run, planned, failure)
    line.current = None


def _keep(run: RunState, planned: PlannedStep, failure: Failure) -> None:
    if run.failure is None:
        run.failure = final_error(run, failure, "completed")
    elif isinstance(failure.error, run.interruptions):
        run.failure = failure.error
    else:
        run.failure.add_note(f"Step '{planned.name}' failed: {failure.text}")


def _perform(
    line: Line, planned: PlannedStep, position: int
) -> Generator[Any, Any, Failure | None]:
    # An interrupted step is executed again without another `can_skip`.
    interrupted = line.run.attempts.get(position, 0) > 0
    answer = yield from ask(line, planned, position, asks=not interrupted)
    if line.log is not None and not isinstance(answer, StepResult):  # It is not skipped.
        line.begins(position)
        committed = yield COMMIT
        if isinstance(committed, Raised):
            return unwritten(planned, committed)
        line.begun = None
    if answer is None:
        answer = yield from execute(line, planned)
    failure = settle_closing(line, position, answer)
    if line.log is None:
        return failure
    failure = yield from _note(line, position, failure)
    committed = yield COMMIT
    return unwritten(planned, committed) if isinstance(committed, Raised) else failure


def _note(
    line: Line, position: int, failure: Failure | None
) -> Generator[Any, Any, Failure | None]:
    """Note how an `always_run` step ended; return why it failed, if it did."""
    assert line.log is not None
    result, attempt = line.run.closed[position], line.run.attempts.get(position, 1)
    if failure is not None:
        line.log.failed(position, attempt, result, failure.text, failure.error)
        return failure
    problem = yield from note_success(line, position, result)
    if problem is not None:
        failure = after(line.run.plan.steps, position, Raised(problem))
        line.log.failed(position, attempt, result, failure.text)
    return failure


def _unwritten(run: RunState, error: BaseException) -> None:
    """Keep the error of the log; the run stays open, and `resume` closes it."""
    run.line.current = None
    if run.failure is not None and run.failure is not error:
        error.__cause__ = run.failure
    run.failure = error
    run.outcome = "interrupted"
