"""The way back: the failing step first, then the executed ones in reverse."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from handrail.engine.commands import UNDO_BEGINS, UNDO_ENDS
from handrail.engine.outcome import Failure, final_error
from handrail.errors import RollbackError, describe
from handrail.events import StepUndone, UndoFailed, UndoStarted

if TYPE_CHECKING:
    from handrail.engine.state import RunState
    from handrail.plan.plan import PlannedStep
    from handrail.steps import StepResult


def undo(
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
        run.failure = final_error(run, failure, outcome)
    else:
        outcome = "interrupted"
        if not failure.passes_through:
            stopped.__cause__ = final_error(run, failure, outcome)
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
    results: Iterable[StepResult] = (run.finished[position],)
    if position in run.leftovers:
        results = (run.finished[position], *reversed(run.leftovers[position]))
    for result in results:
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
