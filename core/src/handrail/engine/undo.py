"""The way back: the failing step first, then the executed ones in reverse."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from handrail.calls import COMMIT, GoBack, Machine, Raised
from handrail.engine.line import lane_of
from handrail.engine.outcome import Failure, final_error, found_by
from handrail.engine.step import take_back
from handrail.errors import RefusedError, RollbackError, describe
from handrail.events import StepUndone, UndoFailed, UndoStarted
from handrail.rollback_data import ASKED, MAY_HAVE_LEFT, NOT_BEGUN, SKIPPED

if TYPE_CHECKING:
    from handrail.engine.line import Line
    from handrail.engine.state import RunState
    from handrail.plan.plan import PlannedStep
    from handrail.steps import StepResult

AGAIN = "the failed items of step '{}' are tried again"


def undo(
    run: RunState, failure: Failure, *, broken_off_by: BaseException | None = None
) -> Generator[Any, Any, None]:
    """Undo the failing step first, then the executed ones in reverse."""
    line = run.line
    if failure.stands:
        run.outcome, run.failure = "interrupted", failure.error
        return
    if run.undo_cause is None:
        if line.log is not None:
            if not failure.noted and failure.text != ASKED:
                note_failure(line, failure, failure.text)
            if not (run.keeps or run.pauses):
                line.log.turned_back(at_once=failure.text == ASKED)
            committed = yield COMMIT
            if isinstance(committed, Raised):
                # What the journal says is unknown now, so what to undo is left to the next process.
                if failure.text != ASKED:
                    committed.error.__cause__ = final_error(run, failure, "interrupted")
                run.outcome, run.failure = "interrupted", committed.error
                return
        if run.keeps or run.pauses:
            run.failure = final_error(run, failure, "failed")
            run.stopped_by = failure
            run.outcome = None if run.pauses else "failed"
            return
        run.undo_cause = failure
        run.untouched = failure.text == ASKED
    # Where somebody asked for it, no step has failed.
    failed = None if failure.text == ASKED else failure.planned
    order = run.undo_order(failed, failure.from_position)
    if broken_off_by is not None and line.current in order:
        # The step that was being undone is undone again.
        order = order[order.index(line.current) :]
    stopped = broken_off_by if isinstance(broken_off_by, KeyboardInterrupt) else None
    announced, run.undoing = run.undoing, True
    yield GoBack(_walk_back(run, failure, order, stopped, announced=announced))


def _walk_back(
    run: RunState,
    failure: Failure,
    order: Sequence[int],
    stopped: BaseException | None,
    *,
    announced: bool,
) -> Machine:
    """Undo the steps in this order, and keep how that went. This is the other hot loop."""
    line, steps = run.line, run.plan.steps
    if run.listener and not announced:
        names = tuple(steps[place].name for place in _places_to_undo(run, order))
        yield UndoStarted(cause=failure.text, steps=names)
    finished, undone, leftovers = line.finished, run.undone, run.leftovers
    alone = run.listener is None and line.log is None
    mapped = run.mapped.keys() | run.unsure
    plain = alone and not (undone or leftovers or mapped or run.waiting)
    for position in order if stopped is None else ():
        planned, result = steps[position], finished[position]
        facts = planned.facts
        if not (facts.reverts or position in mapped) or result.skipped:
            continue
        if plain and facts.rollback_policy is None:
            line.current = position
            line.undo_result = result
            answer = yield planned
            if answer is None:
                continue
            stopped = _failed(run, planned, answer)
        elif position not in undone or position in leftovers:
            if position in run.waiting:
                run.held_back[planned.name] = run.waiting[position]
                continue
            line.current = position
            stopped = yield from _undo_step(run, planned, position)
        plain = plain and not run.waiting
        if stopped is not None:
            order = order[order.index(position) :]
            break
    if isinstance(stopped, RefusedError):
        yield from _refused(run, failure, steps[order[0]], stopped)
    else:
        _went_back(run, failure, order, stopped)
    _leave_undo(run)


def _refused(
    run: RunState, failure: Failure, planned: PlannedStep, refusal: RefusedError
) -> Generator[Any, Any, None]:
    """Keep that a step refused to be undone; if nothing was undone yet, take the undo back."""
    run.outcome, undone = "rollback_incomplete", "only what came after it was undone"
    if run.untouched and run.line.log is not None:
        run.line.log.turned_forward()
        committed = yield COMMIT
        if isinstance(committed, Raised):
            run.outcome, run.failure = "interrupted", committed.error
            return
        run.outcome, undone = run.before or "interrupted", "nothing was undone"
    if failure.text == ASKED and len(run.rollback_errors) == 1:
        run.failure = found_by(planned, refusal, cannot="be undone now", undone=undone)
    else:
        run.failure = final_error(run, failure, run.outcome)


def _went_back(
    run: RunState, failure: Failure, order: Sequence[int], stopped: BaseException | None
) -> None:
    """Keep how the undo ended: with everything undone, or `stopped` before these steps."""
    if stopped is None:
        _miss(run)
        run.not_undone = (*run.not_undone_within, *_not_undone(run, order))
    else:
        left = ", ".join(run.plan.steps[place].name for place in _places_to_undo(run, order))
        if left:
            stopped.add_note(f"the undo was stopped; not undone: {left}")
    outcome = "rollback_incomplete" if run.rollback_errors else "rolled_back"
    if stopped is None:
        run.failure = final_error(run, failure, outcome)
    else:
        outcome = "interrupted"
        if failure.text != ASKED and not isinstance(failure.error, run.interruptions):
            stopped.__cause__ = final_error(run, failure, outcome)
        run.failure = stopped
    run.outcome = outcome


def _failed(run: RunState, planned: PlannedStep, answer: Raised) -> BaseException | None:
    """Keep why a step could not be undone; return what stops the undo: an interrupt, a refusal."""
    if isinstance(answer.error, KeyboardInterrupt):
        return answer.error
    problem = RollbackError(planned.name, answer.error, origin=planned.origin)
    run.rollback_errors.append(problem)
    run.line.context.errors.append(problem.message)
    if planned.facts.undo_before:
        for position in run.plan.waiting_for(planned.facts.undo_before):
            run.waiting.setdefault(position, planned.name)
    return answer.error if isinstance(answer.error, RefusedError) else None


def _miss(run: RunState) -> None:
    """Count steps that are no longer in the plan as not undone."""
    for name in reversed(run.gone):
        problem = RollbackError(name, LookupError("it is not in the plan any more"))
        run.rollback_errors.append(problem)
        run.line.context.errors.append(problem.message)


def _not_undone(run: RunState, order: Sequence[int]) -> tuple[str, ...]:
    """Return the names of steps that have ended, and have effects that nothing takes back."""
    steps, finished = run.plan.steps, run.line.finished
    known = run.undone | run.unsure
    return tuple(
        [
            steps[place].name
            for place in order
            if (facts := steps[place].facts).effects
            and not (facts.undoable or facts.undoes_items)
            and not (finished[place].skipped or place in known)
        ]
    )


def _places_to_undo(run: RunState, order: Sequence[int]) -> Iterator[int]:
    for position in order:
        if _undoes(run, position) and (position not in run.undone or position in run.leftovers):
            yield position


def _attempts_of(run: RunState, position: int) -> list[tuple[int, StepResult]]:
    """Return the attempts of a step that have to be undone, the last one first."""
    last = (run.attempts.get(position, 1), run.line.finished[position])
    if position not in run.leftovers:
        return [last]
    left = reversed(run.leftovers[position])
    return [*left] if position in run.undone else [last, *left]


def _undo_step(
    run: RunState, planned: PlannedStep, position: int
) -> Generator[Any, Any, BaseException | None]:
    """Undo one step; return what stops the undo, if so: an interrupt, a refusal, or the log."""
    began = run.clock() if run.listener else 0.0
    error: BaseException | None = None
    stopped: BaseException | None = None
    for attempt, result in _attempts_of(run, position):
        answer, stopped = yield from undo_attempt(run, planned, position, attempt, result)
        error = error if answer is None else answer.error
        if stopped is not None:
            break
    if run.listener and (stopped is None or isinstance(stopped, RefusedError)):
        yield _ended(planned, run.clock() - began, error)
    return stopped


def undo_attempt(
    run: RunState, planned: PlannedStep, position: int, attempt: int, result: StepResult
) -> Generator[Any, Any, tuple[Raised | None, BaseException | None]]:
    """Undo one attempt; return the answer of the driver, and what stops the undo, if so."""
    line, log = run.line, run.line.log
    stored = result if log is None else log.stored(result)
    answer = yield from _roll_back(line, planned, position, attempt, stored)
    stopped = None if answer is None else _failed(run, planned, answer)
    if isinstance(stopped, KeyboardInterrupt) or (stopped is not None and run.untouched):
        return answer, stopped
    run.untouched = False
    if log is not None:
        if answer is None:
            log.undone(position, attempt)
        else:
            cause = None if position in run.unsure else answer.error
            log.undo_failed(position, attempt, describe(answer.error), cause)
        committed = yield COMMIT
        if isinstance(committed, Raised):
            return answer, committed.error
    return answer, stopped


def _roll_back(
    line: Line, planned: PlannedStep, position: int, attempt: int, result: StepResult
) -> Generator[Any, Any, Raised | None]:
    line.undo_result = result
    answer: Raised | None = None
    if attempt in line.run.mapped.get(position, ()):
        answer = yield from take_back(line, planned, planned.step, result, attempt)
    elif planned.facts.reverts and planned.facts.rollback_policy is None:
        answer = yield planned
    elif planned.facts.reverts:
        answer = yield from take_back(line, planned, planned.step, result, attempt)
    if answer is None and position in line.run.unsure:
        return Raised(LookupError(MAY_HAVE_LEFT))
    return answer


def _ended(
    planned: PlannedStep, took: float, error: BaseException | None
) -> StepUndone | UndoFailed:
    told: Any = {"step": planned.name, "took": took, **lane_of(planned)}
    if error is None:
        return StepUndone(**told)
    return UndoFailed(error=describe(error), origin=planned.origin, **told)


def note_failure(line: Line, failure: Failure, text: str) -> None:
    """Note which attempt failed, and that the one which had been noted next never began."""
    assert line.log is not None
    position = len(line.finished) - 1
    if position >= 0 and not line.finished[position].success:
        result = line.finished[position]
        if failure.from_position < position:
            # It never began: it could not say whether to skip itself, or skipped itself and left
            # what cannot be stored.
            line.log.failed(position, 0, replace(result, skipped=True), text, failure.error)
        else:
            attempt = line.run.attempts.get(position, 1)
            line.log.failed(position, attempt, result, text, failure.error)
    if line.begun is not None:
        line.log.undone(line.begun, line.run.attempts[line.begun])
        line.begun = None


def _leave_undo(run: RunState) -> None:
    """Leave the undo, however it went."""
    run.undoing = False
    run.line.current = None
    run.line.undo_result = None


# Back to a step whose failed items are tried again, as far as what came after it is undone.


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
    _leave_undo(run)
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
    run.failure = final_error(run, Failure.of(planned, error), run.outcome)
    return False


def _undo_after(run: RunState, position: int, errors: list[BaseException]) -> Machine:
    line, log = run.line, run.line.log
    assert log is not None
    order = [each for each in run.undo_order(None, len(line.finished) - 1) if each > position]
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
