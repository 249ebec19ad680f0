"""One sequence of steps of a run: its state and results, for the engine, drivers and context."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from handrail.errors import RecordError, StepCancelled, StepNeededError
from handrail.events import (
    Attached,
    Event,
    MessageLogged,
    MetricsMeasured,
    StatusChanged,
    StepProgressed,
)
from handrail.recorder import Recorder
from handrail.rollback_data import NOT_BEGUN, ended
from handrail.steps import StepResult
from handrail.suggest import near

if TYPE_CHECKING:
    from handrail.context import BaseStepContext, Items, RunInfo
    from handrail.engine.group import GroupRun
    from handrail.engine.log import RunLog
    from handrail.engine.places import Performer
    from handrail.engine.state import RunState
    from handrail.plan.plan import PlannedStep

D = TypeVar("D")
NOT_KEPT = "not_kept"
"""The name of the logged event for what a step says or attaches that is not kept."""


class Results(Mapping[str, "StepResult"]):
    """The results of the finished steps by name, alias or inner name; nothing is kept per step."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def __getitem__(self, name: str) -> StepResult:
        result = self.get(name)
        if result is not None:
            return result
        plan = self._line.run.plan
        if name in plan.positions:
            raise KeyError(f"step '{name}' has not finished yet")
        if name in plan.left_out:
            raise StepNeededError(name)
        matches = near(name, plan.positions)
        hint = f"; did you mean {' or '.join(matches)}?" if matches else ""
        raise KeyError(f"no step answers to '{name}'{hint}")

    @overload
    def get(self, key: str, /) -> StepResult | None: ...
    @overload
    def get(self, key: str, /, default: StepResult | D) -> StepResult | D: ...

    # Overridden, as is `in`, because a miss of `[]` looks for near names.
    def get(self, key: str, /, default: Any = None) -> Any:
        """Return the result of the step that answers to `key`, or `default`."""
        position = self._line.run.plan.positions.get(key)
        result = None if position is None else self._line.result_at(position)
        return default if result is None else result

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        for position, planned in enumerate(self._line.run.plan.steps):
            if self._line.result_at(position) is not None:
                yield planned.name

    def __len__(self) -> int:
        return self._line.ended + len(self._line.run.closed)


@dataclass(slots=True, eq=False)
class Line:
    """One sequence of steps of a run: their results, and the state of the running step.

    A run has one, to which its context is tied. It has everything that each lane of a group would
    have of its own; `RunState` has the shared rest.

    Attributes:
        run: The run that it is part of.
        context: The context of its steps.
        log: The record of a durable run.
        results: The results of the finished steps by name.
        finished: Results of ordinary steps, one for each position from 0 on.
        current: Position of the running or undone step, if it is not the next one.
        asking: Whether user code runs that must not record: `can_skip`, the undo of an attempt.
        recording: Rollback data of the running attempt, once it has recorded any.
        began: When the running step started, on the run's clock, if there is a listener.
        begun: The position that is noted as started in the log, but was not executed yet.
        doubt: In a resumed run, the record of the interrupted attempt of the next step.
        stop: The position at which it ends, or comes to a group.
        group: The group in which it is a lane, or None.
        cancelled: Why its running step has to end, if so.
        interrupt: Stops the running step with an error, if it runs where that can be done.
        beat: Called with each sign of life of a step with a time limit, or that has to end; it may
            raise.
        undo_result: During an undo, the result to hand to `rollback`.
    """

    run: RunState
    context: BaseStepContext
    log: RunLog | None = None
    results: Mapping[str, StepResult] = field(init=False)
    finished: list[StepResult] = field(default_factory=list[StepResult])
    current: int | None = None
    asking: bool = False
    recording: Recorder | None = None
    began: float = 0.0
    begun: int | None = None
    doubt: StepResult | None = None
    undo_result: StepResult | None = None
    stop: int = 0
    group: GroupRun | None = None
    cancelled: str | None = None
    interrupt: Callable[[BaseException], None] | None = None
    beat: Callable[[], None] | None = None
    _limited: Callable[[], None] | None = None
    _records: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.results = Results(self)

    def result_at(self, position: int) -> StepResult | None:
        """Return the result of the step at `position`, or None if it has none yet."""
        if position < len(self.finished):
            result = self.finished[position]
            return None if result is NOT_BEGUN else result
        return self.run.closed.get(position)

    @property
    def ended(self) -> int:
        """The number of ordinary steps that have a result."""
        if not self.run.plan.groups:
            return len(self.finished)
        return sum(result is not NOT_BEGUN for result in self.finished)

    @property
    def position(self) -> int:
        """The position of the step that is being run or undone, or comes next."""
        return len(self.finished) if self.current is None else self.current

    def running(self) -> PlannedStep | None:
        """Return the step that is being run or undone."""
        position, steps = self.position, self.run.plan.steps
        if self.context.current_step is None or position >= len(steps):
            return None
        return steps[position]

    def watched(self, limited: Callable[[], None] | None) -> None:
        """Call `limited` with each sign of life of the running attempt, or no longer."""
        self._limited = limited
        beat = limited if self.cancelled is None else self._end
        self.beat = beat if self.run.parent is None else partial(_beats, beat, self.run.parent)
        if self.recording is not None:
            self.recording.beat = self.beat

    def cancel(self, why: str) -> None:
        """Let the running step end at its next sign of life."""
        self.cancelled = why
        self.watched(self._limited)

    def _end(self) -> None:
        """End the running step.

        Raises:
            StepCancelled: The reason.
        """
        if not self.asking:
            raise StepCancelled(self.cancelled)
        # The undo of an attempt goes on to its end, or to that of its time.
        if self._limited is not None:
            self._limited()

    def begins(self, position: int) -> None:
        """Note that an attempt of the step at `position` is about to begin."""
        if self.group is not None:  # An undo needs their order.
            starts = self.run.starts
            starts.pop(position, None)
            starts[position] = None
        if self.log is not None:
            attempts = self.run.attempts
            attempts[position] = attempts.get(position, 0) + 1
            self.log.started(position, attempts[position])
            self.begun = position

    def end_attempt(self, outcome: StepResult) -> StepResult:
        """End the running attempt; return its result with the recorded data, for its undo."""
        notes = {} if self.recording is None else self.recording.close()
        self.recording = None
        return ended(outcome if self.log is None else self.log.stored(outcome), notes)

    def leave_behind(self, attempt: StepResult) -> None:
        """Keep an attempt of the running step that could not be undone."""
        run, position = self.run, self.position
        run.leftovers.setdefault(position, []).append((run.attempts.get(position, 1), attempt))

    # Read by the context

    @property
    def run_id(self) -> str:
        """A UUID for the run."""
        return self.run.run_id

    @property
    def run_info(self) -> RunInfo:
        """The number, journal, machine and so on, for others."""
        return self.run.describe(self.run)

    @property
    def parent(self) -> Line | None:
        """The step of another run that the run is a part of, as it runs."""
        return self.run.parent

    @property
    def idempotency_key(self) -> str | None:
        """`run/step`, stable for all attempts of a step in this run."""
        planned = self.running()
        return None if planned is None else f"{self.run_id}/{planned.name}"

    @property
    def attempt(self) -> tuple[str, str, int] | None:
        """The running attempt in the journal: UUID of the run, name of the step, and number."""
        planned = self.running()
        if planned is None:
            return None
        return self.run_id, planned.name, self.run.attempts.get(self.position, 1)

    @property
    def outcome(self) -> str | None:
        """How the run ended, once that is known."""
        return self.run.outcome

    @property
    def failure(self) -> BaseException | None:
        """The error that ended the run, unless it succeeded."""
        return self.run.failure

    @property
    def elsewhere(self) -> Callable[[StepResult | None], Any] | None:
        """Runs an attempt of the running step where the run has it; None if that is here."""
        places = self.run.places
        performer = None if places is None else places.taken.get(self.position)
        return None if performer is None else partial(performer.attempt, self)

    def seal(self, reason: str) -> None:
        """Make the run impossible to roll back.

        Raises:
            RecordError: The run has not succeeded.
        """
        run = self.run
        if run.outcome != "completed":
            raise RecordError(
                "seal() is for always_run steps of a run that succeeded; "
                f"this run {'is still going on' if run.outcome is None else run.outcome}"
            )
        if self.log is not None:
            self.log.seal(reason)
        run.sealed = reason

    def relies_on(self, uids: Iterable[str]) -> None:
        """Record runs on which this run relies."""
        if self.log is not None:
            # It does not rely on what is undone with it.
            own, whole = {"", self.run_id}, self
            while whole.run.parent is not None:
                whole = whole.run.parent
                own |= {whole.run_id, *whole.run.held}
            self.log.relies_on(uid for uid in uids if uid not in own)

    def has_advanced(self, current: float, total: float) -> None:
        """Count how far the run has come that the running step makes."""
        if not self.run.undoing and self.run.outcome is None:
            self.run.progress.within(self.position, current, total)

    def map_items(self, *args: Any, **options: Any) -> Items:
        """Work on the items of the running step; see `BaseStepContext.map_items`."""
        return self._mapping.map_items(self, *args, **options)

    async def amap_items(self, *args: Any, **options: Any) -> Items:
        """Like `map_items`, for a coroutine."""
        return await self._mapping.amap_items(self, *args, **options)

    @property
    def _mapping(self) -> Performer:
        assert self.run.places is not None
        return self.run.places.of_items(self.run)

    def recorder(self) -> Recorder:
        """Return the recorder of the running attempt.

        Raises:
            RecordError: No step is executing.
        """
        if self.recording is None:
            planned = self.running()
            if planned is None or self.run.undoing or self.asking:
                raise RecordError(
                    "rollback data can be recorded only while a step executes",
                    ways_out=("hand context.record_rollback to threads as a value, from the step",),
                )
            with self._records:  # Two threads of one step may ask at once.
                if self.recording is None:
                    self.recording = self._new_recorder(planned.name)
                    # Meanwhile another thread may have cancelled the step.
                    self.recording.beat = self.beat
                return self.recording
        return self.recording

    def go_on_recording(self, notes: Mapping[str, Any]) -> None:
        """Let the running attempt, which has recorded `notes` already, continue recording."""
        planned = self.running()
        assert planned is not None
        self.recording = self._new_recorder(planned.name, notes)

    def _new_recorder(self, step: str, notes: Mapping[str, Any] | None = None) -> Recorder:
        log, position, run = self.log, self.position, self.run
        if log is None:
            return Recorder(step, beat=self.beat)
        attempt, batches = run.attempts[position], run.batches

        def write(key: str, values: list[Any]) -> list[Any]:
            return log.record(position, attempt, next(batches), key, values)

        return Recorder(step, write, notes, run.in_thread, self.beat)

    def needs(self, step: str) -> None:
        """Raise StepNeededError if `step` was left out of the run."""
        if step in self.run.plan.left_out:
            raise StepNeededError(step)

    # Reported by the context

    def progressed(
        self, current: float, total: float, category: str | None, detail: str = ""
    ) -> None:
        """Pass on the progress that a step reported within itself, or within its undo."""
        if self.beat is not None:
            self.beat()
        run, steps = self.run, self.run.plan.steps
        # Steps report often, so this calls little.
        if self.context.current_step is None or not (self.log or run.progress.wanted):
            return
        position = self.position
        if position >= len(steps) or not (0 <= current <= total and 0 < total < math.inf):
            return
        if self.log is not None or run.listener is not None:
            facts = steps[position].facts
            told = StepProgressed(
                step=steps[position].name,
                current=current,
                total=total,
                category=category,
                group=facts.group,
                lane=facts.lane,
                detail=detail,
            )
            if self.log is not None:
                self._keep(told)
            if run.listener is not None:
                run.listener(told)
        if run.progress.wanted and not run.undoing and run.outcome in (None, "completed"):
            run.progress.within(position, current, total)

    def has_status(self, status: str | None) -> None:
        """Pass on what the step that is run or undone waits for."""
        planned = self._alive()
        if self.run.listener is not None and planned is not None:
            lane = lane_of(planned)
            self.run.listener(StatusChanged(step=planned.name, status=status, **lane))

    def measured(
        self, value: Mapping[str, Any], category: str, higher_is_better: bool | None = None
    ) -> None:
        """Pass on metrics of a step."""
        said = {"value": value, "category": category, "higher_is_better": higher_is_better}
        self._say(MetricsMeasured, self._alive(), category, **said)

    def logged(self, event: str, data: Mapping[str, Any], file: str | None) -> None:
        """Pass on a log call of a step."""
        planned = self._alive()
        said = {"name": event, "data": data, "file": file}
        self._say(MessageLogged, planned, self.context.current_step, **said)

    def attached(self, name: str, value: Mapping[str, Any]) -> None:
        """Pass on the JSON form of what a step attaches."""
        planned = self._alive()
        if planned is not None:
            self._say(Attached, planned, name=name, kind=value["type"], value=value)

    def _alive(self) -> PlannedStep | None:
        """Take a sign of life of the step that is being run or undone, and return the step."""
        if self.beat is not None:
            self.beat()
        return self.running()

    def _say(
        self,
        event: Callable[..., Event],
        planned: PlannedStep | None,
        step: str | None = None,
        /,
        **said: Any,
    ) -> None:
        """Pass on what a step says: to the journal, which keeps it, and to who listens.

        Args:
            event: The class of the event.
            planned: The step, or None between steps, of which nothing is kept.
            step: The name that the event has then.
            **said: The rest of the event.
        """
        log, listener = self.log, self.run.listener
        if log is None and listener is None:
            return
        name = step if planned is None else planned.name
        told = event(step=name, **said, **lane_of(planned))
        if planned is not None:
            self._keep(told)
        if listener is not None:
            listener(told)

    def _keep(self, told: Event) -> None:
        """Hand what the step that is run or undone says to the journal, if there is one."""
        if self.log is not None:
            position = self.position
            problem = self.log.said(position, self.run.attempts.get(position, 1), told)
            if problem:
                self.context.log(NOT_KEPT, {"summary": problem})


def _beats(own: Callable[[], None] | None, parent: Line) -> None:
    """Pass a sign of life on to the step that the run is a part of."""
    if own is not None:
        own()
    if parent.beat is not None:
        parent.beat()


def lane_of(planned: PlannedStep | None) -> Any:
    """Return the fields of an event that say in which group and lane a step is."""
    return {} if planned is None else {"group": planned.facts.group, "lane": planned.facts.lane}
