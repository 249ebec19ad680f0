"""IsolatedStep: the innermost layer of a step that runs in a process of its own."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from handrail.context import run_of
from handrail.engine.user_code import calls_user_code
from handrail.plan.entry import chain
from handrail.steps import BaseStep, StepResult
from handrail.wrapper import StepWrapper, forwards


class IsolatedStep(StepWrapper[Any]):
    """Lets the run execute the wrapped step in a process of its own.

    Planning puts it inside all other layers, so these stay in the process of the run, and each
    attempt of a layer that tries again has a new process. In the process of the step, where the
    same plan is made again, and outside of runs, it only calls the wrapped step.
    """

    @calls_user_code
    def execute(self, context: Any) -> StepResult | Awaitable[StepResult]:
        """Execute the wrapped step, isolated if the run isolates steps."""
        isolate = _isolate_of(context)
        return self.wrapped.execute(context) if isolate is None else isolate(None)

    @forwards
    @calls_user_code
    def resume(self, context: Any, result: StepResult) -> StepResult | Awaitable[StepResult]:
        """Resume the wrapped step, isolated if the run isolates steps."""
        isolate = _isolate_of(context)
        return self.wrapped.resume(context, result) if isolate is None else isolate(result)


def _isolate_of(context: object) -> Any:
    run = run_of(context)
    return None if run is None else run.isolate


def isolated(step: BaseStep[Any]) -> BaseStep[Any]:
    """Return `step`, which may have layers, with an IsolatedStep around the innermost step."""
    *layers, innermost = chain(step)
    if any(isinstance(layer, IsolatedStep) for layer in layers):
        return step  # Planned before.
    inner = IsolatedStep(innermost)
    if not layers:
        return inner
    layers[-1].wrapped = inner  # type: ignore[attr-defined]
    return step
