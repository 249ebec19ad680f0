"""Continues a run that was broken off by an error from outside its steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handrail.engine.commands import Machine, Raised
from handrail.engine.finalize import end
from handrail.engine.outcome import Failure, after, settle, settle_closing
from handrail.engine.undo import undo
from handrail.frozen import record
from handrail.steps import StepResult

if TYPE_CHECKING:
    from handrail.engine.state import RunState
    from handrail.plan.plan import PlannedStep


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


def abandon(run: RunState, error: BaseException, doing: Doing) -> Machine:
    """Continue a run whose `play` was broken off by `error`, raised outside its steps.

    A signal handler of the program may raise anywhere. A forward run is undone; an undo continues
    with the step that was being undone; and `always_run` steps still run.
    """
    if run.outcome is not None:
        run.undoing = False
        if run.failure is None:
            run.failure = error
        _settle_broken_off(run, error, doing)
    elif run.undo_cause is not None:
        yield from undo(run, run.undo_cause, broken_off_by=error)
    else:
        failure = _broken_off(run, error, doing)
        if failure is None:
            run.outcome = "rolled_back"
            run.failure = error
        else:
            yield from undo(run, failure)
    yield from end(run)


def _broken_off(run: RunState, error: BaseException, doing: Doing) -> Failure | None:
    line, steps = run.line, run.plan.steps
    if run.group is not None:
        run.group.interrupt(error)
        return run.group.close()
    position = len(line.finished)
    planned = steps[position] if position < run.plan.ordinary else None
    if planned is not None and not line.asking and line.context.current_step == planned.name:
        # It was about to be kept, and counts as started.
        failure = settle(line, planned, outcome_of(planned, error, doing))
        return failure or after(steps, position, Raised(error))
    return after(steps, position - 1, Raised(error)) if position else None


def _settle_broken_off(run: RunState, error: BaseException, doing: Doing) -> None:
    """Do not run the `always_run` step again that was being run."""
    line = run.line
    position = line.current
    if position is not None and position >= run.plan.ordinary and not line.asking:
        if position in run.closed:
            return
        outcome = outcome_of(run.plan.steps[position], error, doing)
        if doing.called or isinstance(outcome, StepResult):
            settle_closing(line, position, outcome)


def outcome_of(planned: PlannedStep, error: BaseException, doing: Doing) -> StepResult | Raised:
    """Return the outcome of a step that was about to be kept."""
    command, answer = doing.command, doing.answer
    ours = command is planned or getattr(command, "step", None) is planned.step
    return answer if ours and isinstance(answer, StepResult) else Raised(error)
