"""The state of one run, as the engine, the drivers and the context see it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar, overload

from handrail.engine.progress import Weights, weights_of
from handrail.engine.rollback import ended
from handrail.errors import RecordError, RollbackError
from handrail.events import Event, MessageLogged, MetricsMeasured, ProgressChanged, StepProgressed
from handrail.names import near
from handrail.recording import Beside, Recorder
from handrail.steps import StepResult

if TYPE_CHECKING:
    from handrail.context import BaseStepContext
    from handrail.engine.log import RunLog
    from handrail.engine.outcome import Failure
    from handrail.plan.plan import Plan, PlannedStep
    from handrail.wrapper import Raised


D = TypeVar("D")


class Results(Mapping[str, "StepResult"]):
    """The results of the finished steps by name, alias or inner name; nothing is kept per step."""

    def __init__(self, run: RunState) -> None:
        self._run = run

    def __getitem__(self, name: str) -> StepResult:
        result = self.get(name)
        if result is not None:
            return result
        run = self._run
        if name in run.plan.positions:
            raise KeyError(f"step '{name}' has not finished yet")
        matches = near(name, run.plan.positions)
        hint = f"; did you mean {' or '.join(matches)}?" if matches else ""
        raise KeyError(f"no step answers to '{name}'{hint}")

    @overload
    def get(self, key: str, /) -> StepResult | None: ...
    @overload
    def get(self, key: str, /, default: StepResult | D) -> StepResult | D: ...

    # Overridden, as is `in`, because a miss of `[]` looks for near names.
    def get(self, key: str, /, default: Any = None) -> Any:
        """Return the result of the step that answers to `key`, or `default`."""
        run = self._run
        position = run.plan.positions.get(key)
        result = None if position is None else run.result_at(position)
        return default if result is None else result

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        run = self._run
        for position, planned in enumerate(run.plan.steps):
            if run.result_at(position) is not None:
                yield planned.name

    def __len__(self) -> int:
        return len(self._run.finished) + len(self._run.closed)


class RunState:
    """One execution of a plan.

    Attributes:
        plan: What is executed.
        ordinary: How many of its steps come before those with `always_run`.
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
        doubt: What the interrupted attempt of the next step has recorded, when a run goes on.
        undone: Positions that were undone before, when an undo goes on.
        gone: Names of steps that began, and are not in the plan any more, when a run goes on.
        opened: When the run started, on the driver's clock, if somebody listens.
        began: When the running step started, on the driver's clock, if somebody listens.
        percent: The last progress that was reported.
        outcome: How the run ended, once that is known.
        fell: Why it went back, once it did.
        failure: What ended it, unless it succeeded.
        undo_result: During an undo, the result to hand to `rollback`.
        rollback_errors: One for each step that could not be undone.
    """

    def __init__(
        self,
        plan: Plan,
        context: BaseStepContext,
        *,
        new_id: Callable[[], str],
        clock: Callable[[], float],
        on_progress: Callable[[int], object] | None = None,
        listener: Callable[[Event], None] | None = None,
        log: RunLog | None = None,
    ) -> None:
        self.plan = plan
        self.context = context
        self.clock = clock
        self.on_progress = on_progress
        self.listener = listener
        self.ordinary = sum(not planned.always_run for planned in plan.steps)
        self.finished: list[StepResult] = []
        self.closed: dict[int, StepResult] = {}
        self.current: int | None = None
        self.undoing = False
        self.asking = False
        self.recording: Recorder | None = None
        self.leftovers: dict[int, list[tuple[int, StepResult]]] = {}
        self.log = log
        self.beside: Beside | None = None
        self.number: int | None = None
        self.keeps = False
        self.attempts: dict[int, int] = {}
        self.begun: int | None = None
        self.doubt: StepResult | None = None
        self.undone: set[int] = set()
        self.gone: tuple[str, ...] = ()
        self.batches = count(1)
        self.percent = 0
        self.opened = 0.0
        self.began = 0.0
        self.outcome: str | None = None
        self.fell: Failure | None = None
        self.failure: BaseException | None = None
        self.sealed: str | None = None
        self.undo_result: StepResult | None = None
        self.rollback_errors: list[RollbackError] = []
        self.results: Mapping[str, StepResult] = Results(self)
        self._new_id = new_id
        self._id: str | None = None
        self._weights: Weights | None = None
        self._reports = threading.RLock()
        self._records = threading.Lock()

    @property
    def weights(self) -> Weights:
        """The plan's weights, worked out when something reports progress."""
        if self._weights is None:
            self._weights = weights_of(self.plan)
        return self._weights

    @property
    def reporting(self) -> bool:
        """Whether anybody wants to know of progress."""
        return self.on_progress is not None or self.listener is not None

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
        if self.context.current_step is None or self.position >= len(self.plan.steps):
            return None
        return self.plan.steps[self.position]

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
            self._id = self._new_id()
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
        planned = self.running() if self.reporting and not self.undoing else None
        if planned is None or not (0 <= current <= total and 0 < total < math.inf):
            return
        if self.listener is not None:
            self.listener(
                StepProgressed(step=planned.name, current=current, total=total, category=category)
            )
        if self.outcome in (None, "completed"):
            self.reached(self.weights.within(self.position, current, total))

    def reached(self, percent: int) -> None:
        """Report that the run as a whole has come to `percent`, if that is news."""
        with self._reports:  # Steps may report from threads of their own.
            if percent <= self.percent:
                return
            self.percent = percent
            if self.listener is not None:
                self.listener(ProgressChanged(percent=percent))
            if self.on_progress is not None:
                self.on_progress(percent)

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
