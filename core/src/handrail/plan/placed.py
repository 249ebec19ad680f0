"""Placed: the innermost layer of a step that runs elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from handrail.context import run_of
from handrail.entry import chain
from handrail.frozen import replace
from handrail.plan.plan import Plan
from handrail.steps import BaseStep, StepResult
from handrail.user_code import calls_user_code
from handrail.wrapper import StepWrapper, forwards


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
