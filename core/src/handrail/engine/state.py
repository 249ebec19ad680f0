"""The state of one run, with its progress, for the engine and the drivers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field
from fractions import Fraction
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol

from handrail.engine.line import Line
from handrail.errors import RollbackError, StepCancelled, StepTimedOut
from handrail.events import Event, ProgressChanged
from handrail.frozen import frozen
from handrail.recorder import InThread
from handrail.steps import StepResult
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail.context import BaseStepContext, RunInfo
    from handrail.engine.group import GroupRun
    from handrail.engine.log import ResumedLane
    from handrail.engine.outcome import Failure
    from handrail.engine.places import Places
    from handrail.plan.plan import Plan, PlannedStep


INTERRUPTIONS = (KeyboardInterrupt, SystemExit, StepTimedOut, StepCancelled)


class HeldRun(Protocol):
    """A run that is a part of another one, and has paused."""

    def release(self) -> None:
        """Give it up, as the end of its process would."""


@frozen
class PartOf:
    """What a run has from another one that it is a part of.

    Attributes:
        line: The step that it is a part of, as it runs.
        uid: The UUID of the run.
        item: Its place among the runs of that attempt of the step, from 0.
        pauses: Whether it stops where its way forward ends, and leaves to its parent what becomes
            of it.
        variables: The variables of its secret params, by their paths, if not the usual ones.
    """

    line: Line
    uid: str
    item: int = 0
    pauses: bool = False
    variables: Mapping[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])


@frozen
class Missing:
    """The values of a recorded result that could not be stored.

    Attributes:
        types: The type of each value, by its key.
        context: Returns a context as it was before the step, for running it again; called with
            that of its line.
    """

    types: Mapping[str, str]
    context: Callable[[BaseStepContext], BaseStepContext]


class Progress:
    """The percentage of a run as a whole, passed on whenever it grows.

    Attributes:
        wanted: Whether there is a callback or a listener.
        percent: The percentage that was passed on last.
    """

    def __init__(
        self,
        plan: Plan,
        on_progress: Callable[[int, int], object] | None,
        listener: Callable[[Event], None] | None,
    ) -> None:
        self.wanted = on_progress is not None or listener is not None
        self.percent = 0
        self._plan = plan
        self._on_progress = on_progress
        self._listener = listener
        self._lock = threading.RLock()
        self._quiet: tuple[int, float, float] = (-1, 0, 0)
        self._parts: dict[range, Fraction] | None = None

    @calls_user_code
    def reached(self, percent: int) -> None:
        """Pass `percent` on, if it has grown."""
        with self._lock:  # Steps may report from threads of their own.
            if percent <= self.percent:
                return
            self.percent = percent
            if self._listener is not None:
                self._listener(ProgressChanged(percent=percent))
            if self._on_progress is not None:
                self._on_progress(percent, 100)

    def forget_listener(self) -> None:
        """Pass nothing on to the listener from now on."""
        self._listener = None
        self.wanted = self._on_progress is not None

    def enter(self, lanes: Sequence[range]) -> None:
        """Count the steps of these lanes side by side from now on, until `leave`."""
        self._parts = dict.fromkeys(lanes, Fraction(0))

    def leave(self) -> None:
        """Count one step after the other again."""
        self._parts = None

    def after(self, position: int) -> int:
        """Return the percentage once the step at `position` is done."""
        if self._parts is None:
            return self._plan.weights.after(position)
        return self._with(position, Fraction(1))

    def _with(self, position: int, part: Fraction) -> int:
        """Return the percentage of all lanes, now that `part` of the step at `position` is done."""
        weights, done = self._plan.weights, self._plan.weights.done
        with self._lock:
            parts = self._parts
            if parts is None:  # It reports after its group was left.
                return 0
            for lane in parts:
                if position in lane:
                    whole: int | Fraction = done[position] - done[lane.start]
                    whole += part * (done[position + 1] - done[position])
                    parts[lane] = max(parts[lane], Fraction(whole))
            first = done[next(iter(parts)).start]
            return min(99, int(100 * (first + sum(parts.values())) // weights.total))

    def within(self, position: int, current: float, total: float) -> None:
        """Note that `current` of `total` of the step at `position` is done."""
        # Nearly always there is no news until the step passes a known value.
        where, known, news = self._quiet
        if current < news and position == where and total == known:
            return
        if self._parts is not None:
            self.reached(self._with(position, Fraction(current) / Fraction(total)))
            return
        weights = self._plan.weights
        self.reached(weights.within(position, current, total))
        self._quiet = (position, total, weights.news(position, total, self.percent))


@dataclass(slots=True, eq=False)
class RunState:
    """One execution of a plan.

    Attributes:
        plan: The plan.
        context: The context of its steps, stored in `line`.
        run_id: The UUID of the run.
        describe: Returns what names the run to others.
        clock: Returns seconds, of which only differences count.
        on_progress: Called as `on_progress(percent, 100)` whenever the run as a whole has grown.
        listener: Called with each event.
        is_heard: Returns whether the listener passes events on to anybody; None if it always does.
        line: Its steps in sequence, and their progress.
        progress: The percentage of the run as a whole.
        closed: Results of `always_run` steps, by position.
        undoing: Whether steps are being undone.
        leftovers: Attempts whose undo failed, with their number, by position; they are undone with
            their step.
        in_thread: Calls a blocking function for a coroutine, where an event loop runs.
        places: Who runs parts of it elsewhere, once it has begun.
        mapped: The attempts of steps that have items, by position.
        retried: Positions of steps whose failed items are tried again.
        back_to: The position of the step to go back to before a resumed run goes forward, or None.
        restore_fields: Sets the stored fields of the context as they were before a step.
        closing: Whether an `always_run` step of a resumed run has begun.
        taken_back: Positions of steps whose undo has begun in a run that goes forward.
        number: The number of a durable run in its journal.
        journal: Where that is: the path of a file, or a URL without secrets.
        keeps: Whether nothing is undone when a step of a durable run fails.
        strict_results: Whether a step of a durable run fails if its result cannot be stored.
        missing: Results of a resumed run with values that could not be stored, by position.
        attempts: Number of the last attempt of each step that had one, in a durable run.
        before: The outcome of a resumed run before this process claimed it.
        undone: Positions that an earlier process has undone.
        unsure: Positions of steps that an earlier process has left unfinished, and that nothing can
            undo: they may have left something.
        not_undone_within: Such steps of its parts.
        closed_within: How many steps have closed its parts.
        not_undone: Names of steps with effects that the undo of the run does not take back.
        gone: Names of steps of a resumed run that began and are no longer in the plan.
        waiting: Positions whose undo waits, each with the step whose undo has failed.
        held_back: The steps among them that are not undone because of that, and whose it is.
        interruptions: Kinds of exceptions that are no failure of a step, and are re-raised
            themselves; CancelledError is one once the run is cancelled.
        opened: When the run started, on `clock`, if there is a listener.
        outcome: The outcome of the run, once known.
        undo_cause: The reason for the undo, once it has begun.
        untouched: Whether a requested undo has begun, and could still be called off.
        failure: The error that ended it, unless it succeeded.
        sealed: The reason why it can no longer be rolled back, if so.
        rollback_errors: An error for each step that could not be undone.
        batches: Counter of recorded batches, across all steps.
        resumed: In a resumed run, the lanes of a group that is not over, by their first positions.
        starts: The positions of the steps of groups in the order in which their last attempts
            began, which an undo reverses.
        group: The group that is being played.
        parent: The step of another run that it is a part of, if it is one: what its parent stops,
            it stops; what it relies on, its parent relies on.
        loop: The loop of its async steps in a blocking driver, for those of its parts, too.
        pauses: Whether it stops where its way forward ends, well or not, and leaves to its parent
            what becomes of it.
        stopped_by: Why it paused before its last step, if so.
        executor: The URL of the executor for its parts, or None.
        handed_down: How the user goes on with it, which holds for its parts too.
        held: The runs that are parts of it and have paused, by their UUIDs; None for those that are
            over.
    """

    plan: Plan
    context: InitVar[BaseStepContext]
    _: KW_ONLY
    run_id: str
    describe: Callable[[RunState], RunInfo]
    clock: Callable[[], float]
    on_progress: InitVar[Callable[[int, int], object] | None] = None
    listener: Callable[[Event], None] | None = None
    is_heard: Callable[[], bool] | None = None
    line: Line = field(init=False)
    progress: Progress = field(init=False)
    closed: dict[int, StepResult] = field(default_factory=dict[int, StepResult])
    undoing: bool = False
    leftovers: dict[int, list[tuple[int, StepResult]]] = field(
        default_factory=dict[int, list[tuple[int, StepResult]]]
    )
    in_thread: InThread | None = None
    places: Places | None = None
    mapped: dict[int, set[int]] = field(default_factory=dict[int, set[int]])
    retried: set[int] = field(default_factory=set[int])
    back_to: int | None = None
    restore_fields: Callable[[int], None] = lambda position: None
    closing: bool = False
    taken_back: set[int] = field(default_factory=set[int])
    number: int | None = None
    journal: str | None = None
    keeps: bool = False
    strict_results: bool = False
    missing: dict[int, Missing] = field(default_factory=dict[int, "Missing"])
    attempts: dict[int, int] = field(default_factory=dict[int, int])
    before: str | None = None
    undone: set[int] = field(default_factory=set[int])
    unsure: set[int] = field(default_factory=set[int])
    not_undone_within: list[str] = field(default_factory=list[str])
    closed_within: int = 0
    not_undone: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    waiting: dict[int, str] = field(default_factory=dict[int, str])
    held_back: dict[str, str] = field(default_factory=dict[str, str])
    interruptions: tuple[type[BaseException], ...] = INTERRUPTIONS
    opened: float = 0.0
    outcome: str | None = None
    undo_cause: Failure | None = None
    untouched: bool = False
    failure: BaseException | None = None
    sealed: str | None = None
    rollback_errors: list[RollbackError] = field(default_factory=list[RollbackError])
    batches: count[int] = field(default_factory=lambda: count(1))
    resumed: dict[int, ResumedLane] = field(default_factory=dict[int, "ResumedLane"])
    starts: dict[int, None] = field(default_factory=dict[int, None])
    group: GroupRun | None = None
    parent: Line | None = None
    pauses: bool = False
    loop: object = None
    stopped_by: Failure | None = None
    executor: str | None = None
    handed_down: dict[str, Any] = field(default_factory=dict[str, Any])
    held: dict[str, HeldRun | None] = field(default_factory=dict[str, "HeldRun | None"])

    def __post_init__(
        self, context: BaseStepContext, on_progress: Callable[[int, int], object] | None
    ) -> None:
        self.line = Line(self, context, stop=self.plan.ordinary)
        self.progress = Progress(self.plan, on_progress, self.listener)

    def announced(self) -> None:
        """Forget a listener whom nobody hears: its observers were told of the run, and declined."""
        if self.is_heard is not None and not self.is_heard():
            self.listener = None
            self.progress.forget_listener()

    def reverts(self, position: int) -> bool:
        """Return whether there is something to call to undo the step at `position`."""
        facts = self.plan.steps[position].facts
        return facts.reverts or position in self.mapped or position in self.unsure

    def undo_order(self, failed: PlannedStep | None, last: int) -> Sequence[int]:
        """Return the positions of the steps that began, in the order in which they are undone.

        The failing step comes first, then all others in the reverse order of their starts: outside
        of groups, that of the plan. So nothing is undone before what may have been built on it.

        Args:
            failed: The step that failed, if one did.
            last: The last position.
        """
        steps = self.plan.steps
        if not self.plan.groups:
            return range(last, -1, -1)
        begun: dict[str | None, list[int]] = {}
        for position in reversed(self.starts):
            begun.setdefault(steps[position].group, []).append(position)
        order: list[int] = []
        for position in range(last, -1, -1):
            group = steps[position].group
            if group is None:
                order.append(position)
            else:
                order += begun.pop(group, ())
        failing = next((each for each in order if steps[each] is failed), None)
        if failing is not None and not self.line.finished[failing].success:
            order.remove(failing)
            order.insert(0, failing)
        return order

    def is_recorded(self, uid: str, number: int, journal: str | None = None) -> None:
        """Take the ids of a run that is in a journal, and where that is."""
        self.run_id, self.number, self.journal = uid, number, journal
