"""RunStep: a step that runs an action, as a run of its own that is a part of the run."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from handrail import events
from handrail.actions import (
    BaseAction,
    entries_of,
    orchestrator_of,
    require_inputs,
)
from handrail.context import run_of
from handrail.engine.finalize import EXECUTED
from handrail.engine.machine import close_paused, undo_paused
from handrail.engine.state import PartOf
from handrail.engine.user_code import calls_user_code
from handrail.errors import (
    ActionError,
    ExecutorLostError,
    JournalError,
    ParamsError,
    RefusedError,
    RollbackRefusedError,
    RunHeldError,
    StepFailedError,
)
from handrail.frozen import replace
from handrail.orchestrator.event_loop import running_loop
from handrail.recovery.parts import PartRun
from handrail.steps import BaseStep, StepResult

if TYPE_CHECKING:
    from handrail.context import BaseStepContext
    from handrail.engine.line import Line
    from handrail.journal.protocol import Journal, OwnedRun
    from handrail.journal.records import RunRow
    from handrail.journal.run_log import JournaledLog
    from handrail.orchestrator import Orchestrator, Phase, RunOptions
    from handrail.packs.pack_provider import PackProvider
    from handrail.packs.provider import Packs
    from handrail.plan.plan import Plan
    from handrail.recovery.status import Aim
    from handrail.workflow import Workflow

T = TypeVar("T")
Call = tuple[Callable[[], Any], Callable[[], Awaitable[Any]]]
"""The same call for a blocking and for an async driver."""
Calls = Generator[Call, Any, T]

KEY = "run"
"""The key of the rollback data that has the UUIDs of the runs of a step."""


class RunStep(BaseStep[Any]):
    """A step that runs an action, as a run of its own in the same journal.

    The run has a record of its own. It goes on when the step is resumed, and is undone by its own
    rules when the step is. If it fails, its parent decides what becomes of it.

    Args:
        name: Name of the step.
        action: The action.
        params: Its params; or a function that returns them, called with the context of the step.
        weight: Share of the progress, relative to the other steps.
        packs: See `BaseAction`; by default, those with which the step is planned.

    Attributes:
        action_class: The class of the action.
        closes: Whether the run ends with the step. Otherwise it waits with its `always_run` steps
            for another step to close it.
    """

    closes = True

    def __init__(
        self,
        name: str,
        action: type[BaseAction[Any]] | Workflow,
        params: Mapping[str, Any] | Callable[[Any], Mapping[str, Any]] | None = None,
        *,
        weight: float = 1.0,
        packs: Packs = None,
    ) -> None:
        self.name = name
        self.progress_weight = weight
        given: Any = action
        self.action_class: type[BaseAction[Any]] = getattr(given, "action_class", given)
        nothing: Mapping[str, Any] = {}
        self._params = nothing if params is None else params
        self._packs = packs

    def execute(self, context: BaseStepContext) -> StepResult | Awaitable[StepResult]:
        """Run the action."""
        return played(context, self._execute(context))

    def resume(
        self, context: BaseStepContext, result: StepResult
    ) -> StepResult | Awaitable[StepResult]:
        """Go on with the run that the step has begun."""
        return played(context, self._resume(context, result))

    def rollback(self, context: BaseStepContext, result: StepResult) -> None | Awaitable[None]:
        """Undo the run, by its own rules."""
        return played(context, self._undo(context, result))

    def writes_async(self, methods: Iterable[str]) -> bool:
        """Return whether any of these methods is async now: inside an event loop they are."""
        return running_loop() and bool({"execute", "resume", "rollback"} & {*methods})

    def inner_plan(self, provider: PackProvider) -> Plan:
        """Return the plan of the action, whose params may be incomplete.

        Raises:
            PlanError: The plan has problems.
        """
        if self._packs is None:
            self._packs = provider
        values: Mapping[str, Any] = {} if callable(self._params) else self._params
        return self.action_class.partial(values, packs=self._packs).plan()

    @property
    def inputs(self) -> Mapping[str, str]:
        """The outputs of earlier steps that params of the action are, by the param."""
        return {}

    def variables(self, context: Any) -> Mapping[tuple[str, ...], str]:
        """Return the variables of the action's secrets, by the path of the param."""
        return {}

    @calls_user_code
    def action_for(self, context: Any) -> BaseAction[Any]:
        """Return the action with its params.

        Raises:
            ParamsError: They are not valid.
        """
        values = self._params(context) if callable(self._params) else self._params
        return self.action_class(values, context.runtime_ctx, packs=self._packs)

    def preview_run(self, context: BaseStepContext, plan: Plan) -> StepResult:
        """Run a plan of the action for a dry run, without a journal."""
        line = line_of(context)
        action = self._ready(context, plan)
        part = PartOf(line=line, uid=self._new_uid(line)[0])
        orchestrator = orchestrator_of(action, plan, part=part, **self._options(line))
        with _part_of(line):
            orchestrator.execute()
        entries: Mapping[str, Any] = {}
        with suppress(ActionError):  # It may need what only a run makes.
            entries = entries_of(action, orchestrator.context)
        return self._result(entries, orchestrator.executed)

    # The run

    def _ready(self, context: Any, plan: Plan | None) -> BaseAction[Any]:
        """Return the action, whose inputs are there.

        Raises:
            ActionError: Its params are not valid.
        """
        try:
            action = self.action_for(context)
            require_inputs(action, plan or action.plan())
        except ParamsError as error:
            told = "; ".join(f"{path}: {text}" if path else text for path, text in error.fields)
            raise ActionError(
                f"{self.name} cannot begin: {told}", ways_out=error.ways_out
            ) from None
        return action

    def _execute(self, context: BaseStepContext) -> Calls[StepResult]:
        line = line_of(context)
        inner = line.run.plan.steps[line.position].inner
        action = self._ready(context, inner)
        plan = inner or action.plan()
        uid, item = self._new_uid(line)
        context.record_rollback(KEY, uid)
        part = PartOf(line=line, uid=uid, item=item, pauses=True)
        if line.log is not None:
            part = replace(part, variables=self.variables(context))
        orchestrator = orchestrator_of(action, plan, part=part, **self._options(line))
        line.run.held[uid] = orchestrator
        with _part_of(line):
            yield orchestrator.execute, orchestrator.execute_async
        return (yield from self._ended(line, uid))

    def _resume(self, context: BaseStepContext, result: StepResult) -> Calls[StepResult]:
        line = line_of(context)
        found = next(self._recorded(line, result), None)
        if found is not None and found.row.direction == "undo":
            yield from self._undo_recorded(line, found)
            found = None
        if found is None or found.row.outcome == "rolled_back":
            return (yield from self._execute(context))
        if found.row.outcome == "completed":
            return self._result(found.result(), found.executed())
        yield from self._go_on(line, found, "resume", pauses=True)
        return (yield from self._ended(line, found.row.uid))

    def _go_on(self, line: Line, found: PartRun, aim: Aim, *, pauses: bool = False) -> Calls[None]:
        """Finish or undo a recorded run, or let it go forward only."""
        with _part_of(line):
            recovery = found.recovery(aim)
            recovery.part = PartOf(line=line, uid=found.row.uid, pauses=pauses)
            recovery.options.update(self._options(line))
            orchestrator, going = recovery.claim()
            line.run.held[found.row.uid] = orchestrator
            yield partial(orchestrator.go_on, going), partial(orchestrator.go_on_async, going)

    def _ended(self, line: Line, uid: str) -> Calls[StepResult]:
        """Close a run that has paused well, if it does not wait for that; return its result."""
        held = cast("Orchestrator[Any]", line.run.held[uid])
        if self.closes:
            with _part_of(line):
                yield _phase(held, close_paused)
        assert held.action is not None
        entries = entries_of(held.action, held.context)
        if line.log is not None:
            entries = dict(_stored(entries))
        return self._result(entries, held.executed)

    @staticmethod
    def _result(entries: Mapping[str, Any], executed: int) -> StepResult:
        told = {"summary": entries["summary"]} if "summary" in entries else {}
        return StepResult(data={"result": dict(entries), EXECUTED: executed, **told})

    def _undo(self, context: BaseStepContext, result: StepResult) -> Calls[None]:
        line = line_of(context)
        for uid in reversed(result.rollback_data.get(KEY, ())):
            held = cast("Orchestrator[Any] | None", line.run.held.get(uid))
            if held is not None and held.can_undo:
                with _undoing(), _part_of(line):
                    yield _phase(held, undo_paused)
                self._undone(line, held)
            else:
                for found in self._recorded(line, result, uid):
                    yield from self._undo_recorded(line, found)
            line.run.held[uid] = None

    def _undo_recorded(self, line: Line, found: PartRun) -> Calls[None]:
        if found.row.outcome != "rolled_back":
            with _undoing():
                yield from self._go_on(line, found, "rollback")
            self._undone(line, cast("Orchestrator[Any]", line.run.held[found.row.uid]))

    def _undone(self, line: Line, orchestrator: Orchestrator[Any]) -> None:
        line.run.not_undone_within += [f"{self.name}.{each}" for each in orchestrator.not_undone]

    def close(self, context: Any) -> Calls[int]:
        """Close the run of the step, which waits; return how many steps that has executed."""
        line = line_of(context)
        result = context.results[self.name]
        uid = next(reversed(result.rollback_data.get(KEY, ())), None)
        held = cast("Orchestrator[Any] | None", line.run.held.get(uid or ""))
        if held is not None and held.has_paused:
            before = held.executed
            with _part_of(line):
                yield _phase(held, close_paused)
            return held.executed - before
        executed = 0
        for found in self._recorded(line, result, uid):
            if found.row.outcome not in ("completed", "rolled_back"):
                yield from self._go_on(line, found, "resume")
            executed += found.executed(closing=True)
        return executed

    def _recorded(
        self, line: Line, result: StepResult, uid: str | None = None
    ) -> Iterator[PartRun]:
        """Yield the recorded run with a UUID, by default the last of the step."""
        if line.log is None:
            return
        uids = result.rollback_data.get(KEY, ())
        wanted = uid or next(reversed(uids), None)
        journal, owned = _place(line)
        for row in journal.parts(owned.number):
            if row.uid == wanted:
                yield self.part_run(journal, row, line.context.runtime_ctx, line.run.handed_down)

    def part_run(
        self, journal: Journal, row: RunRow, ctx: Any, handed_down: Mapping[str, Any]
    ) -> PartRun:
        """Return a recorded run of this step, to go on with it or to undo it."""
        return PartRun(
            action=self.action_class,
            journal=journal,
            row=row,
            packs=self._packs,
            ctx=ctx,
            handed_down=dict(handed_down),
        )

    def _new_uid(self, line: Line) -> tuple[str, int]:
        """Return the UUID of a new run, and its place among those of the attempt.

        That of the first one follows from the run and the name of the step.
        """
        attempt = line.run.attempts.get(line.position, 1)
        known = set(line.run.held)
        if line.log is not None:
            journal, owned = _place(line)
            known |= {row.uid for row in journal.parts(owned.number)}
        item = 0
        while True:
            place = f"/{attempt}.{item}" if attempt > 1 or item else ""
            uid = str(uuid.uuid5(uuid.UUID(line.run_id), f"{self.name}{place}"))
            if uid not in known:
                return uid, item
            item += 1

    def _options(self, line: Line) -> RunOptions:
        """Return what the run has from its parent."""
        run, options = line.run, cast("RunOptions", {})
        if line.log is not None:
            options["journal"] = _place(line)[0]
        if run.listener is not None:
            options["observers"] = (_told_to(run.listener, line),)
        if run.progress.wanted:
            options["progress_callback"] = line.has_advanced
        if run.executor is not None:
            options["executor"] = run.executor
        options["strict_results"] = run.strict_results
        return options


def line_of(context: object) -> Line:
    """Return the line of the running step of a context."""
    return cast("Line", run_of(context))


def _phase(held: Orchestrator[Any], phase: Phase) -> Call:
    """Return the call that goes on with a run that has paused."""
    return partial(held.go_on_with, phase), partial(held.go_on_with_async, phase)


def _place(line: Line) -> tuple[Journal, OwnedRun]:
    return cast("JournaledLog", line.log).place


@calls_user_code
def _stored(entries: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a result that have a JSON form, in that form."""
    from handrail.params.chained import json_of  # noqa: PLC0415 - it needs pydantic

    for name, value in entries.items():
        try:
            yield name, json_of(value)
        except Exception:  # noqa: BLE001 - of any type of the action
            continue


@contextmanager
def _part_of(line: Line) -> Generator[None]:
    """Carry what stops a part on to the run that it is a part of, within the block."""
    try:
        yield
    except (RunHeldError, RollbackRefusedError) as error:
        refused = RefusedError(error.message, ways_out=error.ways_out)
        vars(refused).update(code=error.code, exit_code=error.exit_code)
        raise refused from error
    except StepFailedError as error:
        error.of_part = True
        raise
    except (JournalError, ExecutorLostError) as error:
        if line.log is not None:
            cast("JournaledLog", line.log).break_off(error)
        raise


@contextmanager
def _undoing() -> Generator[None]:
    """Let an error in the block be that of the first step that could not be undone, if any."""
    try:
        yield
    except StepFailedError as error:
        if error.outcome == "rolled_back":
            return
        if not error.rollback_errors:
            raise
        first, *others = error.rollback_errors
        for each in others:
            first.add_note(each.message)
        raise first from None


def played(context: object, calls: Calls[T]) -> T | Awaitable[T]:
    """Make the calls, in the way of the driver of the run."""
    if running_loop() and line_of(context).run.in_thread is not None:
        return _play_async(calls)
    return _play(calls)


def _play(calls: Calls[T]) -> T:
    try:
        call = next(calls)
        while True:
            try:
                answer = call[0]()
            except BaseException as error:  # noqa: BLE001 - for what has made the call
                call = calls.throw(error)
            else:
                call = calls.send(answer)
    except StopIteration as end:
        return cast("T", end.value)


async def _play_async(calls: Calls[T]) -> T:
    try:
        call = next(calls)
        while True:
            try:
                answer = await call[1]()
            except BaseException as error:  # noqa: BLE001 - for what has made the call
                call = calls.throw(error)
            else:
                call = calls.send(answer)
    except StopIteration as end:
        return cast("T", end.value)


_OF_RUNS = (
    events.RunStarted,
    events.RunFinished,
    events.UndoStarted,
    events.ProgressChanged,
    events.InterruptReceived,
)


def _told_to(
    listener: Callable[[events.Event], None], line: Line
) -> Callable[[events.Event], None]:
    """Return an observer that tells the events of a part under the name of its step."""
    planned = line.running()
    assert planned is not None
    name, facts = planned.name, planned.facts

    def tell(event: Any) -> None:
        if isinstance(event, _OF_RUNS):
            return
        changes: dict[str, Any] = {"step": f"{name}.{event.step}"}
        if facts.group is not None:
            changes |= {"group": facts.group, "lane": facts.lane}
        elif getattr(event, "group", None) is not None:
            changes["group"] = f"{name}.{event.group}"
        listener(replace(event, **changes))

    return tell
