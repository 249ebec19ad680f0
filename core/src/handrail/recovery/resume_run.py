"""Recovery: checks, claims and plays a recorded run that is resumed or rolled back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import copy
from dataclasses import field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from handrail.actions import check_executor_of, entries_of, orchestrator_of, packs_of, result_of
from handrail.context import link_run
from handrail.engine.machine import play
from handrail.engine.outcome import Failure
from handrail.engine.restore import missing_error
from handrail.engine.state import Missing, RunState
from handrail.entry import innermost
from handrail.errors import (
    DriftError,
    ExitCode,
    JournalDamagedError,
    PackError,
    RefusedError,
    RollbackRefusedError,
    RunClosedError,
    SourceChangedError,
    StepFailedError,
    StopsResume,
    add_ways_out,
)
from handrail.frozen import record
from handrail.journal.codec import may_lack_json
from handrail.journal.context_fields import ContextFields
from handrail.journal.records import RunChange
from handrail.journal.run_log import JournaledLog
from handrail.journal.values import ValueReader
from handrail.orchestrator import RunOptions
from handrail.orchestrator.dispatch import run_info
from handrail.packs.places import check_mapping
from handrail.recovery.checks import Aim, check, only_undoes
from handrail.recovery.recorded import drift, installs, steps_of
from handrail.recovery.replay_state import (
    AS_IN_RUN,
    RESULT,
    ReplayState,
    fields_at,
    fields_before,
    fields_in_lane,
    replay_state_of,
)
from handrail.rollback_data import ASKED, NOT_BEGUN

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.calls import Machine
    from handrail.context import BaseStepContext
    from handrail.engine.state import PartOf
    from handrail.journal.protocol import Journal, OwnedRun
    from handrail.journal.records import RunRow
    from handrail.orchestrator import Observer, Orchestrator, Phase
    from handrail.orchestrator.journaled import RunAbout
from handrail.plan.plan import Plan, PlannedStep

FINISHED = ("resume", "completed")  # There is nothing to check of such a part.


def mapped_of(journal: Journal, number: int, plan: Plan) -> dict[int, set[int]]:
    """Return the attempts of steps of a run that have items, by position."""
    found: dict[int, set[int]] = {}
    for each in journal.chunk_counts(number):
        if each.step in plan.positions:
            found.setdefault(plan.positions[each.step], set()).add(each.n)
    return found


def with_failures(recorded: RunRow, journal: Journal) -> set[str]:
    """Return the steps of a run whose last attempts have failed items, or runs that have some."""
    number, last = recorded.number, dict[str, int]()
    for row in recorded.attempts:
        last[row.step] = max(row.n, last.get(row.step, 0))
    counts = journal.chunk_counts(number)
    found = {each.step for each in counts if each.failed and each.n == last.get(each.step)}
    makes_runs = {step["name"] for step in steps_of(recorded) if "plan" in step}
    for part in journal.parts(number) if makes_runs else ():
        step = part.parent_step or ""
        if step in makes_runs and part.outcome != "rolled_back":
            within = journal.read(part.number, fields=False)
            found |= {step} if with_failures(within, journal) else set()
    return found


def first_with_failures(recorded: RunRow, journal: Journal, plan: Plan) -> int:
    """Return the position of the first step of a run whose last attempt has failed items.

    Raises:
        RunClosedError: There is none.
        RollbackRefusedError: The run cannot go back to it.
    """
    number, place = recorded.number, replay_state_of(recorded, plan)
    known = [plan.positions.get(step) for step in with_failures(recorded, journal)]
    ended = len(place.finished) + (place.doubt is not None)
    position = min((each for each in known if each is not None and each < ended), default=None)
    if position is None:
        raise RunClosedError(f"no item of run {number} has failed; there is nothing to try again")
    if place.resumed or plan.steps[position].group is not None:
        raise RollbackRefusedError(
            f"run {number} cannot go back to step '{plan.steps[position].name}', which is in "
            "a group; nothing was undone",
            ways_out=(f"undo the run, and begin again:  handrail rollback {number}",),
        )
    return position


@record
class Recovery:
    """A recorded run, looked up and checked, before it is claimed.

    Attributes:
        action: The action, with the recorded params.
        plan: The current plan, checked against the lock.
        recorded: The record of the run.
        journal: The journal of the run.
        aim: Whether to finish or to undo the run.
        about: The description of the run for the journal.
        accept_drift: Whether to continue even if steps that were started have changed.
        take_over: Whether to take the run from an owner whose lease has expired.
        executor: The executor for items that the run began with, or None.
        ignored: Current problems that do not matter for an undo.
        command_line: Returns a Handrail command as the user must type it.
        failed_only: Whether items that failed are tried again, also those of a completed run.
        part: What it has from another run, if that one, of this process, goes on with it.
        watching: Observers of packs whose edits are not in the plan.
        options: Further options of its orchestrator.
    """

    action: BaseAction[Any]
    plan: Plan
    recorded: RunRow
    journal: Journal
    aim: Aim
    about: RunAbout
    accept_drift: bool = False
    take_over: bool = False
    executor: str | None = None
    ignored: tuple[str, ...] = ()
    command_line: Callable[[str], str] = "handrail {}".format
    failed_only: bool = False
    part: PartOf | None = None
    watching: tuple[Observer, ...] = ()
    options: RunOptions = field(default_factory=RunOptions)

    def run(self) -> dict[str, Any]:
        """Claim the run, finish or undo it, and return the result; blocking."""
        orchestrator, going = self.claim()
        try:
            counts = orchestrator.go_on(*going)
        except (StepFailedError, SourceChangedError, RefusedError) as error:
            return self._ended(error)
        return result_of(self.action, counts, orchestrator.context)

    async def run_async(self) -> dict[str, Any]:
        """Like `run`, for use inside a running event loop."""
        orchestrator, going = self.claim()
        try:
            counts = await orchestrator.go_on_async(*going)
        except (StepFailedError, SourceChangedError, RefusedError) as error:
            return self._ended(error)
        return result_of(self.action, counts, orchestrator.context)

    def claim(self) -> tuple[Orchestrator[Any], tuple[Phase, OwnedRun, bool]]:
        """Claim the run; return what goes on with it, and the arguments of its `go_on`."""
        if self.part is None or (self.aim, self.recorded.outcome) != FINISHED:
            check(self.recorded, self.aim, again=self.failed_only)
        self.check_ready()
        self._check_values()
        options: RunOptions = {**self.options, "journal": self.journal}
        options["observers"] = (*self.options.get("observers", ()), *self.watching)
        orchestrator = orchestrator_of(
            self.action,
            self.plan,
            self.about,
            recorded_executor=self._executor,
            part=self.part,
            **options,
        )
        before = self.recorded
        owned = self.journal.claim(before.number, take_over=self.take_over)
        try:
            # Another process may have continued the run until now.
            self.recorded = self.journal.read(before.number)
            self._check_again(owned, before)
            back_to = self._back_to()
        except BaseException:
            owned.release()
            raise
        begin = partial(self._begin, owned=owned, before=before.outcome, back_to=back_to)
        return orchestrator, (begin, owned, only_undoes(self.recorded, self.aim))

    def seen(self) -> tuple[RunState, ReplayState]:
        """Return the run as its undo would find it, without claiming it, and how far it came.

        The context has its stored fields; transient ones are not restored.

        Raises:
            ContextError: A stored value no longer matches the type of its context field.
        """
        recorded = self.recorded
        context: BaseStepContext = self.action.orchestrator(self.plan).context
        run = RunState(
            self.plan, context, run_id=recorded.uid, describe=run_info, clock=lambda: 0.0
        )
        link_run(context, run.line)
        place = self.restored(run, undoing=True)
        fields = ContextFields(type(context), self.about.secrets)
        fields.restore(context, fields_at(recorded.fields), recorded.number)
        return run, place

    def result(self) -> Mapping[str, Any]:
        """Return the `result` of the action of a run that is completed, from its record.

        Raises:
            ContextError: A stored value no longer matches the type of its context field.
            ActionError: `result` raised, for example as it needs a value that is not stored.
        """
        run, _ = self.seen()
        return entries_of(self.action, run.line.context)

    def restored(self, run: RunState, *, undoing: bool) -> ReplayState:
        """Set in `run` what an undo and its preview need; return how far the run came."""
        row, line = self.recorded, run.line
        load = ValueReader(self.about.serializers, self.journal, row.number).load
        place = replay_state_of(self.recorded, self.plan, undoing=undoing, load=load)
        run.is_recorded(row.uid, row.number, self.journal.address)
        run.describe = partial(run_info, action=row.action, project=row.project)
        line.finished[:] = place.finished
        line.context.step_results[:] = [each for each in place.finished if each is not NOT_BEGUN]
        run.starts.update(dict.fromkeys(place.starts))
        run.mapped.update(mapped_of(self.journal, row.number, self.plan))
        return place

    def _begin(
        self, run: RunState, *, owned: OwnedRun, before: str | None, back_to: int | None
    ) -> Machine:
        """Set the state of `run` from the record of the claimed run; return the machine to play."""
        row, line = self.recorded, run.line
        place = self.restored(run, undoing=self.aim == "rollback")
        for name in AS_IN_RUN:
            setattr(run, name, getattr(place, name))
        if back_to is None:
            run.unsure |= place.unsure - run.mapped.keys()
        run.closing = place.closing or self._has_sealed()
        run.batches = count(place.batches + 1)
        run.before = before
        run.handed_down.update(self._handed_down)
        run.sealed = row.sealed
        if back_to is not None:
            run.retried.add(back_to)
            if place.doubt is None or back_to < len(line.finished):
                run.back_to = back_to
        failure: Failure | None = None
        if row.direction == "undo":
            failure = run.undo_cause = self._failure(place.failed, len(line.finished) - 1)
        elif self.aim == "rollback":
            failure = self._failure(None, len(line.finished) - 1)
        else:
            line.doubt = place.doubt
        self._open_log(run, place).write_to(owned, self.journal)
        return play(run, failure)

    def _open_log(self, run: RunState, place: ReplayState) -> JournaledLog:
        """Restore the fields of the context; return the log that goes on from there."""
        line, rows = run.line, self.recorded.fields
        fields = ContextFields(type(line.context), self.about.secrets)
        lanes: dict[int, dict[str, str]] = {}
        latest = stored = fields_at(rows)
        if place.resumed:
            first = len(place.finished)
            stored = fields_before(rows, self.plan, first)
            for lane in self.plan.group_at(first).lanes:
                lanes[lane.start] = fields_in_lane(rows, self.plan, lane)
        fields.restore(line.context, stored, self.recorded.number)
        line.log = log = JournaledLog(
            self.plan,
            line.context,
            fields,
            stored=stored,
            latest=latest,
            lanes=lanes,
            boundary=max((each.boundary for each in rows), default=0),
            finished=len(line.finished) if run.back_to is None else run.back_to,
            undoing=self.recorded.direction == "undo",
            mask=self.about.mask.within(line.context),
            serializers=self.about.serializers,
        )
        for position, types in place.missing.items():
            context = partial(self._context_before, fields, position)
            run.missing[position] = Missing(types=types, context=context)
        run.restore_fields = partial(self._restore_fields, run, fields)
        return log

    def _restore_fields(self, run: RunState, fields: ContextFields, position: int) -> None:
        again = self._context_before(fields, position, run.line.context)
        run.line.context.__dict__.update(vars(again))

    def _context_before(
        self, fields: ContextFields, position: int, context: BaseStepContext
    ) -> BaseStepContext:
        """Return a copy of `context` with the stored fields as they were before a step."""
        again = copy(context)
        before = fields_before(self.recorded.fields, self.plan, position)
        fields.restore(again, before, self.recorded.number)
        return again

    def _failure(self, failed: tuple[int, str] | None, last: int) -> Failure:
        position = max(last, 0) if failed is None else failed[0]
        text = ASKED if failed is None else failed[1]
        return Failure(planned=self.plan.steps[position], text=text, error=None, from_position=last)

    def check_ready(self) -> None:
        """Check that the steps that were started are unchanged, and that the executor can work.

        Raises:
            DriftError: The steps or the params have changed, and `accept_drift` is false.
            PackError: The run has items, and nobody works on such.
            ExecutorError: The executor for items cannot work for this run.
            RunClosedError: No item has failed, where such are tried again.
            RollbackRefusedError: A part is sealed, or cannot be gone back to.
        """
        self._check_drift()
        if mapped_of(self.journal, self.recorded.number, self.plan):
            check_mapping(packs_of(self.action))
        executor = self.options.get("executor") or self._executor
        check_executor_of(self.action, executor, self.journal)
        if only_undoes(self.recorded, self.aim) and not self.plan.inner:
            self._check_items()
        back_to = self._back_to()
        for planned, row in self.parts() if self.plan.inner else ():
            position = self.plan.positions[planned.name]
            again = position == back_to
            undoes = only_undoes(row, self.aim) or only_undoes(self.recorded, self.aim)
            undoes = undoes or (back_to is not None and position > back_to)
            aim: Aim = "rollback" if undoes else "resume"
            if row.outcome != "rolled_back" and (again or (aim, row.outcome) != FINISHED):
                check(row, aim, again=again)
                self.of_part(planned, row, aim, failed_only=again).check_ready()

    def _check_items(self) -> None:
        """Check that the runs of items can be undone: all of them, and one of each kind closely."""
        kinds: dict[tuple[str, str], tuple[PlannedStep, RunRow]] = {}
        for planned, row in self.parts():
            if row.outcome != "rolled_back":
                check(row, "rollback")
                kinds[planned.name, row.packs] = planned, row
        for planned, row in kinds.values():
            self.of_part(planned, row, "rollback").check_ready()

    def _has_sealed(self) -> bool:
        """Return whether a part can no longer be undone: then the run has begun to close."""
        parts = self.journal.parts(self.recorded.number) if self.plan.inner else ()
        return any(part.sealed is not None for part in parts)

    def _back_to(self) -> int | None:
        """Return the position of the step whose failed items are tried again, if they are."""
        if not self.failed_only:
            return None
        return first_with_failures(self.recorded, self.journal, self.plan)

    def parts(self) -> Iterator[tuple[PlannedStep, RunRow]]:
        """Yield the runs that are parts of it with their steps, those opened last first.

        One whose step is gone, or makes no runs any more, is left out: that is a drift.
        """
        for row in reversed(self.journal.parts(self.recorded.number)):
            position = self.plan.positions.get(row.parent_step or "")
            planned = None if position is None else self.plan.steps[position]
            if planned is not None and hasattr(innermost(planned.step), "recovery"):
                yield planned, row

    def of_part(self, planned: PlannedStep, row: RunRow, aim: Aim, **more: Any) -> Recovery:
        """Return what finishes or undoes a part of it."""
        step: Any = innermost(planned.step)
        more |= self._handed_down
        found: Recovery = step.recovery(self.journal, row, aim, ctx=self.action.ctx, **more)
        return found

    @property
    def _handed_down(self) -> dict[str, bool]:
        """How its parts are gone on with, too."""
        return {"accept_drift": self.accept_drift, "take_over": self.take_over}

    @property
    def _executor(self) -> str | None:
        """The executor that the run began with; None for an undo that needs none."""
        number, undoes = self.recorded.number, only_undoes(self.recorded, self.aim)
        needed = not undoes or mapped_of(self.journal, number, self.plan)
        return self.executor if needed else None

    def _check_again(self, owned: OwnedRun, before: RunRow) -> None:
        """Repeat the checks, in case another process has changed the run before the claim."""
        if self.recorded.sealed is not None and self.aim == "rollback":
            place = replay_state_of(self.recorded, self.plan, undoing=True)
            if len(place.finished) + len(place.closed) == len(self.plan.steps):
                # The claim has reopened the run; close it again.
                owned.write([RunChange(outcome="completed")])
            check(self.recorded, self.aim)
        # The claim itself says when the process of an interrupted attempt was heard of last.
        now, then = ([row[:-1] for row in each.attempts] for each in (self.recorded, before))
        if now != then:
            self._check_drift()
            self._check_values()

    def _check_values(self) -> None:
        """Check that the values that steps to come may need are there, before anything is done.

        Raises:
            ResultMissingError: One could not be stored, and its step cannot provide it again.
            JournalDamagedError: One that was stored is missing or has changed.
            PackError: The pack that stored one is not there.
        """
        recorded = self.recorded
        if only_undoes(recorded, self.aim):
            return
        if not may_lack_json(map(RESULT, recorded.attempts)):
            return
        place = replay_state_of(recorded, self.plan)
        if len(place.finished) >= self.plan.ordinary:
            return
        undo = self.command_line(f"rollback {recorded.number}")
        for position, types in place.missing.items():
            planned = self.plan.steps[position]
            if planned.facts.effects and not planned.facts.restorable:
                error = missing_error(planned.name, types, restorable=False)
                add_ways_out(error, f"or undo the run:  {undo}")
                raise error
        reader = ValueReader(self.about.serializers, self.journal, recorded.number)
        try:
            for stored in place.stored:
                reader.check(stored)
        except (JournalDamagedError, PackError) as error:
            add_ways_out(error, f"or undo the run, which needs no such value:  {undo}")
            raise

    def _check_drift(self) -> None:
        lines = drift(self.recorded, self.plan)
        if lines and not self.accept_drift:
            raise DriftError(
                f"run {self.recorded.number} began with other steps: {'; '.join(lines)}",
                ways_out=(
                    *installs(self.recorded, self.plan),
                    "go on with what is there now:  --accept-drift",
                ),
            )

    def _with_ways_out(self, error: StopsResume) -> StopsResume:
        number = self.recorded.number
        if isinstance(error, SourceChangedError):
            add_ways_out(error, *changed_input_hints(number, self.command_line))
            return error
        undo = self.command_line(f"rollback {number}")
        if only_undoes(self.recorded, self.aim):
            if error.exit_code != ExitCode.ROLLBACK:  # That is for good.
                add_ways_out(error, f"try again later:  {undo}")
        else:
            again = self.command_line(f"resume {number}")
            add_ways_out(error, f"try again later:  {again}", f"or undo the run:  {undo}")
        return error

    def _ended(self, error: StepFailedError | StopsResume) -> dict[str, Any]:
        """Return the result of an undo that has ended as it should, or raise the error."""
        if not isinstance(error, StepFailedError):
            raise self._with_ways_out(error)
        if self.aim == "resume" or error.outcome != "rolled_back":
            raise error
        return {"rolled_back": True, "number": self.recorded.number}


def changed_input_hints(number: int, command_line: Callable[[str], str]) -> tuple[str, ...]:
    """Return the ways out for a run whose input has changed since it began."""
    return (
        f"put back what was there, then go on:  {command_line(f'resume {number}')}",
        f"or undo the run, which does not need it:  {command_line(f'rollback {number}')}",
    )
