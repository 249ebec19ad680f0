"""Plays a group: its lanes side by side, what they change, and how they end together.

The lanes are machines like that of the run, and yield the same commands. A driver moves them in one
thread only, so nothing here needs a lock; what steps call from threads of their own is in `Line`.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from copy import copy, deepcopy
from dataclasses import fields
from typing import TYPE_CHECKING, Any, cast

from handrail.calls import Machine, NotRun, Raised
from handrail.context import INTERCEPT, LINK, OPTIONS, RECORDER, BaseStepContext, link_run
from handrail.engine.line import Line
from handrail.engine.outcome import Doing, Failure, after, outcome_of, settle
from handrail.engine.step import play_step
from handrail.engine.undo import note_failure
from handrail.errors import FieldConflictError, StepCancelled
from handrail.frozen import record
from handrail.rollback_data import CANCELLED, NOT_BEGUN, same
from handrail.steps import StepResult

if TYPE_CHECKING:
    from handrail.plan.plan import Group, PlannedStep


# Attributes that are no fields of the user's, and are not merged as those are.
_OURS = frozenset(each.name for each in fields(BaseStepContext)) | {
    *(INTERCEPT, LINK, OPTIONS, RECORDER)
}
_ATOMS = frozenset({str, int, float, bool, bytes, complex, type(None)})
_ABSENT: Any = object()


@record
class Lane:
    """A lane of a group while it is played.

    Attributes:
        line: Its steps.
        machine: What plays them; it yields the commands of a run, those for `line`.
        failure: Why it ended before its last step, if so.
    """

    line: Line
    machine: Machine
    failure: Failure | None = None


class GroupRun:
    """One execution of a group: a command of the engine, to play its lanes side by side.

    It is answered by None once all are over, by `NotRun`, or by `Raised`. Only the thread of the
    driver moves a lane. Once `stopping` is set no lane may start a step, and the driver cancels
    what it can. `Raised` means that the run is left as it is: steps may be running still.

    Args:
        line: The line of the run, which has come to the group.
        group: The group.

    Attributes:
        lanes: Its lanes, in the order in which they start.
        limit: How many of them run at the same time; None for all.
    """

    def __init__(self, line: Line, group: Group) -> None:
        self._line = line
        self._group = group
        self.limit = group.limit
        # As it was when the group began: an error from outside may break off what ends it.
        self._before = dict(vars(line.context))
        self._lengths = [len(each) for each in self._lists(line)]
        self._cause: Failure | None = None
        self._further: list[Failure] = []
        # By field: the lane whose step was the first to end with it changed, and its value.
        self._changed: dict[int, dict[str, Any]] = {}
        self.lanes = tuple(self._lane(number, lane) for number, lane in enumerate(group.lanes))

    @staticmethod
    def _lists(line: Line) -> tuple[list[Any], ...]:
        """Return the lists to which the lanes add."""
        return line.context.step_results, line.context.errors

    @property
    def stopping(self) -> bool:
        """Whether no lane may start a step any more."""
        return self._cause is not None

    def _lane(self, number: int, positions: range) -> Lane:
        outer = self._line
        line = Line(outer.run, context_of_lane(outer.context), stop=positions.stop, group=self)
        # As if all steps before had ended without a result, so that places are those of the plan.
        missing = positions.start - len(outer.finished)
        line.finished = [*outer.finished, *[NOT_BEGUN] * missing]
        link_run(line.context, line)
        if outer.log is not None:
            line.log = outer.log.lane(line.context, positions.start)
        resumed = outer.run.resumed.pop(positions.start, None)
        if resumed is not None:
            line.finished += resumed.finished
            line.context.step_results += resumed.finished
            line.doubt = resumed.doubt
        return Lane(line, self._play_lane(number, line))

    def play(self) -> Generator[Any, Any, Failure | None]:
        """Play the group; return why the run cannot continue, if so."""
        run = self._line.run
        run.group = self
        run.progress.enter(self._group.lanes)
        self._line.context.current_step = None
        for number, lane in enumerate(self.lanes):
            last = len(lane.line.finished) - 1
            if last >= self._group.lanes[number].start:
                self._has_changed(number, lane.line)
                if run.progress.wanted:
                    run.progress.reached(run.progress.after(last))
        answer = yield self
        if isinstance(answer, NotRun):
            self.interrupt(answer.error)
        return self.close(answer.error if isinstance(answer, Raised) else None)

    def _play_lane(self, number: int, line: Line) -> Machine:
        while len(line.finished) < line.stop and not self.stopping:
            failure = yield from play_step(line, len(line.finished))
            if failure is not None:
                self.lanes[number].failure = failure
                self._fail(failure)

    def conflict(self, line: Line, planned: PlannedStep) -> FieldConflictError | None:
        """Take what a step has changed; return the error if another lane has changed it too."""
        lane = planned.lane
        changed = dict(changes(line.context, self._before))
        for other, theirs in self._changed.items():
            for name in changed.keys() & theirs.keys() if other != lane else ():
                if not same(changed[name], theirs[name]):
                    kind = type(line.context).__qualname__
                    return FieldConflictError(
                        f"{kind}.{name} was set to another value by lane {other + 1} of group "
                        f"'{self._group.name}'",
                        ways_out=(
                            "give each lane a field of its own, and put them together after it",
                        ),
                    )
        assert lane is not None
        self._has_changed(lane, line)
        return None

    def _has_changed(self, lane: int, line: Line) -> None:
        # Copies, because the next step of the lane may change a value in place.
        changed = changes(line.context, self._before)
        self._changed[lane] = {name: copied(value) for name, value in changed}

    # How it ends

    def interrupt(self, error: BaseException) -> None:
        """Stop the group because of an error from outside its steps."""
        run, places = self._line.run, self._positions
        last = next((each for each in reversed(run.starts) if each in places), places.start)
        planned = run.plan.steps[last]
        self._fail(Failure.of(planned, error, last))

    def broke_off(self, lane: Lane, error: BaseException, doing: Doing) -> None:
        """End a lane that an error from outside its steps has broken off."""
        line = lane.line
        position = len(line.finished)
        failure: Failure | None = None
        steps = line.run.plan.steps
        if position < line.stop and not line.asking:
            planned = steps[position]
            if line.context.current_step == planned.name:
                # It was about to be kept, and counts as started.
                failure = settle(line, planned, outcome_of(planned, error, doing))
                failure = failure or after(steps, position, Raised(error))
        lane.failure = failure
        if failure is None:
            self.interrupt(error)
        else:
            self._fail(failure)

    def _fail(self, failure: Failure) -> None:
        """Let no lane start a step, and let those that run end."""
        if isinstance(failure.error, StepCancelled) and self._cause is not None:
            return
        if self._cause is None:
            self._cause = failure
        else:
            self._further.append(failure)
        why = f"step '{self._cause.planned.name}' failed"
        if isinstance(self._cause.error, self._line.run.interruptions):
            why = "the run was interrupted"
        for lane in self.lanes:
            line = lane.line
            if line.cancelled is None:
                line.stop = min(line.stop, len(line.finished) + 1)
                line.cancel(f"{CANCELLED}{why}")

    def close(self, left: BaseException | None = None) -> Failure | None:
        """Put the lanes together, and return why the run cannot continue, if so.

        Args:
            left: The error for which the run is left as it is, with steps that may be running.
        """
        run, log, cause = self._line.run, self._line.log, self._cause
        run.progress.leave()
        if left is not None:
            cause = Failure.of(run.plan.steps[self._positions.start], left, stands=True)
        elif cause is None or not cause.stands:
            self._merge()
            if cause is not None:
                cause = self._joined(cause)
            if log is not None:
                logs = [lane.line.log for lane in self.lanes if lane.line.log is not None]
                log.join(logs, self._positions.stop, ended=cause is None)
        run.group = None
        return cause

    def _merge(self) -> None:
        """Take the results and the changes of all lanes; calling it again changes nothing."""
        context, finished = self._line.context, list[StepResult]()
        changed = [dict(changes(lane.line.context, self._before)) for lane in self.lanes]
        added: tuple[list[Any], ...] = ([], [])
        for positions, lane in zip(self._group.lanes, self.lanes, strict=True):
            own = lane.line
            # The group may have stopped before an attempt of another process was gone on with.
            doubt = [] if own.doubt is None else [own.doubt]
            found = [*own.finished[positions.start :], *doubt]
            finished += [*found, *[NOT_BEGUN] * (len(positions) - len(found))]
            for mine, theirs, length in zip(added, self._lists(own), self._lengths, strict=True):
                mine += theirs[length:]
            added[0].extend(doubt)
            own.context.current_step = None
        self._line.finished[self._positions.start :] = finished
        for mine, new, length in zip(self._lists(self._line), added, self._lengths, strict=True):
            mine[length:] = new
        if self._cause is not None:
            # A step that failed may have changed a field that one of another lane has set.
            changed += self._changed.values()
        for each in changed:
            context.__dict__.update(each)

    def _joined(self, cause: Failure) -> Failure:
        """Return one failure for the group, from those of its lanes."""
        everything = [cause, *self._further]
        if self._line.log is not None:
            for lane in self.lanes:
                failure = lane.failure or cause
                note_failure(lane.line, failure, failure.text)
        return Failure(
            planned=cause.planned,
            text=cause.text,
            error=cause.error,
            from_position=self._positions.stop - 1,
            also=tuple(
                f"Step '{each.planned.name}' failed: {each.text}"
                for each in everything
                if each is not cause
            ),
            noted=True,
        )

    @property
    def _positions(self) -> range:
        return range(self._group.lanes[0].start, self._group.lanes[-1].stop)


# The context of a lane: a copy of that of the run, and what the steps of the lane change in it.


def context_of_lane(context: BaseStepContext) -> BaseStepContext:
    """Return a context with the fields of `context` as they are now, for the steps of one lane.

    A value is copied where its copy is equal to it; others, such as connections, are shared.
    """
    own = copy(context)
    values, memo = own.__dict__, dict[int, Any]()
    for name, value in values.items():
        if name not in _OURS:
            values[name] = copied(value, memo)
    own.step_results = list(context.step_results)
    own.errors = list(context.errors)
    own.current_step = None
    return own


def changes(context: BaseStepContext, before: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of a lane's context that differ from those of the run `before` the group."""
    for name, value in list(vars(context).items()):
        if name not in _OURS and not same(value, before.get(name, _ABSENT)):
            yield name, value


def copied(value: Any, memo: dict[int, Any] | None = None) -> Any:
    """Return a copy of a value, at any depth, or the value itself if its copy is not equal to it.

    Args:
        value: The value.
        memo: The values copied so far, by their identity, so that one of several names stays one.
    """
    if type(value) in _ATOMS:
        return value
    memo = {} if memo is None else memo
    if id(value) in memo:
        return memo[id(value)][1]
    kind = cast("type[object]", type(value))
    made: Any = None
    # With the value itself: its identity is its own only as long as it is there.
    if kind is list:
        memo[id(value)] = value, (made := [])
        made += [copied(each, memo) for each in value]
    elif kind is dict:
        memo[id(value)] = value, (made := {})
        made |= {key: copied(each, memo) for key, each in value.items()}
    elif kind is tuple:
        made = tuple([copied(each, memo) for each in value])
    else:
        made = _copied_if_equal(value)
    memo[id(value)] = value, made
    return made


def _copied_if_equal(value: Any) -> Any:
    # What is equal to itself only, such as a model with its weights, is not copied in vain.
    if cast("Any", type(value)).__eq__ is object.__eq__:
        return value
    try:
        made = deepcopy(value) if bool(value == value) else value
    except Exception:  # noqa: BLE001 - not everything can be copied
        return value
    return made if same(made, value) else value
