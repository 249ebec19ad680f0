"""RunStep: a step that runs an action, as a run of its own that is a part of the run."""

from __future__ import annotations

import json
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar, cast

from handrail import events
from handrail.actions import BaseAction, entries_of, orchestrator_of, require_inputs
from handrail.context import run_of
from handrail.engine.finalize import EXECUTED
from handrail.engine.machine import close_paused, play, undo_paused
from handrail.engine.state import PartOf
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
from handrail.recovery.checks import closing_steps
from handrail.recovery.preparation import prepare
from handrail.steps import BaseStep, StepResult
from handrail.user_code import calls_user_code

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
    from handrail.recovery.checks import Aim
    from handrail.recovery.resume_run import Recovery
    from handrail.workflow import Workflow

T = TypeVar("T")
Work = Coroutine[Any, Any, T]
"""What a step does with runs; it waits for nothing unless the driver of its run is async."""

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
        packs: The packs with which it is planned.
        closes: Whether the run ends with the step. Otherwise it waits with its `always_run` steps
            until the run that it is a part of has ended well.
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
        self.packs = packs

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

    def close(self, context: BaseStepContext) -> int | Awaitable[int]:
        """Close the run, if it waits for that; return how many steps that has executed.

        The run of which it is a part has ended well.
        """
        return played(context, self._close(context))

    def writes_async(self, methods: Iterable[str]) -> bool:
        """Return whether any of these methods is async now: inside an event loop they are."""
        return running_loop() and bool({"execute", "resume", "rollback", "close"} & {*methods})

    def inner_plan(self, provider: PackProvider) -> Plan:
        """Return the plan of the action, whose params may be incomplete.

        Raises:
            PlanError: The plan has problems.
        """
        if self.packs is None:
            self.packs = provider
        values: Mapping[str, Any] = {} if callable(self._params) else self._params
        return self.action_class.partial(values, packs=self.packs).plan()

    @property
    def inputs(self) -> Mapping[str, str]:
        """The outputs of earlier steps that params of the action are, by the param."""
        return {}

    @calls_user_code
    def action_for(self, context: Any) -> BaseAction[Any]:
        """Return the action with its params.

        Raises:
            ParamsError: They are not valid.
        """
        values = self._params(context) if callable(self._params) else self._params
        return self.action_class(values, context.runtime_ctx, packs=self.packs)

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

    async def _execute(self, context: BaseStepContext) -> StepResult:
        line = line_of(context)
        inner = line.run.plan.steps[line.position].inner
        action = self._ready(context, inner)
        plan = inner or action.plan()
        uid, item = self._new_uid(line)
        context.record_rollback(KEY, uid)
        part = PartOf(line=line, uid=uid, item=item, pauses=True)
        if line.log is not None:
            part = replace(part, variables=self._variables(line))
        orchestrator = orchestrator_of(action, plan, part=part, **self._options(line))
        line.run.held[uid] = orchestrator
        await _go_on(line, orchestrator, play)
        return await self._ended(line, orchestrator)

    async def _resume(self, context: BaseStepContext, result: StepResult) -> StepResult:
        line = line_of(context)
        row = self._recorded(line, _last(result))
        if row is not None and row.direction == "undo":
            await self._undo_recorded(line, row)
            row = None
        if row is None or row.outcome == "rolled_back":
            return await self._execute(context)
        # One that has ended well gives its result again, from what its steps restore.
        again = line.run.back_to == line.position
        orchestrator = await self._recover(line, row, "resume", pauses=True, again=again)
        return await self._ended(line, orchestrator)

    async def _recover(
        self, line: Line, row: RunRow, aim: Aim, *, pauses: bool = False, again: bool = False
    ) -> Orchestrator[Any]:
        """Finish or undo a recorded run, or let it go forward only.

        With `again`, it goes back to its failed items first.
        """
        with _part_of(line):
            ctx, given = line.context.runtime_ctx, line.run.handed_down
            journal, _ = _place(line)
            found = self.recovery(journal, row, aim, ctx=ctx, failed_only=again, **given)
            found.part = PartOf(line=line, uid=row.uid, pauses=pauses)
            found.options.update(self._options(line))
            orchestrator, going = found.claim()
        line.run.held[row.uid] = orchestrator
        try:
            await _go_on(line, orchestrator, *going)
        except StepFailedError as error:
            if not again or orchestrator.has_paused:
                raise
            # What came after its items stands, so the whole stands too.
            raise RefusedError(error.message, ways_out=error.ways_out) from error
        return orchestrator

    def recovery(self, journal: Journal, row: RunRow, aim: Aim, **more: Any) -> Recovery:
        """Return what finishes or undoes a recorded run of the step; see `prepare`."""
        recorded = journal.read(row.number)
        # What is asked before a run begins is asked of the whole.
        return prepare(
            self.action_class, recorded, journal, aim, packs=self.packs, asked=None, **more
        )

    async def _ended(self, line: Line, orchestrator: Orchestrator[Any]) -> StepResult:
        """Close a run that has paused well, if it does not wait for that; return its result."""
        if self.closes:
            await _go_on(line, orchestrator, close_paused)
        assert orchestrator.action is not None
        entries = entries_of(orchestrator.action, orchestrator.context)
        if line.log is not None:
            entries = dict(_stored(entries))
        return self._result(entries, orchestrator.executed)

    @staticmethod
    def _result(entries: Mapping[str, Any], executed: int) -> StepResult:
        told = {"summary": entries["summary"]} if "summary" in entries else {}
        return StepResult(data={"result": dict(entries), EXECUTED: executed, **told})

    async def _undo(self, context: BaseStepContext, result: StepResult) -> None:
        line = line_of(context)
        for uid in reversed(result.rollback_data.get(KEY, ())):
            held = _held(line, uid)
            if held is not None and held.can_undo:
                with _undoing():
                    await _go_on(line, held, undo_paused)
                self._undone(line, held)
            elif (row := self._recorded(line, uid)) is not None:
                await self._undo_recorded(line, row)
            line.run.held[uid] = None

    async def _undo_recorded(self, line: Line, row: RunRow) -> None:
        if row.outcome != "rolled_back":
            with _undoing():
                await self._recover(line, row, "rollback")
            self._undone(line, _held(line, row.uid))

    def _undone(self, line: Line, held: Orchestrator[Any] | None) -> None:
        names = () if held is None else held.not_undone
        line.run.not_undone_within += [f"{self.name}.{each}" for each in names]

    async def _close(self, context: Any) -> int:
        line = line_of(context)
        uid, executed = _last(context.results[self.name]), 0
        held, row = _held(line, uid), self._recorded(line, uid)
        if held is not None and held.has_paused:
            before = held.executed
            await _go_on(line, held, close_paused)
            executed = held.executed - before
        elif row is not None and not self.closes:
            if row.outcome not in ("completed", "rolled_back"):
                await self._recover(line, row, "resume")
            executed = closing_steps(_place(line)[0], row.number)
        row = self._recorded(line, uid)
        if row is not None and row.sealed is not None:
            line.seal(row.sealed)
        return executed

    def _recorded(self, line: Line, uid: str) -> RunRow | None:
        """Return the row of a run of the step."""
        if line.log is None:
            return None
        journal, owned = _place(line)
        return next((row for row in journal.parts(owned.number) if row.uid == uid), None)

    def _variables(self, line: Line) -> Mapping[tuple[str, ...], str]:
        """Return the variables of secrets of the whole that are params of the step's action."""
        journal, owned = _place(line)
        stored = json.loads(journal.read(owned.number, fields=False).params)
        found = {tuple(path.split(".")): name for path, name in stored.get("secrets", {}).items()}
        return {path[1:]: name for path, name in found.items() if path[0] == self.name}

    def _new_uid(self, line: Line) -> tuple[str, int]:
        """Return the UUID of a new run, and its place among those of the attempt.

        That of the first one follows from the run and the name of the step.
        """
        attempt = line.run.attempts.get(line.position, 1)
        known = set(line.run.held)
        if line.log is not None:
            journal, owned = _place(line)
            known |= {row.uid for row in journal.parts(owned.number)}
        for item in count():
            place = f"/{attempt}.{item}" if attempt > 1 or item else ""
            uid = str(uuid.uuid5(uuid.UUID(line.run_id), f"{self.name}{place}"))
            if uid not in known:
                return uid, item
        raise AssertionError

    def _options(self, line: Line) -> RunOptions:
        """Return what the run has from its parent."""
        run = line.run
        return {
            "journal": None if line.log is None else _place(line)[0],
            "observers": () if run.listener is None else (_told_to(run.listener, line),),
            "progress_callback": line.has_advanced if run.progress.wanted else None,
            "executor": run.executor,
            "strict_results": run.strict_results,
        }


def line_of(context: object) -> Line:
    """Return the line of the running step of a context."""
    return cast("Line", run_of(context))


def _last(result: StepResult) -> str:
    """Return the UUID of the last run of a step."""
    uids: list[str] = result.rollback_data.get(KEY, [])
    return uids[-1] if uids else ""


def _held(line: Line, uid: str) -> Orchestrator[Any] | None:
    return cast("Orchestrator[Any] | None", line.run.held.get(uid))


async def _go_on(line: Line, orchestrator: Orchestrator[Any], phase: Phase, *owned: Any) -> None:
    """Play a part of a run, in the way of the driver of that; see `Orchestrator.go_on`."""
    with _part_of(line):
        if _is_async(line):
            await orchestrator.go_on_async(phase, *owned)
        else:
            orchestrator.go_on(phase, *owned)


def _place(line: Line) -> tuple[Journal, OwnedRun]:
    return cast("JournaledLog", line.log).place


@calls_user_code
def _stored(entries: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the entries of a result that have a JSON form, in that form."""
    from handrail.chain_params import json_of  # noqa: PLC0415 - it needs pydantic

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


def _is_async(line: Line) -> bool:
    return running_loop() and line.run.in_thread is not None


def played(context: object, work: Work[T]) -> T | Awaitable[T]:
    """Do the work, or return it to a driver that awaits it."""
    if _is_async(line_of(context)):
        return work
    try:
        work.send(None)
    except StopIteration as end:
        return cast("T", end.value)
    raise AssertionError("it waits for something, and there is no event loop")


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
