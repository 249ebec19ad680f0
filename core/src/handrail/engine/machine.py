"""One run as a generator: it yields the next command and is sent the answer.

It calls no user code, reads no clock and starts no thread, so both drivers share it and a test can
play it with a list of answers. The loop over plain steps allocates nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail.engine.attempt import end_event, execute_within, perform, skipped
from handrail.engine.commands import CHECK, Call, Machine, NotRun, Raised, Report
from handrail.engine.finalize import end, write_end
from handrail.engine.forward_journaled import forward_journaled
from handrail.engine.group import GroupRun, forward_with_groups
from handrail.engine.guard import checked
from handrail.engine.outcome import Failure, after, final_error, found_by, settle
from handrail.engine.rewind import rewind
from handrail.engine.rollback_data import ASKED
from handrail.engine.undo import undo as go_back
from handrail.errors import (
    RestoreError,
    ResultMissingError,
    SourceChangedError,
    StopsResume,
    describe,
)
from handrail.events import MessageLogged, RunStarted
from handrail.steps import StepResult

if TYPE_CHECKING:
    from handrail.engine.group import Forward
    from handrail.engine.line import Line
    from handrail.engine.state import Missing, RunState
    from handrail.plan.plan import PlannedStep


def play(run: RunState) -> Machine:
    """Play one run: forward, back if that fails, and the `always_run` steps.

    At the end `run.outcome` and `run.failure` are set.
    """
    if run.listener:
        run.opened = run.clock()
        yield start_event(run)
        run.announced()
    line = run.line
    failure = yield from _way_forward(line, _forward if line.log is None else forward_journaled)
    if failure is not None:
        yield from go_back(run, failure)
    elif not run.pauses:
        run.outcome = "completed"
    yield from end(run)


def close_paused(run: RunState) -> Machine:
    """End a run that has paused after its last ordinary step, as its parent ends well."""
    run.pauses, run.outcome = False, "completed"
    yield from end(run)


def undo_paused(run: RunState) -> Machine:
    """Undo a run that has paused, with its `always_run` steps."""
    last, failure = len(run.line.finished) - 1, run.stopped_by
    run.pauses = run.keeps = False
    run.outcome = run.failure = None
    if failure is None:
        planned = run.plan.steps[max(last, 0)]
        failure = Failure(planned=planned, text=ASKED, error=None, from_position=last)
    else:
        failure.noted = True
    yield from go_back(run, failure)
    yield from end(run)


def _way_forward(line: Line, forward: Forward) -> Generator[Any, Any, Failure | None]:
    """Return the generator that runs the ordinary steps."""
    if not line.run.plan.groups:
        return forward(line)
    return forward_with_groups(line, forward)


def play_on(run: RunState, failure: Failure | None) -> Machine:
    """Continue a run of another process: forward, or back because of `failure`.

    First every finished step restores its transient values; if that fails, nothing is changed.
    """
    if run.listener:
        run.opened = run.clock()
        yield start_event(run)
        run.announced()
    # `always_run` steps close a success: once one began, the run can no longer turn back.
    closing = run.sealed is not None or run.closing
    forward = failure is None and (run.back_to is not None or not closing)
    line = run.line
    broken = yield from restore(
        _lines_of(run),
        reads=forward and (run.back_to is not None or len(line.finished) < run.plan.ordinary),
    )
    if broken is None and run.back_to is not None:
        went = yield from rewind(run, run.back_to)
        if not went:
            yield from write_end(run)
            return
    if broken is None and forward:
        failure = yield from _way_forward(line, forward_journaled)
        broken = failure.error if failure is not None and failure.stands else None
    if broken is not None:
        # Nothing was changed, so it has its former outcome, such as kept or completed.
        run.outcome = run.before or "interrupted"
        run.failure = broken
        yield from write_end(run)
        return
    if failure is None:
        if run.pauses:
            return
        run.outcome = "completed"
        _recall_closing(run)
    else:
        yield from go_back(run, failure)
        if run.outcome == "completed":
            # A step refused to be undone, so the run stays as it was.
            yield from write_end(run)
            return
    yield from end(run)


def _recall_closing(run: RunState) -> None:
    """Blame an `always_run` step that failed before this process went on."""
    for position, result in run.closed.items():
        if not result.success and run.failure is None:
            planned, text = run.plan.steps[position], str(result.error)
            blamed = Failure(planned=planned, text=text, error=None, from_position=-1)
            run.failure = final_error(run, blamed, "completed")


def _lines_of(run: RunState) -> Iterator[tuple[Line, int]]:
    """Yield the lines of a resumed run, each with its first position."""
    yield run.line, 0
    if run.resumed:
        # Not before the steps ahead of it have restored what its lanes share.
        group = run.plan.group_at(len(run.line.finished))
        run.group = GroupRun(run.line, group)
        for lane, positions in zip(run.group.lanes, group.lanes, strict=True):
            yield lane.line, positions.start


def restore(
    lines: Iterable[tuple[Line, int]], *, reads: bool
) -> Generator[Any, Any, BaseException | None]:
    """Let the finished steps restore transient values; return why the run cannot continue, if so.

    Args:
        lines: Their lines, each with its first position.
        reads: Whether steps remain that may read those values.
    """
    for line, first in lines:
        broken = yield from _restore(line, first, reads=reads)
        if broken is not None:
            return broken
    return None


def _restore(line: Line, first: int, *, reads: bool) -> Generator[Any, Any, BaseException | None]:
    """Let the finished steps of one line from `first` on restore transient values."""
    run = line.run
    for position, result in enumerate(line.finished[first:], first):
        planned = run.plan.steps[position]
        missing = run.missing.get(position) if run.missing else None
        if not planned.facts.restorable and missing is None:
            continue
        if result.skipped or not result.success or position in run.undone:
            continue
        if planned.facts.restorable:
            answer = yield from _call_restore(line, position)
            if isinstance(answer, Raised | NotRun):
                if reads or not isinstance(answer.error, SourceChangedError):
                    return _not_restored(run, planned, answer.error)
                if run.listener:
                    summary = f"ignored for the undo: {describe(answer.error)}"
                    yield _logged(planned, "source_changed", summary)
        if missing is not None and reads:
            broken = yield from _fill_in(line, position, missing)
            if broken is not None:
                return broken
    return None


def _call_restore(line: Line, position: int) -> Generator[Any, Any, Any]:
    line.asking = True
    restore = line.run.plan.steps[position].step.restore
    answer = yield Call(restore, (line.context, line.finished[position]))
    line.asking = False
    return answer


def _fill_in(
    line: Line, position: int, missing: Missing
) -> Generator[Any, Any, BaseException | None]:
    """Run a step without effects again for values that could not be stored.

    Return why the run cannot continue, if so. The results of such a step are all of one execution.
    """
    planned, result = line.run.plan.steps[position], line.finished[position]
    left = {key: kind for key, kind in missing.types.items() if key not in result.data}
    if not left:
        return None
    if planned.facts.effects:
        return missing_error(planned.name, left, restorable=planned.facts.restorable)
    if line.run.listener:
        summary = f"runs again for {', '.join(left)}, which could not be stored"
        yield _logged(planned, "runs_again", summary)
    line.current, line.context.current_step, line.asking = position, planned.name, True
    context = missing.context(line.context)
    answer = yield Call(planned.step.execute, (context,))
    line.current, line.context.current_step, line.asking = None, None, False
    if not isinstance(answer, Raised | NotRun):
        answer = checked(planned.step, answer)
    if isinstance(answer, Raised | NotRun):
        return _not_restored(line.run, planned, answer.error)
    if not answer.success:
        return RestoreError(planned.name, str(answer.error), origin=planned.origin)
    result.data = answer.data
    return None


def missing_error(step: str, types: Mapping[str, str], *, restorable: bool) -> ResultMissingError:
    """Return the error for a finished step with values that could not be stored."""
    values = ", ".join(f"'{key}' ({kind})" for key, kind in types.items())
    restores = f"; its restore() does not set {'it' if len(types) == 1 else 'them'}"
    return ResultMissingError(
        f"step '{step}' returned {values}, which could not be stored, so the run cannot go on"
        f"{restores if restorable else ''}; nothing was done",
        ways_out=(
            f"let restore() of '{step}' set it in result.data, then resume the run",
            f"or set effects = False, if '{step}' only reads: it runs again for its result",
        ),
    )


def _logged(planned: PlannedStep, name: str, summary: str) -> MessageLogged:
    return MessageLogged(
        step=planned.name,
        name=name,
        data={"summary": summary},
        file=None,
        group=planned.facts.group,
        lane=planned.facts.lane,
    )


def _not_restored(run: RunState, planned: PlannedStep, error: BaseException) -> BaseException:
    if isinstance(error, StopsResume):
        return found_by(planned, error)
    if isinstance(error, run.interruptions):
        return error
    failed = RestoreError(planned.name, describe(error), origin=planned.origin)
    failed.__cause__ = error
    return failed


def start_event(run: RunState) -> RunStarted:
    """Return the event for the start or the continuation of a run."""
    return RunStarted(
        action=run.plan.action,
        run_id=run.run_id,
        fingerprint=run.plan.fingerprint,
        steps=tuple(planned.name for planned in run.plan.steps),
        locked=run.plan.locked,
        number=run.number,
        finished=run.line.ended + sum(len(each.finished) for each in run.resumed.values()),
        journal=run.journal,
    )


def _forward(line: Line) -> Generator[Any, Any, Failure | None]:
    """Run the steps of a line; this is the hot loop. Return the failure, if one comes."""
    run = line.run
    steps = run.plan.steps
    observed = run.listener is not None
    keep = line.finished.append
    publish = line.context.step_results.append
    for first, stop, percent in _segments(line):
        for planned in steps if stop - first == len(steps) else steps[first:stop]:
            if not observed:
                answer = None
                if planned.facts.skippable:
                    line.asking = True
                    answer = yield planned
                    line.asking = False
                    # Nearly always the answer is False.
                    answer = None if answer is False else skipped(answer)
                if answer is None:
                    plain = planned.facts.plain
                    answer = (
                        (yield planned) if plain else (yield from execute_within(line, planned))
                    )
                if type(answer) is StepResult and answer.success and line.recording is None:
                    keep(answer)
                    publish(answer)
                    continue
                failure = settle(line, planned, answer)
            else:
                failure = yield from _step(line, planned)
            if failure is not None:
                return failure
        if percent > run.progress.percent and stop < len(steps):
            answer = yield Report(percent)
            if answer is not None:
                return after(steps, stop - 1, answer)
    return (yield from _end(line))


def _segments(line: Line) -> Sequence[tuple[int, int, int]]:
    """Return the parts of a line, and the percentage to report after each; see `Weights`."""
    progress, first = line.run.progress, len(line.finished)
    if not progress.wanted:
        return [(first, line.stop, 0)]
    if line.run.plan.groups:
        return [(each, each + 1, progress.after(each)) for each in range(first, line.stop)]
    return progress.weights.segments


def _end(line: Line) -> Generator[Any, Any, Failure | None]:
    """Report the end of the ordinary steps, unless the line ends before a group."""
    run, ordinary = line.run, line.run.plan.ordinary
    if line.stop < ordinary:
        return None
    answer = yield (CHECK if run.plan.closes or not run.progress.wanted else Report(100))
    return None if answer is None else _at_the_end(run, answer)


def _at_the_end(run: RunState, answer: Raised) -> Failure:
    """Return a failure of the last ordinary step, for an error after it."""
    if run.plan.ordinary == 0:
        raise answer.error  # No step can be blamed, and there is nothing to undo.
    return after(run.plan.steps, run.plan.ordinary - 1, answer)


def _step(line: Line, planned: PlannedStep) -> Generator[Any, Any, Failure | None]:
    """Run a step for a listener."""
    position = len(line.finished)
    answer = yield from perform(line, planned, position)
    failure = settle(line, planned, answer)
    if line.run.listener:
        yield end_event(line, planned, position, failure)
    return failure
