"""The state of one run, as the engine, the drivers and the context see it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from handrail.engine.progress import Progress, ordinary_steps
from handrail.engine.results import Results
from handrail.engine.rollback_data import ended
from handrail.errors import RecordError, RollbackError
from handrail.events import Event, MessageLogged, MetricsMeasured, StepProgressed
from handrail.recording import Beside, Recorder
from handrail.steps import StepResult

if TYPE_CHECKING:
    from handrail.context import BaseStepContext
    from handrail.engine.log import RunLog
    from handrail.engine.outcome import Failure
    from handrail.plan.plan import Plan, PlannedStep
    from handrail.wrapper import Raised


@dataclass(slots=True, eq=False)
class RunState:
    """One execution of a plan.

    Attributes:
        plan: What is executed.
        context: What its steps share.
        new_id: Makes the id of the run, when somebody asks for it.
        clock: Tells the time in seconds, of which only differences count.
        on_progress: Told the percentage of the run as a whole whenever it grows.
        listener: Told of all events.
        ordinary: How many of its steps come before those with `always_run`.
        progress: What is reported of the run as a whole.
        results: The results of the finished steps by name.
        finished: Results of ordinary steps, one for each position from 0 on.
        closed: Results of `always_run` steps, by position.
        current: Position of the step that is being run or undone, where that is not the next one.
        undoing: Whether the run goes back.
        asking: Whether user code runs that must not record: `can_skip`, the undo of an attempt.
        recording: Rollback data of the running attempt, once it has recorded any.
        leftovers: Attempts whose undo failed, with their number, by position; they are undone with
            their step.
        log: Where a durable run is written.
        beside: Does blocking work for coroutines, where an event loop runs.
        number: The number of a durable run in its journal.
        keeps: Whether nothing is undone when a step of a durable run fails.
        attempts: Number of the last attempt of each step that had one, in a durable run.
        begun: The position that is noted as started in the log, but was not executed yet.
        before: How a run that goes on had ended, before this process claimed it.
        doubt: What the interrupted attempt of the next step has recorded, when a run goes on.
        undone: Positions that were undone before, when an undo goes on.
        gone: Names of steps that began, and are not in the plan any more, when a run goes on.
        opened: When the run started, on the driver's clock, if somebody listens.
        began: When the running step started, on the driver's clock, if somebody listens.
        outcome: How the run ended, once that is known.
        fell: Why it went back, once it did.
        failure: What ended it, unless it succeeded.
        undo_result: During an undo, the result to hand to `rollback`.
        rollback_errors: One for each step that could not be undone.
    """

    plan: Plan
    context: BaseStepContext
    _: KW_ONLY
    new_id: Callable[[], str]
    clock: Callable[[], float]
    on_progress: Callable[[int], object] | None = None
    listener: Callable[[Event], None] | None = None
    log: RunLog | None = None
    ordinary: int = field(init=False)
    progress: Progress = field(init=False)
    results: Mapping[str, StepResult] = field(init=False)
    finished: list[StepResult] = field(default_factory=list[StepResult])
    closed: dict[int, StepResult] = field(default_factory=dict[int, StepResult])
    current: int | None = None
    undoing: bool = False
    asking: bool = False
    recording: Recorder | None = None
    leftovers: dict[int, list[tuple[int, StepResult]]] = field(
        default_factory=dict[int, list[tuple[int, StepResult]]]
    )
    beside: Beside | None = None
    number: int | None = None
    keeps: bool = False
    attempts: dict[int, int] = field(default_factory=dict[int, int])
    begun: int | None = None
    before: str | None = None
    doubt: StepResult | None = None
    undone: set[int] = field(default_factory=set[int])
    gone: tuple[str, ...] = ()
    opened: float = 0.0
    began: float = 0.0
    outcome: str | None = None
    fell: Failure | None = None
    failure: BaseException | None = None
    sealed: str | None = None
    undo_result: StepResult | None = None
    rollback_errors: list[RollbackError] = field(default_factory=list[RollbackError])
    _id: str | None = None
    batches: count[int] = field(default_factory=lambda: count(1))
    _records: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.ordinary = ordinary_steps(self.plan)
        self.progress = Progress(self.plan, self.on_progress, self.listener)
        self.results = Results(self)

    def result_at(self, position: int) -> StepResult | None:
        """Return the result of the step at `position`, or None while there is none."""
        if position < len(self.finished):
            return self.finished[position]
        return self.closed.get(position)

    @property
    def position(self) -> int:
        """The position of the step that is being run or undone, or comes next."""
        return len(self.finished) if self.current is None else self.current

    def running(self) -> PlannedStep | None:
        """Return the step that is being run or undone."""
        position = len(self.finished) if self.current is None else self.current
        if self.context.current_step is None or position >= len(self.plan.steps):
            return None
        return self.plan.steps[position]

    def end_attempt(self, outcome: StepResult | Raised) -> StepResult:
        """End the running attempt; return its result with what was recorded, for its undo."""
        notes = {} if self.recording is None else self.recording.close()
        self.recording = None
        if self.log is not None and isinstance(outcome, StepResult):
            outcome = self.log.stored(outcome)
        return ended(outcome, notes)

    def leave_behind(self, attempt: StepResult) -> None:
        """Keep an attempt of the running step that could not be undone."""
        position = self.position
        self.leftovers.setdefault(position, []).append((self.attempts.get(position, 1), attempt))

    # What the context asks for

    @property
    def run_id(self) -> str:
        """A UUID for this run."""
        if self._id is None:
            self._id = self.new_id()
        return self._id

    def is_recorded(self, uid: str, number: int) -> None:
        """Take the ids of a run that another process began."""
        self._id, self.number = uid, number

    @property
    def idempotency_key(self) -> str | None:
        """`run/step`, stable for all attempts of a step in this run."""
        planned = self.running()
        return None if planned is None else f"{self.run_id}/{planned.name}"

    def recorder(self) -> Recorder:
        """Return the recorder of the running attempt.

        Raises:
            RecordError: No step is executing.
        """
        if self.recording is None:
            planned = self.running()
            if planned is None or self.undoing or self.asking:
                raise RecordError(
                    "rollback data can be recorded only while a step executes",
                    ways_out=("hand context.record_rollback to threads as a value, from the step",),
                )
            with self._records:  # Two threads of one step may ask at once.
                if self.recording is None:
                    self.recording = self._new_recorder(planned.name)
                return self.recording
        return self.recording

    def go_on_recording(self, notes: Mapping[str, Any]) -> None:
        """Let the running attempt, which has recorded `notes` already, go on recording."""
        planned = self.running()
        assert planned is not None
        self.recording = self._new_recorder(planned.name, notes)

    def _new_recorder(self, step: str, notes: Mapping[str, Any] | None = None) -> Recorder:
        log, position = self.log, self.position
        if log is None:
            return Recorder(step)
        attempt, batches = self.attempts[position], self.batches

        def write(key: str, values: list[Any]) -> list[Any]:
            return log.record(position, attempt, next(batches), key, values)

        return Recorder(step, write, notes, self.beside)

    def progressed(self, current: float, total: float, category: str | None) -> None:
        """Take what a step said of its own progress."""
        if not self.progress.wanted or self.undoing or self.context.current_step is None:
            return
        position, steps = self.position, self.plan.steps
        if position >= len(steps) or not (0 <= current <= total and 0 < total < math.inf):
            return
        if self.listener is not None:
            step = steps[position].name
            self.listener(
                StepProgressed(step=step, current=current, total=total, category=category)
            )
        if self.outcome is None or self.outcome == "completed":
            self.progress.within(position, current, total)

    def measured(self, value: Mapping[str, Any], category: str) -> None:
        """Take metrics of a step."""
        if self.listener is not None:
            planned = self.running()
            name = category if planned is None else planned.name
            self.listener(MetricsMeasured(step=name, category=category, value=value))

    def logged(self, event: str, data: Mapping[str, Any], file: str | None) -> None:
        """Take what a step logged."""
        if self.listener is not None:
            step = self.context.current_step
            self.listener(MessageLogged(step=step, name=event, data=data, file=file))

    def seal(self, reason: str) -> None:
        """Note that this run can no longer be rolled back.

        Raises:
            RecordError: The run has not succeeded.
        """
        if self.outcome != "completed":
            raise RecordError(
                "seal() is for always_run steps of a run that succeeded; "
                f"this run {'is still going on' if self.outcome is None else self.outcome}"
            )
        if self.log is not None:
            self.log.seal(reason)
        self.sealed = reason
