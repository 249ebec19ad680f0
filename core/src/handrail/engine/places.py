"""Places: who runs parts of a run elsewhere, such as in another process."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail.context import run_of
from handrail.entry import chain
from handrail.frozen import frozen, replace
from handrail.plan.plan import Plan
from handrail.steps import BaseStep, StepResult
from handrail.user_code import calls_user_code
from handrail.wrapper import StepWrapper, forwards

if TYPE_CHECKING:
    from handrail.context import Items
    from handrail.engine.line import Line
    from handrail.engine.state import RunState


@frozen
class RunToPerform:
    """A run of which a performer may take parts.

    Attributes:
        action: The action with its params; None for a run without one.
        packs: The provider of the packs of the run.
        executor: The URL of the executor for items that was asked for now, or None.
        recorded: That with which a recorded run began, or None.
    """

    action: Any
    packs: Any
    executor: str | None = None
    recorded: str | None = None


class Performer:
    """Runs parts of a run elsewhere; a pack returns one from the hook `perform`.

    Override what it does. One serves one run, and one thread calls it at a time, but for steps in
    lanes of a group, and the items of these.

    Attributes:
        maps_items: Whether it works on the items of steps.
    """

    maps_items: bool = False

    def takes(self, plan: Plan) -> Collection[int]:
        """Return the positions of the steps that it runs."""
        return ()

    def check(self, run: RunState) -> None:
        """Check, before the run begins, that it can run what it takes.

        Raises:
            HandrailError: It cannot; nothing was begun.
        """

    def open(self, run: RunState, lock: int | None, *, early: bool) -> None:
        """Take a run that begins, in a thread that lives as long as the run.

        Args:
            run: The run.
            lock: The descriptor of the lock on the run, which processes of this machine inherit;
                None without one.
            early: Whether to prepare now what steps need, and not when the first one needs it.
        """

    def attempt(self, line: Line, resumed: StepResult | None) -> StepResult | Awaitable[StepResult]:
        """Run an attempt of the running step; in an event loop, return an awaitable.

        Args:
            line: The running step, with all that it may tell the run.
            resumed: The interrupted attempt that it continues, or None.
        """
        raise NotImplementedError

    def map_items(self, line: Line, *args: Any, **options: Any) -> Items:
        """Work on the items of the running step; see `BaseStepContext.map_items`."""
        raise NotImplementedError

    async def amap_items(self, line: Line, *args: Any, **options: Any) -> Items:
        """Like `map_items`, for a coroutine."""
        raise NotImplementedError

    def undo_items(self, line: Line, position: int, attempt: int) -> None:
        """Undo the items of an attempt of a step.

        Raises:
            ItemsUndoError: Some could not be undone.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End all that it has begun, and wait for that. Calling it twice is harmless."""


class Places:
    """Who runs which parts of a run.

    Args:
        performers: All that are asked.
        taken: The performers of steps, by position.
        others: Returns further performers for items, asked when a step has some and none of
            `performers` maps any.
    """

    def __init__(
        self,
        performers: Sequence[Performer] = (),
        taken: Mapping[int, Performer] | None = None,
        *,
        others: Callable[[], Performer],
    ) -> None:
        self.taken: Mapping[int, Performer] = {} if taken is None else taken
        self._performers = list(performers)
        self._others = others
        self._lock: int | None = None
        self._asking = threading.Lock()

    def check(self, run: RunState) -> None:
        """Check that all can run what they take; see `Performer.check`."""
        for performer in self._performers:
            performer.check(run)

    def open(self, run: RunState, lock: int | None, *, early: bool) -> None:
        """Let all take a run that begins; see `Performer.open`."""
        self._lock = lock
        for performer in self._performers:
            performer.open(run, lock, early=early)

    def close(self) -> None:
        """End all that was begun."""
        for performer in self._performers:
            performer.close()

    def of_items(self, run: RunState) -> Performer:
        """Return who works on the items of steps.

        Raises:
            ExecutorError: Nobody does.
        """
        with self._asking:
            found = next((each for each in self._performers if each.maps_items), None)
            if found is None:
                found = self._others()
                found.open(run, self._lock, early=False)
                self._performers.append(found)
            return found

    def undo_items(self, line: Line, position: int, attempt: int) -> None:
        """Undo the items of an attempt of a step; see `Performer.undo_items`."""
        self.of_items(line.run).undo_items(line, position, attempt)


class Placed(StepWrapper[Any]):
    """Lets the run execute the wrapped step elsewhere.

    It is inside all other layers, so these stay in the process of the run, and each attempt of a
    layer that tries again is one of its own there. In that other place, and outside of runs, it
    only calls the wrapped step.
    """

    @calls_user_code
    def execute(self, context: Any) -> StepResult | Awaitable[StepResult]:
        """Execute the wrapped step, elsewhere if the run has it there."""
        elsewhere = _elsewhere(context)
        return self.wrapped.execute(context) if elsewhere is None else elsewhere(None)

    @forwards
    @calls_user_code
    def resume(self, context: Any, result: StepResult) -> StepResult | Awaitable[StepResult]:
        """Resume the wrapped step, elsewhere if the run has it there."""
        elsewhere = _elsewhere(context)
        return self.wrapped.resume(context, result) if elsewhere is None else elsewhere(result)


class StaysHere(BaseStep[Any]):
    """A step that stays in the process of the run, such as a preview in a dry run."""

    def place(self, placed: Callable[[BaseStep[Any]], BaseStep[Any]]) -> None:
        """Replace a step that it runs, if it does, by what `placed` returns for that."""


def _elsewhere(context: object) -> Any:
    run = run_of(context)
    return None if run is None else run.elsewhere


def placed(plan: Plan, positions: Collection[int]) -> Plan:
    """Return a plan whose steps at some positions run elsewhere."""
    if not positions:
        return plan
    steps = [
        replace(planned, step=_placed(planned.step)) if position in positions else planned
        for position, planned in enumerate(plan.steps)
    ]
    return replace(plan, steps=tuple(steps))


def _placed(step: BaseStep[Any]) -> BaseStep[Any]:
    """Return `step`, which may have layers, with one around the innermost step."""
    if isinstance(step, StaysHere):
        step.place(_placed)
        return step
    *layers, innermost = chain(step)
    if any(isinstance(layer, Placed) for layer in layers):
        return step  # In an earlier run.
    inner = Placed(innermost)
    if not layers:
        return inner
    layers[-1].wrapped = inner  # type: ignore[attr-defined]
    return step
