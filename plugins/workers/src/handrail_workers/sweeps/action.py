"""The action of a sweep: one step, which runs an action at each point of a grid."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from handrail import BaseAction, BaseStep, BaseStepContext, StepResult
from handrail.derived import PartRuns, derivation_of, opened_parts, shared_by
from handrail.errors import HandrailError, ItemsFailedError
from handrail.frozen import frozen
from handrail_workers.executors.code import source_folder
from handrail_workers.sweeps.children import STEP, roll_back_child, run_child, undo_lines
from handrail_workers.sweeps.grid import Grid

if TYPE_CHECKING:
    from handrail import StepRegistry
    from handrail.journal import Journal, RunRow

OPTION = "run.over"
"""The entry point of the option that makes sweeps."""


class SweepFailedError(HandrailError, RuntimeError):
    """More runs of a sweep failed than may; what ran has ended.

    Attributes:
        failed: How many runs failed.
        most: How many may.
    """

    code = "sweep-failed"

    def __init__(self, failed: int, most: int, count: int, first: str = "") -> None:
        may = f"; {most:,} may" if most else ""
        shown = f": {first}" if first else ""
        super().__init__(f"{failed:,} of {count:,} runs failed{may}, and no more were begun{shown}")
        self.failed = failed
        self.most = most


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
        packs: What is recorded of how the sweep was called.
    """

    context_class = SweepContext
    sweep: ClassVar[Sweep]
    packs: ClassVar[str]

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        """Register the step that runs the children."""
        registry.register(RunChildren(self.sweep, self.packs))

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


def recorded_sweep(action: type[BaseAction[Any]], row: RunRow) -> type[SweepAction]:
    """Return the class of a recorded sweep of an action.

    Raises:
        JournalDamagedError: What is recorded of the sweep is not what was written.
    """
    sweep = derivation_of(row, OPTION, Sweep)
    assert sweep is not None
    return swept(action, sweep, row.packs)


def swept(action: type[BaseAction[Any]], sweep: Sweep, packs: str) -> type[SweepAction]:
    """Return the class of the sweep of an action; see `SweepAction`."""
    space = {
        "action_name": action.action_name,
        "params_model": action.params_model,
        "sweep": sweep,
        "packs": packs,
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

    def __init__(self, sweep: Sweep, packs: str) -> None:
        self._sweep = sweep
        self._packs = packs

    def execute(self, context: SweepContext) -> StepResult:
        """Run all children that are not done."""
        options: dict[str, Any] = {
            "rollback": roll_back_child,
            "shared": self._shared(context),
            "max_failed": self._sweep.max_failed,
            "chunk": 1,
            # These functions take up what is there, so nothing is undone before they try again.
            "takes_up": True,
        }
        try:
            done = context.map_items(run_child, Points(self._sweep.grid), **options)
        except ItemsFailedError as error:
            raise self._failed(context, error) from None
        context.done, context.failed = done.count, done.failed
        return StepResult(data={"done": done.count, "failed": done.failed})

    def resume(self, context: SweepContext, result: StepResult) -> StepResult:
        """Go on with the children that are not done."""
        return self.execute(context)

    def rollback(self, context: SweepContext, result: StepResult) -> None:
        """Do nothing more: the children are undone by now."""

    def preview_rollback(self, context: SweepContext, result: StepResult) -> Iterable[str]:
        """Return a line for each child that would be undone."""
        with opened_parts(self._shared(context), source_folder()) as parts:
            return [f"{number}  {text}" for number, text in undo_lines(parts, self._sweep.grid)]

    def recovery(
        self,
        journal: Journal,
        row: RunRow,
        aim: Literal["resume", "rollback"],
        *,
        ctx: object = None,
        **more: bool,
    ) -> Any:
        """Return what finishes or undoes a child, as the workers do it."""
        shared = {"run": row.parent, "fence": 0, "folder": os.getcwd(), **more}
        parts = PartRuns.of(journal, shared, source_folder())
        return parts.recovery(row.number, aim, keeps=self._sweep.on_failure == "keep")

    def _shared(self, context: SweepContext) -> dict[str, Any]:
        how = {
            "on_failure": self._sweep.on_failure,
            "strict_results": self._sweep.strict_results,
        }
        return shared_by(context, self._packs) | how

    def _failed(self, context: SweepContext, error: ItemsFailedError) -> SweepFailedError:
        first = next(iter(error.errors), "")
        found = re.fullmatch(r"item (\d+): (?:\w+Error: )?(.*)", first, re.DOTALL)
        if found is not None:
            with opened_parts(self._shared(context), source_folder()) as parts:
                row = parts.latest(int(found[1]) + 1)
            first = found[2] if row is None else f"run {row.number}: {found[2]}"
        return SweepFailedError(error.failed, error.most, self._sweep.grid.count, first)
