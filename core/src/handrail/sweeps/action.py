"""The action of a sweep: one step, which runs an action at each point of a grid."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from handrail.actions import BaseAction
from handrail.context import BaseStepContext
from handrail.errors import ItemsFailedError, JournalError, SweepFailedError
from handrail.frozen import from_json, frozen, replace
from handrail.journal.damage import decoding
from handrail.recovery.invocation import Invocation
from handrail.steps import BaseStep, StepResult
from handrail.sweeps.children import (
    STEP,
    Children,
    Template,
    latest_child,
    opened,
    roll_back_child,
    run_child,
    shared_with,
)
from handrail.sweeps.grid import Grid

if TYPE_CHECKING:
    from handrail.context import Items, RunLink
    from handrail.journal.protocol import Journal, OwnedRun
    from handrail.journal.records import RunRow
    from handrail.recovery.resume_run import Recovery
    from handrail.recovery.status import Aim
    from handrail.registry import StepRegistry


@frozen
class Sweep:
    """A grid, and how its children are run. It is recorded with the run of a sweep.

    Attributes:
        grid: The grid.
        max_failed: How many children may fail: a number, or a share such as `2%`.
        on_failure: Whether a child that fails undoes what it has done, or keeps it.
        strict_results: Whether a step fails if its result cannot be stored.
    """

    grid: Grid
    max_failed: int | str = 0
    on_failure: Literal["undo", "keep"] = "undo"
    strict_results: bool = False


@dataclass(kw_only=True)
class SweepContext(BaseStepContext):
    """The context of a sweep.

    Attributes:
        done: The number of children that were completed.
        failed: The number of those that failed.
    """

    done: int = 0
    failed: int = 0


class SweepAction(BaseAction[Any]):
    """An action that is run at each point of a grid; see `swept`.

    Its params are those of its first child.

    Attributes:
        sweep: The grid, and how the children are run.
        template: What the children have in common.
        awaits: Whether its step is async, so that an event loop goes on meanwhile.
    """

    context_class = SweepContext
    sweep: ClassVar[Sweep]
    template: ClassVar[Template]
    awaits: ClassVar[bool] = False

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        """Register the step that runs the children."""
        step = AwaitChildren if self.awaits else RunChildren
        registry.register(step(self.sweep, self.template))

    def result(self, context: Any) -> Mapping[str, Any]:
        """Return how many children were completed, and how many failed."""
        failed = f", {context.failed} failed" if context.failed else ""
        return {
            "runs": context.done,
            "failed": context.failed,
            "summary": f"{context.done} of {self.sweep.grid.count} runs completed{failed}",
        }


# A sweep has the name of the action that it runs.
SweepAction.action_name = ""


def recorded_sweep(action: type[BaseAction[Any]], row: RunRow) -> type[SweepAction] | None:
    """Return the class of a recorded sweep of an action; None if the run is no sweep.

    The working folder must be that of the run.

    Raises:
        JournalDamagedError: What is recorded of the sweep is not what was written.
    """
    sweep = sweep_of(row)
    if sweep is None:
        return None
    return swept(action, sweep, template_of(sweep, row.action, row.params, row.packs, row.project))


def template_of(sweep: Sweep, action: str, params: str, packs: str, project: str) -> Template:
    """Return what the children of a sweep have in common; see `Template`."""
    invocation = Invocation.of_json(packs, 0)
    return Template(
        action=action,
        params=params,
        packs=replace(invocation, sweep=None).to_json(),
        folder=os.getcwd(),
        project=project,
        on_failure=sweep.on_failure,
        strict_results=sweep.strict_results,
    )


def sweep_of(row: RunRow) -> Sweep | None:
    """Return the recorded sweep of a run; None if it is none.

    Raises:
        JournalDamagedError: It is not what was written.
    """
    found = Invocation.of_row(row).sweep
    if found is None:
        return None
    with decoding(row.number, "its sweep"):
        return from_json(Sweep, found)


def swept(
    action: type[BaseAction[Any]], sweep: Sweep, template: Template, *, awaits: bool = False
) -> type[SweepAction]:
    """Return the class of the sweep of an action."""
    space = {
        "action_name": action.action_name,
        "params_model": action.params_model,
        "sweep": sweep,
        "template": template,
        "awaits": awaits,
        "__module__": SweepAction.__module__,
    }
    return type(action.__name__, (SweepAction,), space)


@frozen(kw_only=False)
class Points:
    """The items of the step of a sweep, one for each of its children."""

    grid: Grid

    def __len__(self) -> int:
        """Return the number of children."""
        return self.grid.count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the place and the point of each child."""
        for place, point in enumerate(self.grid, 1):
            yield {"place": place, "point": point}


class RunChildren(BaseStep[SweepContext]):
    """Runs the children, side by side.

    A child is a run of its own, and knows from its own record whether it is to begin, to go on, or
    is done; so one that was interrupted is not undone before it is tried again.
    """

    name = STEP
    progress_weight = 1.0

    def __init__(self, sweep: Sweep, template: Template) -> None:
        self._sweep = sweep
        self._template = template

    def execute(self, context: SweepContext) -> StepResult | Awaitable[StepResult]:
        """Run all children that are not done."""
        return self._children(context)

    def resume(
        self, context: SweepContext, result: StepResult
    ) -> StepResult | Awaitable[StepResult]:
        """Go on with the children that are not done."""
        return self._children(context)

    def _children(self, context: SweepContext) -> StepResult:
        with self._failing(context):
            return self._told(context, _link(context).map_items(**self._options(context)))

    def rollback(self, context: SweepContext, result: StepResult) -> None:
        """Do nothing more: the children are undone by now."""

    def preview_rollback(self, context: SweepContext, result: StepResult) -> Iterable[str]:
        """Return a line for each child that would be undone."""
        with opened(self._shared(context)) as children:
            undone = children.undo_lines(self._sweep.grid)
            return [f"{number}  {text}" for _, number, text in undone]

    def recovery(
        self, journal: Journal, row: RunRow, aim: Aim, *, ctx: object = None, **more: bool
    ) -> Recovery:
        """Return what finishes or undoes a child, as the workers do it; see `prepare`."""
        shared = shared_with(self._template, "", row.parent or 0, 0)
        return Children.of(journal, {**shared, **more}).recovery(row.number, aim)

    def _options(self, context: SweepContext) -> dict[str, Any]:
        return {
            "function": run_child,
            "items": Points(self._sweep.grid),
            "rollback": roll_back_child,
            "shared": self._shared(context),
            "max_failed": self._sweep.max_failed,
            "chunk": 1,
            # These functions take up what is there, so nothing is undone before they try again.
            "takes_up": True,
        }

    def _shared(self, context: SweepContext) -> dict[str, Any]:
        info, place = context.run_info, _place(context)
        if info is None or info.journal is None:
            raise JournalError("a sweep needs a journal, in which its children are recorded")
        # What it shows of its URL is not always enough to open it. A preview has no fence.
        url, fence = (None, 0) if place is None else (place[0].url, place[1].fence)
        return shared_with(self._template, url or info.journal, info.number or 0, fence)

    @contextmanager
    def _failing(self, context: SweepContext) -> Generator[None]:
        try:
            yield
        except ItemsFailedError as error:
            first = next(iter(error.errors), "")
            found = re.fullmatch(r"item (\d+): (?:\w+Error: )?(.*)", first, re.DOTALL)
            place = _place(context)
            if found is not None and place is not None:
                row = latest_child(place[0], place[1].number, int(found[1]) + 1)
                first = found[2] if row is None else f"run {row.number}: {found[2]}"
            raise SweepFailedError(
                error.failed, error.most, self._sweep.grid.count, first
            ) from None

    def _told(self, context: SweepContext, done: Items) -> StepResult:
        context.done, context.failed = done.count, done.failed
        return StepResult(data={"done": done.count, "failed": done.failed})


class AwaitChildren(RunChildren):
    """Runs the children while the event loop of the run goes on."""

    async def execute(self, context: SweepContext) -> StepResult:
        """Run all children that are not done."""
        return await self._awaited(context)

    async def resume(self, context: SweepContext, result: StepResult) -> StepResult:
        """Go on with the children that are not done."""
        return await self._awaited(context)

    async def _awaited(self, context: SweepContext) -> StepResult:
        with self._failing(context):
            return self._told(context, await _link(context).amap_items(**self._options(context)))


def _link(context: SweepContext) -> RunLink:
    return context._items_link()  # pyright: ignore[reportPrivateUsage] - it is of this library


def _place(context: SweepContext) -> tuple[Journal, OwnedRun] | None:
    """Return the journal of a sweep that runs, and its run there."""
    log: Any = getattr(_link(context), "log", None)
    return None if log is None else log.place
