"""One run as a generator: it yields the next command and is sent the answer.

It calls no user code, reads no clock and starts no thread, so both drivers share it and a test can
play it with a list of answers. The loop over plain steps allocates nothing.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from handrail.calls import CHECK, Machine, Raised, Report
from handrail.engine.finalize import end, write_end
from handrail.engine.group import GroupRun
from handrail.engine.outcome import (
    Doing,
    Failure,
    after,
    final_error,
    outcome_of,
    settle,
    settle_closing,
)
from handrail.engine.restore import restore
from handrail.engine.step import execute_within, play_step, skipped
from handrail.engine.undo import rewind
from handrail.engine.undo import undo as go_back
from handrail.events import RunStarted
from handrail.rollback_data import ASKED
from handrail.steps import StepResult

if TYPE_CHECKING:
    from handrail.engine.line import Line
    from handrail.engine.state import RunState


def play(run: RunState, failure: Failure | None = None) -> Machine:
    """Play a run: forward, or back because of `failure`, and the `always_run` steps.

    In one of another process every finished step restores its transient values first; if that
    fails, nothing is changed. At the end `run.outcome` and `run.failure` are set.
    """
    if run.listener:
        run.opened = run.clock()
        yield start_event(run)
        run.announced()
    # `always_run` steps close a success: once one began, the run can no longer turn back.
    closing = run.sealed is not None or run.closing
    forwards = failure is None and (run.back_to is not None or not closing)
    line = run.line
    broken = yield from restore(
        _lines_of(run),
        reads=forwards and (run.back_to is not None or len(line.finished) < run.plan.ordinary),
    )
    if broken is None and run.back_to is not None:
        went = yield from rewind(run, run.back_to)
        if not went:
            yield from write_end(run)
            return
    if broken is None and forwards:
        failure = yield from forward(line)
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
        failure = Failure(planned, ASKED, None, last)
    else:
        failure.noted = True
    yield from go_back(run, failure)
    yield from end(run)


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
        yield from go_back(run, run.undo_cause, broken_off_by=error)
    else:
        failure = _broken_off(run, error, doing)
        if failure is None:
            run.outcome = "rolled_back"
            run.failure = error
        else:
            yield from go_back(run, failure)
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


def forward(line: Line) -> Generator[Any, Any, Failure | None]:
    """Run the ordinary steps that are left; return the failure, if one comes."""
    run = line.run
    if line.log is None and run.listener is None and not run.plan.groups:
        return _forward_plain(line)
    return _forward(line)


def _forward(line: Line) -> Generator[Any, Any, Failure | None]:
    run, finished = line.run, line.finished
    if finished and run.progress.wanted:
        run.progress.reached(run.plan.weights.after(len(finished) - 1))
    for group in (*run.plan.groups, None):
        line.stop = run.plan.ordinary if group is None else group.lanes[0].start
        while len(finished) < line.stop:
            failure = yield from play_step(line, len(finished))
            if failure is not None:
                return failure
        if group is not None and len(finished) < group.lanes[-1].stop:
            # In a resumed run its lanes are there: they had to restore what they need.
            failure = yield from (run.group or GroupRun(line, group)).play()
            if failure is not None:
                return failure
    return (yield from _end(line))


def _forward_plain(line: Line) -> Generator[Any, Any, Failure | None]:
    """Run the steps of a run that nobody observes or records; this is the hot loop."""
    run = line.run
    steps = run.plan.steps
    keep = line.finished.append
    publish = line.context.step_results.append
    segments: Sequence[tuple[int, int, int]] = [(0, line.stop, 0)]
    if run.progress.wanted:
        segments = run.plan.weights.segments
    for first, stop, percent in segments:
        for planned in steps if stop - first == len(steps) else steps[first:stop]:
            answer = None
            if planned.facts.skippable:
                line.asking = True
                answer = yield planned
                line.asking = False
                # Nearly always the answer is False.
                answer = None if answer is False else skipped(answer)
            if answer is None:
                plain = planned.facts.plain
                answer = (yield planned) if plain else (yield from execute_within(line, planned))
            if type(answer) is StepResult and answer.success and line.recording is None:
                keep(answer)
                publish(answer)
                continue
            failure = settle(line, planned, answer)
            if failure is not None:
                return failure
        if percent > run.progress.percent and stop < len(steps):
            answer = yield Report(percent)
            if answer is not None:
                return after(steps, stop - 1, answer)
    return (yield from _end(line))


def _end(line: Line) -> Generator[Any, Any, Failure | None]:
    """Report the end of the ordinary steps."""
    run, ordinary = line.run, line.run.plan.ordinary
    answer = yield (CHECK if run.plan.closes or not run.progress.wanted else Report(100))
    if answer is None:
        return None
    if not ordinary and line.log is None:
        raise answer.error  # No step can be blamed, and there is nothing to undo.
    return after(run.plan.steps, ordinary - 1, answer)


def _recall_closing(run: RunState) -> None:
    """Blame an `always_run` step that failed before this process went on."""
    for position, result in run.closed.items():
        if not result.success and run.failure is None:
            blamed = Failure(run.plan.steps[position], str(result.error), None, -1)
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
