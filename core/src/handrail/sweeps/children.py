"""The children of a sweep: runs of their own, begun, continued and undone by workers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from handrail import events
from handrail.actions import about_action, orchestrator_of, result_of
from handrail.builtin.records.preview import recorded_result
from handrail.errors import (
    ExecutorLostError,
    ExitCode,
    JournalDamagedError,
    JournalError,
    RollbackRefusedError,
)
from handrail.executors.code import source_folder
from handrail.executors.opening import default_url, kind_of
from handrail.frozen import as_json, from_json, frozen, record, replace
from handrail.journal.opening import open_journal
from handrail.lock.model import LockUse
from handrail.orchestrator.journaled import ChildOf
from handrail.packs.factories import journal_factory
from handrail.packs.installed import installed_packs
from handrail.params.stored import params_of
from handrail.plan.selection import select
from handrail.recovery.invocation import Invocation
from handrail.recovery.prepare import prepare
from handrail.recovery.status import status_of
from handrail.runtime import silent_runtime
from handrail.sweeps.points import at_point, point_text
from handrail.targets import find_target, lock_name

if TYPE_CHECKING:
    from handrail.events import Event
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RunRow
    from handrail.packs.installed import InstalledPacks
    from handrail.recovery.resume_run import Recovery
    from handrail.recovery.status import Aim
    from handrail.sweeps.grid import Grid
    from handrail.targets import Target


STEP = "runs"
"""The name of the step of a sweep."""


@frozen
class Template:
    """What the children of a sweep have in common; it crosses to workers as JSON.

    Attributes:
        action: The name by which the action is found from the folder.
        params: The params that the children share, as a journal stores them.
        packs: The invocation of the sweep, as JSON.
        folder: The working folder.
        project: The project of the runs.
        on_failure: Whether a child that fails undoes what it has done, or keeps it.
        strict_results: Whether a step fails if its result cannot be stored.
    """

    action: str
    params: str
    packs: str
    folder: str
    project: str
    on_failure: Literal["undo", "keep"] = "undo"
    strict_results: bool = False


_HANDED_DOWN = ("accept_drift", "take_over")
_GOING = 10.0  # Seconds for the connection of a worker to end after it.


def run_child(item: Mapping[str, Any], item_context: Any) -> dict[str, Any]:
    """Run the child at a place, or go on with it, or find that it is done; an item of a sweep.

    Args:
        item: The `place`, from 1, and the `point`: the values of its params by dotted name.
        item_context: Its `shared` is as `shared_with` returns it.

    Returns:
        Its `metrics`: the numbers that its steps have reported, and those in its result; and for
        which of them it was said if a higher one is better: `higher_is_better`.

    Raises:
        StepFailedError: The child failed.
        RollbackRefusedError: An earlier child at this place is not completely undone.
        ExecutorLostError: Its journal failed, so nobody knows what is recorded of it.
    """
    with _broken_off(), opened(item_context.shared) as children:
        metrics = children.run(item["place"], item["point"])
        return {"metrics": metrics.found, "higher_is_better": metrics.better}


def roll_back_child(item: Mapping[str, Any], item_context: Any, _data: Mapping[str, Any]) -> None:
    """Undo the child at a place, if there is one and it was not undone yet; see `run_child`."""
    with _broken_off(), opened(item_context.shared) as children:
        children.roll_back(item["place"])


@contextmanager
def _broken_off() -> Generator[None]:
    """Leave the sweep to another process, too, if the journal fails for a child in the block."""
    try:
        yield
    except JournalDamagedError:
        raise
    except JournalError as error:
        if error.exit_code != ExitCode.JOURNAL:
            raise
        raise ExecutorLostError(error.message) from error


@contextmanager
def opened(shared: Mapping[str, Any]) -> Generator[Children]:
    """Open the journal of a sweep for the block, and find its action.

    Args:
        shared: What `shared_with` returns.
    """
    packs, _ = _found(source_folder(), shared["template"]["packs"], shared["template"]["action"])
    journal = open_journal(
        shared["journal"],
        default="",
        find=lambda scheme: journal_factory(packs, scheme),
        create=False,
    )
    with closing(journal):
        yield Children.of(journal, shared)


def shared_with(template: Template, journal: str, sweep: int, fence: int) -> dict[str, Any]:
    """Return what the functions for children need to know of their sweep.

    Args:
        template: What the children have in common.
        journal: The URL of the journal.
        sweep: The number of the sweep.
        fence: Its fence; no child is begun for an owner that has lost it.
    """
    return {"journal": journal, "sweep": sweep, "fence": fence, "template": as_json(template)}


@lru_cache(maxsize=4)  # A worker runs many children of one sweep.
def _found(folder: str, packs: str, action: str) -> tuple[InstalledPacks, Target]:
    invocation = Invocation.of_json(packs, 0)
    found = installed_packs(
        start=folder, recorded=invocation.selection, pack_values=invocation.values
    )
    return found, find_target(found, Path(folder), action)


@record
class Children:
    """The children of one sweep.

    Attributes:
        journal: The journal.
        sweep: The number of the sweep.
        fence: Its fence.
        handed_down: How their sweep is gone on with: `accept_drift` and `take_over`.
        template: What they have in common.
        packs: The packs.
        target: The action.
    """

    journal: Journal
    sweep: int
    fence: int
    handed_down: Mapping[str, bool]
    template: Template
    packs: InstalledPacks
    target: Target

    @classmethod
    def of(cls, journal: Journal, shared: Mapping[str, Any]) -> Children:
        """Return the children in a journal that is open; see `shared_with`."""
        template = from_json(Template, shared["template"])
        packs, target = _found(source_folder(), template.packs, template.action)
        handed_down = {each: shared[each] for each in _HANDED_DOWN if each in shared}
        sweep, fence = shared["sweep"], shared["fence"]
        return cls(journal, sweep, fence, handed_down, template, packs, target)

    def run(self, place: int, point: Mapping[str, Any]) -> Metrics:
        """Run the child at a place to its end, whatever was done of it; return its metrics."""
        latest = self._latest(place)
        if latest is None:
            return self._begin(place, 1, point)
        number = latest.number
        if latest.outcome == "rolled_back":
            return self._begin(place, (latest.parent_attempt or 0) + 1, point)
        if latest.outcome == "rollback_incomplete":
            raise RollbackRefusedError(
                f"run {number} was rolled back, but not completely",
                ways_out=(f"undo what is left:  handrail rollback {number}",),
            )
        if latest.outcome == "completed":
            recovery = self.recovery(number, "rollback")
            return Metrics().with_result(recorded_result(recovery))
        metrics = Metrics()
        recovery = self.recovery(number, "resume")
        recovery.options["observers"] = (metrics,)
        return metrics.with_result(recovery.run())

    def undo_lines(self, grid: Grid, kept: Collection[int] = ()) -> Iterator[tuple[int, int, str]]:
        """Yield place, number and a text for each child that would be undone, the last one first.

        Args:
            grid: The grid of the sweep.
            kept: Numbers of children that are left out.
        """
        latest = latest_children(self.journal, self.sweep)
        for place, point in sorted(enumerate(grid, 1), reverse=True):
            row = latest.get(place)
            if row is not None and row.outcome != "rolled_back" and row.number not in kept:
                state = status_of(self.journal, row).state
                yield place, row.number, f"{point_text(point)}  {state}"

    def roll_back(self, place: int) -> None:
        """Undo the child at a place, if there is one and it was not undone yet."""
        latest = self._latest(place)
        if latest is not None and latest.outcome != "rolled_back":
            self.recovery(latest.number, "rollback").run()

    def _begin(self, place: int, attempt: int, point: Mapping[str, Any]) -> Metrics:
        template, packs, cls = self.template, self.packs, self.target.action_class
        invocation = Invocation.of_json(template.packs, self.sweep)
        stored = json.loads(template.params)
        shared = params_of(template.params, cls.action_name, os.environ, cls.params_model)
        action = cls(at_point(shared, point), silent_runtime(), packs=packs)
        whole = action.plan()
        use = LockUse(name=lock_name(self.target, packs), no_lock=invocation.no_lock)
        whole = packs.check_lock(whole, cls, lambda: whole, use)
        part = select(whole, only=invocation.only, start=invocation.start, skip=invocation.skip)
        executor = self._executor(invocation.executor)
        about = about_action(
            cls,
            action.params,
            recorded_as=template.action,
            packs=replace(invocation, executor=executor).to_json(),
            variables={tuple(path.split(".")): name for path, name in stored["secrets"].items()},
            serializers=packs.serializers,
            secrets=[text for each in packs.secrets() for text in each.texts],
        )
        child = ChildOf(
            parent=self.sweep,
            step=STEP,
            attempt=attempt,
            item=place,
            fence=self.fence,
            folder=template.folder,
            project=template.project,
        )
        metrics = Metrics()
        orchestrator = orchestrator_of(
            action,
            part,
            replace(about, child=child),
            journal=self.journal,
            on_failure=template.on_failure,
            strict_results=template.strict_results or packs.strict_results,
            executor=executor,
            observers=(metrics,),
        )
        counts = orchestrator.execute()
        return metrics.with_result(result_of(action, counts, orchestrator.context))

    def _executor(self, asked: str | None) -> str | None:
        """Return the executor for the items of a child, if not that of the settings.

        It is of the kind that the sweep itself has; the settings say how many slots it has.
        """
        if asked is None or kind_of(asked) == kind_of(self.packs.executor or default_url()):
            return None
        return kind_of(asked)

    def _latest(self, place: int) -> RunRow | None:
        """Return the latest run at a place, or None.

        The worker of an earlier attempt may still be ending it, or be gone while its connection is
        not: wait a moment for that.
        """
        deadline = time.monotonic() + _GOING
        while True:
            latest = latest_child(self.journal, self.sweep, place)
            if latest is None or latest.outcome is not None:
                return latest
            held = self.journal.holder(latest.number) is not None
            if not held or time.monotonic() > deadline:
                return latest_child(self.journal, self.sweep, place)
            time.sleep(0.1)

    def recovery(self, number: int, aim: Aim) -> Recovery:
        """Return what finishes or undoes a child; see `prepare`."""
        recovery = prepare(
            self.target.action_class,
            self.journal.read(number),
            self.journal,
            aim,
            ctx=silent_runtime(),
            packs=self.packs,
            lock=LockUse(name=lock_name(self.target, self.packs)),
            accept_drift=self.handed_down.get("accept_drift", False),
            take_over=self.handed_down.get("take_over", False),
        )
        if aim == "resume" and self.template.on_failure == "keep":
            recovery.options["on_failure"] = "keep"
        return recovery


def latest_child(journal: Journal, sweep: int, place: int) -> RunRow | None:
    """Return the latest run at a place of a sweep, or None."""
    rows = journal.parts(sweep, item=place)
    return rows[-1] if rows else None


def latest_children(journal: Journal, sweep: int) -> dict[int, RunRow]:
    """Return the latest run at each place of a sweep at which there was one."""
    return {row.parent_item or 0: row for row in journal.parts(sweep)}


class Metrics:
    """Keeps the last number that the steps of a run have reported under each name.

    Attributes:
        found: The numbers.
        better: Whether a higher one is better, of those for which that was said.
    """

    def __init__(self) -> None:
        self.found: dict[str, float] = {}
        self.better: dict[str, bool] = {}

    def __call__(self, event: Event) -> None:
        """Take one event of the run."""
        if isinstance(event, events.MetricsMeasured):
            numbers = _numbers(event.value)
            self.found |= numbers
            if event.higher_is_better is not None:
                self.better |= dict.fromkeys(numbers, event.higher_is_better)

    def with_result(self, result: Mapping[str, Any]) -> Metrics:
        """Take the numbers in the result of the run, which come first; return all.

        `metrics` is left out of a name: the accuracy in `{"metrics": {"accuracy": 0.9}}` is
        `accuracy`.
        """
        told = _numbers({name: value for name, value in result.items() if name not in _COUNTS})
        self.found = told | {name: self.found[name] for name in self.found if name not in told}
        return self


_COUNTS = ("success", "steps_executed", "steps_total")


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {".".join(path): value for path, value in _leaves(values)}


def _leaves(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[Any]:
    for name, value in values.items():
        here = path if name == "metrics" else (*path, str(name))
        if isinstance(value, Mapping):
            yield from _leaves(cast("Mapping[str, Any]", value), here)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield here, value
