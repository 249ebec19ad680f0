"""Goes back to a step whose failed items are tried again: undoes what came after it, in reverse."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from handrail.engine.commands import COMMIT, GoBack, Machine, Raised
from handrail.engine.outcome import Failure, final_error
from handrail.engine.rollback_data import NOT_BEGUN, SKIPPED
from handrail.engine.undo import undo_attempt, undo_order
from handrail.errors import describe
from handrail.events import UndoStarted

if TYPE_CHECKING:
    from handrail.engine.state import RunState

AGAIN = "the failed items of step '{}' are tried again"


def rewind(run: RunState, position: int) -> Generator[Any, Any, bool]:
    """Go back to the step at `position`, which then goes on; return whether that went well.

    If it did not, the run is kept as it is.
    """
    line = run.line
    if line.doubt is not None:
        # It comes later, and is undone like the others.
        line.finished.append(line.doubt)
        line.doubt = None
    run.undoing = True
    errors: list[BaseException] = []
    yield GoBack(_undo_after(run, position, errors))
    run.undoing = False
    line.current, line.undo_result = None, None
    if not errors:
        line.doubt = line.finished[position]
        del line.finished[position:]
        line.context.step_results[:] = [each for each in line.finished if each is not NOT_BEGUN]
        run.closed.clear()
        run.undone.clear()
        run.restore_fields(position + 1)
        assert line.log is not None
        line.log.started(position, run.attempts[position])
        committed = yield COMMIT
        if not isinstance(committed, Raised):
            return True
        errors.append(committed.error)
    error = errors[0]
    interrupted = isinstance(error, run.interruptions)
    run.outcome = "interrupted" if interrupted else "failed"
    planned = run.plan.steps[position]
    failure = Failure(planned=planned, text=describe(error), error=error, from_position=-1)
    run.failure = final_error(run, failure, run.outcome)
    return False


def _undo_after(run: RunState, position: int, errors: list[BaseException]) -> Machine:
    line, log = run.line, run.line.log
    assert log is not None
    order = [each for each in undo_order(run, None, len(line.finished) - 1) if each > position]
    if run.listener:
        names = tuple(run.plan.steps[each].name for each in order if _undoes(run, each))
        yield UndoStarted(cause=AGAIN.format(run.plan.steps[position].name), steps=names)
    for place in reversed(run.closed):
        log.undone(place, run.attempts.get(place, 1))
    for place in order:
        result, attempt = line.finished[place], run.attempts.get(place, 1)
        if result is NOT_BEGUN or place in run.undone:
            continue
        line.current = place
        if not _undoes(run, place):
            log.undone(place, attempt, SKIPPED if result.skipped else None)
            continue
        # So that it is not taken for done if this process ends in the middle of its undo.
        log.undo_failed(place, attempt, "its undo was interrupted")
        committed = yield COMMIT
        if isinstance(committed, Raised):
            errors.append(committed.error)
            return
        planned = run.plan.steps[place]
        answer, stopped = yield from undo_attempt(run, planned, place, attempt, result)
        error = stopped if answer is None else answer.error
        if error is not None:
            errors.append(error)
            return
    committed = yield COMMIT
    if isinstance(committed, Raised):
        errors.append(committed.error)


def _undoes(run: RunState, position: int) -> bool:
    return run.reverts(position) and not run.line.finished[position].skipped
