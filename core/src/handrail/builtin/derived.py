"""Runs of derived actions, and the runs that are their parts; see `handrail.derived`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from handrail.actions import about_action, checked, orchestrator_of, require_inputs, result_of
from handrail.builtin.dotted import with_values
from handrail.builtin.project.targets import find_target
from handrail.builtin.records.status import status_of
from handrail.context import run_of, silent_runtime
from handrail.errors import ActionError, JournalError, ParamsError
from handrail.frozen import from_json, record, replace
from handrail.journal.damage import decoding
from handrail.journal.opening import open_journal
from handrail.orchestrator.journaled import ChildOf
from handrail.packs.installed import installed_packs
from handrail.packs.planner import secret_variables
from handrail.params.stored import params_of
from handrail.plan.selection import select
from handrail.recovery import Invocation, prepare

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.context import BaseStepContext
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RunRow
    from handrail.orchestrator import Observer, OnFailure, Orchestrator, RunOptions
    from handrail.packs import Target
    from handrail.packs.installed import InstalledPacks
    from handrail.recovery import Aim, Recovery

T = TypeVar("T")

_GOING = 10.0  # Seconds for the connection of another process to end after it.


def derivation_of(row: RunRow, option: str, kind: type[T]) -> T | None:
    """Return what an option has recorded of a run that it has derived; None if it has not.

    Args:
        row: The run.
        option: The entry point of the option.
        kind: The `frozen` class of what it records.

    Raises:
        JournalDamagedError: It is not what was written.
    """
    invocation = Invocation.of_row(row)
    if invocation.derived_by != option:
        return None
    with decoding(row.number, "what it was derived with"):
        return from_json(kind, invocation.derivation)


def derived_run(
    action: BaseAction[Any],
    derive: Callable[[str], type[BaseAction[Any]]],
    option: str,
    derivation: Mapping[str, Any],
    *,
    parts: Iterable[BaseAction[Any]] = (),
    **options: Unpack[RunOptions],
) -> Orchestrator[Any]:
    """Return the orchestrator of a new run of an action that is derived from another one.

    A failure of it undoes nothing. Packs see it as a whole; their edits are in its parts.

    Args:
        action: The other action, with params that the run is recorded with.
        derive: Returns the class of the derived one, with the same params, from what is recorded of
            the call.
        option: The entry point of the option that derives it again from the record.
        derivation: What that needs to know, as JSON.
        parts: The other action with the params of each part, whose inputs have to be there.
        **options: See `Orchestrator`.

    Raises:
        ActionError: The other action has no steps, or other processes could not find it.
        PlanDriftedError: Its plan differs from the lock.
        ParamsError: An input of a part is not there, or the variable of a secret.
    """
    cls, packs = type(action), installed_packs()
    name = _name_of(packs, cls)
    plan = checked(action, action.plan())
    if not plan.steps:
        raise ActionError(f"{cls.action_name} has no steps, so it has no runs that could be parts")
    for each in parts:
        require_inputs(each, plan)
    executor = options.get("executor") or packs.executor
    invocation = Invocation.of(
        packs.selection,
        packs.configuration.flags.pack_values,
        secrets=secret_variables(plan, packs),
        executor=executor,
        derived_by=option,
        derivation=derivation,
    )
    about = about_action(action, recorded_as=name, packs=invocation.to_json(), provider=packs)
    check_secrets(cls.action_name, about.params)
    made = derive(about.packs)(action.params, packs=())
    options |= {"on_failure": "keep", "executor": executor}
    options["observers"] = (*options.get("observers", ()), *packs.observers())
    return orchestrator_of(made, made.plan(), about, **options)


def _name_of(packs: InstalledPacks, action: type[BaseAction[Any]]) -> str:
    """Return the name by which other processes find an action from the working folder.

    Raises:
        ActionError: It has none.
    """
    found = packs.configuration.name_of(packs, action)
    if not found:
        raise ActionError(
            f"{action.action_name} cannot be found in other processes",
            ways_out=("define it at the top level of a module or a file",),
        )
    return found


def check_secrets(action: str, params: str) -> None:
    """Check that the parts of a run can read the secrets of their params from variables.

    Args:
        action: Name of the action.
        params: The params that they share, as a journal stores them.

    Raises:
        ParamsError: A variable is not set.
    """
    missing = [
        (path, f"is read by each of the runs from the variable {name}, which is not set")
        for path, name in json.loads(params)["secrets"].items()
        if not os.environ.get(name)
    ]
    if missing:
        raise ParamsError(action, missing)


def shared_by(context: BaseStepContext, packs: str) -> dict[str, Any]:
    """Return what other processes need to know of a run to make runs that are its parts, as JSON.

    Args:
        context: The context of a step of the run, or of its preview.
        packs: What is recorded of how the run was called: the `packs` of its row.

    Raises:
        JournalError: The run has no journal.
    """
    info, log = context.run_info, getattr(run_of(context), "log", None)
    if info is None or info.journal is None:
        raise JournalError("the run needs a journal, in which its parts are recorded")
    # What it shows of its URL is not always enough to open it. A preview has no fence.
    journal, owned = (None, None) if log is None else log.place
    return {
        "journal": info.journal if journal is None else journal.url or info.journal,
        "run": info.number or 0,
        "fence": 0 if owned is None else owned.fence,
        "packs": packs,
        "folder": os.getcwd(),
    }


@contextmanager
def opened_parts(shared: Mapping[str, Any], code: str | None = None) -> Generator[PartRuns]:
    """Open the journal of a run for the block, and find the action of its parts.

    Args:
        shared: What `shared_by` returns; it may have `accept_drift` and `take_over` too.
        code: The folder in which this process finds the code, if not the working folder.
    """
    packs = _packs(code or os.getcwd(), shared["packs"])
    journal = open_journal(
        shared["journal"],
        default="",
        find=packs.catalog.journal_factory,
        create=False,
    )
    with closing(journal):
        yield PartRuns.of(journal, shared, code)


@lru_cache(maxsize=4)  # A process makes many parts of one run.
def _packs(folder: str, text: str) -> InstalledPacks:
    invocation = Invocation.of_json(text, 0)
    return installed_packs(
        start=folder, recorded=invocation.selection, pack_values=invocation.values
    )


@lru_cache(maxsize=4)
def _found(folder: str, text: str, action: str) -> Target:
    return find_target(_packs(folder, text), Path(folder), action)


@record
class PartRuns:
    """Runs that are parts of a recorded run, one for each item of a step of it.

    Attributes:
        journal: The journal.
        whole: The run.
        fence: Its fence; no part is begun for an owner that has lost it.
        folder: The working folder of the parts.
        handed_down: How the run is gone on with: `accept_drift` and `take_over`.
        packs: The packs.
        target: The action.
    """

    journal: Journal
    whole: RunRow
    fence: int
    folder: str
    handed_down: Mapping[str, bool]
    packs: InstalledPacks
    target: Target

    @classmethod
    def of(cls, journal: Journal, shared: Mapping[str, Any], code: str | None = None) -> PartRuns:
        """Return the parts of a run in a journal that is open; see `opened_parts`."""
        whole = journal.read(shared["run"], fields=False)
        folder = code or os.getcwd()
        handed_down = {each: shared[each] for each in _HANDED_DOWN if each in shared}
        packs, target = _packs(folder, whole.packs), _found(folder, whole.packs, whole.action)
        return cls(journal, whole, shared["fence"], shared["folder"], handed_down, packs, target)

    @property
    def executor(self) -> str | None:
        """The executor that the run was called with."""
        return Invocation.of_row(self.whole).executor

    def latest(self, item: int) -> RunRow | None:
        """Return the latest part for an item, or None.

        The process of an earlier attempt may still be ending it, or be gone while its connection is
        not: wait a moment for that.
        """
        deadline = time.monotonic() + _GOING
        while True:
            latest = self._latest(item)
            if latest is None or latest.outcome is not None:
                return latest
            held = self.journal.holder(latest.number) is not None
            if not held or time.monotonic() > deadline:
                return self._latest(item)
            time.sleep(0.1)

    def _latest(self, item: int) -> RunRow | None:
        rows = self.journal.parts(self.whole.number, item=item)
        return rows[-1] if rows else None

    def all_latest(self) -> Iterator[tuple[int, RunRow, str]]:
        """Yield each item for which there was a part, with the latest and its state, last first."""
        latest = {row.parent_item or 0: row for row in self.journal.parts(self.whole.number)}
        for item, row in sorted(latest.items(), reverse=True):
            yield item, row, status_of(self.journal, row).state

    def begin(
        self,
        step: str,
        item: int,
        attempt: int,
        values: Mapping[str, Any],
        *,
        executor: str | None = None,
        on_failure: OnFailure = "undo",
        strict_results: bool = False,
        observers: Iterable[Observer] = (),
    ) -> Mapping[str, Any]:
        """Run a new part to its end, and return the result of its action.

        Args:
            step: The step of the run that it is for.
            item: The item of that step.
            attempt: How many parts there were for the item, with this one.
            values: Params that differ from those of the run, by dotted name.
            executor: The executor for its own items.
            on_failure: Whether a part that fails undoes what it has done, or keeps it.
            strict_results: Whether a step fails if the journal cannot store its result.
            observers: Receive its events.

        Raises:
            StepFailedError: It failed.
        """
        packs, cls = self.packs, self.target.action_class
        invocation = Invocation.of_row(self.whole)
        stored = json.loads(self.whole.params)
        shared = params_of(self.whole.params, cls.action_name, os.environ, cls.params_model)
        action = cls(with_values(shared, values), silent_runtime(), packs=packs)
        no_lock = invocation.no_lock
        whole = checked(action, action.plan(), target=self.target, no_lock=no_lock)
        part = select(whole, only=invocation.only, start=invocation.start, skip=invocation.skip)
        own = replace(invocation, executor=executor, derived_by=None, derivation=None)
        about = about_action(
            action,
            recorded_as=self.whole.action,
            packs=own.to_json(),
            variables={tuple(path.split(".")): name for path, name in stored["secrets"].items()},
        )
        child = ChildOf(
            parent=self.whole.number,
            parent_step=step,
            parent_attempt=attempt,
            parent_item=item,
            parent_fence=self.fence,
            cwd=self.folder,
            project=self.whole.project,
        )
        orchestrator = orchestrator_of(
            action,
            part,
            replace(about, child=child),
            journal=self.journal,
            on_failure=on_failure,
            strict_results=strict_results or packs.strict_results,
            executor=executor,
            observers=observers,
        )
        counts = orchestrator.execute()
        return result_of(action, counts, orchestrator.context)

    def go_on(
        self, number: int, *, keeps: bool = False, observers: Iterable[Observer] = ()
    ) -> Mapping[str, Any]:
        """Finish a part, and return the result of its action; see `recovery`."""
        recovery = self.recovery(number, "resume", keeps=keeps)
        recovery.options["observers"] = observers
        return recovery.run()

    def result(self, number: int) -> Mapping[str, Any]:
        """Return the result of the action of a part that is completed, from its record."""
        return self.recovery(number, "rollback").result()

    def roll_back(self, number: int) -> None:
        """Undo a part."""
        self.recovery(number, "rollback").run()

    def recovery(self, number: int, aim: Aim, *, keeps: bool = False) -> Recovery:
        """Return what finishes or undoes a part; if it fails again and `keeps`, it stays."""
        recovery = prepare(
            self.target.action_class,
            self.journal.read(number),
            self.journal,
            aim,
            ctx=silent_runtime(),
            packs=self.packs,
            asked={"target": self.target},
            accept_drift=self.handed_down.get("accept_drift", False),
            take_over=self.handed_down.get("take_over", False),
        )
        if aim == "resume" and keeps:
            recovery.options["on_failure"] = "keep"
        return recovery


_HANDED_DOWN = ("accept_drift", "take_over")
