"""Runs a workflow: the Orchestrator, with a blocking and an asyncio driver over one engine."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict

from handrail.context import link_run
from handrail.engine.finalize import executed_steps
from handrail.engine.machine import play, undo_paused
from handrail.engine.state import RunState
from handrail.errors import AsyncStepError
from handrail.events import Event
from handrail.orchestrator.blocking import Blocking
from handrail.orchestrator.dispatch import Dispatcher, run_info
from handrail.orchestrator.event_loop import running_loop
from handrail.plan.builder import plan_of_registry
from handrail.plan.plan import Plan
from handrail.registry import StepRegistry
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail.actions import BaseAction
    from handrail.calls import Machine
    from handrail.context import BaseStepContext
    from handrail.engine.places import Places
    from handrail.engine.state import PartOf
    from handrail.journal.protocol import Journal, OwnedRun
    from handrail.orchestrator.journaled import RunAbout

    C = TypeVar("C", bound=BaseStepContext, default=BaseStepContext)
else:
    from typing import TypeVar

    C = TypeVar("C", bound="BaseStepContext")

ProgressCallback = Callable[[int, int], object]
Observer = Callable[[Event], object]
OnFailure = Literal["undo", "keep"]
Phase = Callable[[RunState], "Machine"]


class RunOptions(TypedDict, total=False):
    """Keyword arguments of `run` and similar functions; see `Orchestrator`."""

    progress_callback: ProgressCallback | None
    observers: Iterable[Observer]
    journal: Journal | None
    on_failure: OnFailure
    strict_results: bool
    executor: str | None


class RunResult(TypedDict):
    """The result of a successful run: skipped steps do not count as executed."""

    success: bool
    steps_executed: int
    steps_total: int


class Orchestrator(Generic[C]):
    """Executes the steps of a registry in order, and undoes them in reverse when one fails.

    Args:
        registry: The steps, or an already frozen plan.
        context: The shared context of the steps.
        progress_callback: Called as `callback(percent, 100)` whenever the percentage grows; 100
            comes only at the end of a success, and always then.
        journal: The journal in which the run is recorded, so that it can be finished or undone if
            this process dies.
        on_failure: `undo`, or `keep`, which leaves finished steps and needs a journal.
        strict_results: Whether a step fails if the journal cannot store its result. Otherwise this
            is logged, as `result_not_stored`.
        observers: Called with every event; one that raises is reported once and dropped.
        about: The data that the journal needs to find the action again; given by an action.
        places: Who runs parts of the run elsewhere; given by an action.
        elsewhere: Whether isolated steps run in a process of their own; False runs them in this
            process, for tests.
        executor: The URL of the executor for the items of steps, such as `processes:4`; by default,
            that of the settings, or processes of this machine.
        part: What the run has from another one that it is a part of.

    Attributes:
        run_number: The number of the last run in its journal.
        action: The action that has given it, if one has.
        executor_of_parts: The URL of the executor for runs that are parts of it, or None.

    Raises:
        ValueError: `on_failure` is not one of the two, or `keep` is used without a journal.
    """

    def __init__(
        self,
        registry: StepRegistry[C] | Plan,
        context: C,
        progress_callback: ProgressCallback | None = None,
        *,
        journal: Journal | None = None,
        on_failure: OnFailure = "undo",
        strict_results: bool = False,
        observers: Iterable[Observer] = (),
        about: RunAbout | None = None,
        places: Places | None = None,
        elsewhere: bool = True,
        executor: str | None = None,
        part: PartOf | None = None,
    ) -> None:
        if on_failure not in ("undo", "keep"):
            raise ValueError(f"on_failure is 'undo' or 'keep', not {on_failure!r}")
        if on_failure == "keep" and journal is None:
            raise ValueError("on_failure='keep' needs a journal, else nothing could be resumed")
        self.registry = registry
        self.context = context
        self.progress_callback = progress_callback
        self.run_number: int | None = None
        self._journal = journal
        self._keeps = on_failure == "keep"
        self._strict_results = strict_results
        self._about = about
        self._places = places
        self._elsewhere = elsewhere
        self._owned: OwnedRun | None = None
        self._observers = tuple(observers)
        self._executed = False
        self._part = part
        self._run: RunState | None = None
        self._began = False
        self.action: BaseAction[Any] | None = None
        self.executor_of_parts = executor

    def execute(self) -> RunResult:
        """Execute all steps, blocking.

        Async steps run in an event loop of this run's own.

        Raises:
            StepFailedError: A step failed, and the finished ones were undone. It is a RuntimeError.
            AsyncStepError: There are async steps, and an event loop already runs in this thread.
            ContextError: The context of a durable run has a field that cannot be stored.
            IsolationError: A step is isolated, and cannot run in a process of its own.
            JournalError: The journal cannot be written; nothing is undone, and the run is left to
                `resume` or `rollback`.
        """
        return self.go_on()

    async def execute_async(self) -> RunResult:
        """Execute all steps; blocking ones run in a worker thread.

        On cancellation a blocking step is waited for, then the undo runs shielded, and
        CancelledError is raised after that.

        Raises:
            StepFailedError: A step failed, and the finished ones were undone. It is a RuntimeError.
            ContextError: See `execute`.
            IsolationError: See `execute`.
            JournalError: See `execute`.
        """
        return await self.go_on_async()

    def go_on(
        self, phase: Phase = play, owned: OwnedRun | None = None, undoes: bool = False
    ) -> RunResult:
        """Continue a run of another process, or one that has paused; see `execute`.

        Args:
            phase: Returns the machine to play; of a recorded run, it restores the state first.
            owned: The recorded run, claimed by this process; it is released afterwards.
            undoes: Whether a recorded run is only undone, so that of its steps only `always_run`
                ones may run.
        """
        run = self._started(phase, owned)
        driver = Blocking(run)
        try:
            if running_loop() and run.plan.has_async:
                raise AsyncStepError(
                    f"{run.plan.action} has async steps, and an event loop already runs in this "
                    "thread",
                    ways_out=("use `await orchestrator.execute_async()`",),
                )
            driver.drive(lambda: self._opened(run, phase, undoes), self._over)
        finally:
            self._over()
        return self._ending(run, driver.interrupted, undone=phase is undo_paused)

    async def go_on_async(
        self, phase: Phase = play, owned: OwnedRun | None = None, undoes: bool = False
    ) -> RunResult:
        """Like `go_on`, for use inside a running event loop."""
        # asyncio costs more than the rest of the import, and blocking runs need none of it.
        from handrail.orchestrator.asynchronous import Asynchronous  # noqa: PLC0415

        run = self._started(phase, owned)
        driver = Asynchronous(run)
        try:
            await driver.drive(self._opened(run, phase, undoes))
        finally:
            self._over()
        return self._ending(run, driver.cancelled, undone=phase is undo_paused)

    def observe(self, observers: Iterable[Observer]) -> None:
        """Add observers, before the run."""
        self._observers += tuple(observers)

    def keep(self, kind: str, text: str, *, step: str = "", name: str = "", seq: int = 0) -> str:
        """Keep a text beside the current run; see `handrail.hookspecs.observe`."""
        run = self._run
        if run is None or run.line.log is None:
            return "it is not kept: the run has no journal"
        position = run.plan.positions.get(step)
        attempt = 0 if position is None else run.attempts.get(position, 1)
        return run.line.log.keep(step, attempt, kind, name, seq, text)

    # Of a run that is a part of another one, after its way forward

    @property
    def has_paused(self) -> bool:
        """Whether the run has begun, and has left to its parent what becomes of it."""
        run = self._run
        return run is not None and self._began and run.pauses and run.outcome is None

    @property
    def can_undo(self) -> bool:
        """Whether it can be undone now: it has paused, or has ended well and has no journal."""
        run = self._run
        ended = run is not None and run.line.log is None and run.outcome == "completed"
        return self.has_paused or ended

    @property
    def executed(self) -> int:
        """The number of steps of the run that succeeded without being skipped."""
        return 0 if self._run is None else executed_steps(self._run)

    @property
    def not_undone(self) -> tuple[str, ...]:
        """The steps with effects that the undo of the run has not taken back."""
        return () if self._run is None else self._run.not_undone

    def release(self) -> None:
        """Give up a run that has paused, as the end of its process would."""
        if self._run is not None:
            self._run.pauses = False
            self._over()

    @staticmethod
    def _ending(run: RunState, interrupt: BaseException | None, *, undone: bool) -> RunResult:
        failure = run.failure
        if interrupt is not None and (failure is None or isinstance(failure, Exception)):
            raise interrupt from failure
        if failure is not None and not (undone and run.outcome == "rolled_back"):
            raise failure
        return {
            "success": True,
            "steps_executed": executed_steps(run),
            "steps_total": run.plan.size,
        }

    def _started(self, phase: Phase, owned: OwnedRun | None) -> RunState:
        """Return the run that has paused, or a new state; it is released in any case at its end."""
        if phase is not play and owned is None and self._run is not None:
            return self._run
        self._owned = owned
        context = self.context
        plan = (
            self.registry
            if isinstance(self.registry, Plan)
            else self.registry.compiled(plan_of_registry)
        )
        listener = Dispatcher(self._observers, context) if self._observers else None
        part = self._part
        run = RunState(
            plan,
            context,
            run_id=_uuid7() if part is None else part.uid,
            describe=run_info,
            clock=time.perf_counter,
            on_progress=self.progress_callback,
            listener=listener,
            is_heard=None if listener is None else listener.is_heard,
        )
        link_run(context, run.line)
        self._run, self._began = run, False
        run.executor = self.executor_of_parts
        if part is not None:
            run.parent, run.pauses = part.line, part.pauses
            run.line.watched(None)
        if self._executed:
            context.step_results.clear()
            context.errors.clear()
        self._executed = True
        return run

    def _opened(self, run: RunState, phase: Phase, undoes: bool) -> Machine:
        """Open the run in the journal, if there is one, and return the machine to play."""
        if self._began:
            self._open_places(run, early=False)
            return phase(run)
        self.run_number = None
        run.keeps = self._keeps
        run.strict_results = self._strict_results
        places = run.places = self._places_of(run)
        if not undoes:
            places.check(run)
        machine = phase(run)
        if self._owned is None and self._journal is not None:
            from handrail.orchestrator.journaled import RunAbout, open_run  # noqa: PLC0415 - for these

            about = RunAbout(action=run.plan.action) if self._about is None else self._about
            self._owned = open_run(run, self._journal, about, self._part)
        self.run_number = run.number
        self._open_places(run, early=not undoes)
        self._began = True
        return machine

    def _places_of(self, run: RunState) -> Places:
        """Return who runs parts of the run elsewhere."""
        if self._places is None:
            from handrail.packs.places import without_action  # noqa: PLC0415 - of a run with an action

            executor, elsewhere = self.executor_of_parts, self._elsewhere
            kind = type(self.context)
            self._places = without_action(run.plan, kind, executor, elsewhere=elsewhere)
        return self._places

    def _open_places(self, run: RunState, *, early: bool) -> None:
        """Let those who run parts of it elsewhere take the run."""
        assert run.places is not None
        lock = None if self._owned is None else self._owned.lock_descriptor
        run.places.open(run, lock, early=early)

    def _over(self) -> None:
        self.context.current_step = None
        if self._places is not None:
            self._places.close()
        if self.has_paused:
            return
        run = self._run
        for held in list(run.held.values()) if run is not None else ():
            if held is not None:
                held.release()
        owned, self._owned = self._owned, None
        if owned is not None:
            owned.release()


def run_awaitable(awaitable: Awaitable[Any]) -> Any:
    """Run an awaitable to its end, in a new event loop.

    Raises:
        AsyncStepError: An event loop already runs in this thread.
    """
    if running_loop():
        getattr(awaitable, "close", lambda: None)()
        raise AsyncStepError(
            "this action is async, and an event loop already runs in this thread",
            ways_out=("use `await action.run_async()`",),
        )
    import asyncio  # noqa: PLC0415 - only async work pays for it

    return asyncio.run(_awaited(awaitable))


@calls_user_code
async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _uuid7() -> str:
    """Return a UUIDv7 (RFC 9562, section 5.7): later ids sort after earlier ones."""
    # Python offers it from 3.14 on.
    millis = time.time_ns() // 1_000_000
    digits = f"{millis:012x}7{os.urandom(2).hex()[1:]}"
    variant = f"{0x80 | os.urandom(1)[0] & 0x3F:x}{os.urandom(1).hex()}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:]}-{variant}-{os.urandom(6).hex()}"
