"""Dry runs: a plan in which steps with effects return a preview instead."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any

from handrail.engine.user_code import calls_user_code
from handrail.errors import describe
from handrail.frozen import replace
from handrail.plan.plan import Plan
from handrail.steps import BaseStep, StepResult

NOT_PREVIEWED = "not previewed"


def preview_plan(plan: Plan) -> Plan:
    """Return `plan` for a dry run.

    Steps with `effects = False` really run; the others give their `preview` as `data["preview"]`, a
    list of lines. `always_run` steps with effects are previewed too. Once a step with effects was
    left out, a reading step may fail because its results are missing: it then reports that, and the
    dry run continues.
    """
    steps: list[Any] = []
    left_out = False
    for planned in plan.steps:
        stand_in: BaseStep[Any]
        if planned.effects:
            stand_in = _Previewed(planned.step, planned.name)
            left_out = True
        elif left_out:
            stand_in = _Lenient(planned.step, planned.name)
        else:
            steps.append(planned)
            continue
        facts = replace(planned.facts, plain=True, skippable=True, reverts=False)
        steps.append(replace(planned, step=stand_in, facts=facts))
    return replace(plan, steps=tuple(steps))


class _StandIn(BaseStep[Any]):
    """Takes the place of a step in a dry run."""

    def __init__(self, step: BaseStep[Any], name: str) -> None:
        self.step = step
        self.name = name
        self.progress_weight = 0.0
        self.always_run = step.always_run

    @calls_user_code
    def can_skip(self, context: Any) -> bool | Awaitable[bool]:
        """Call the step's `can_skip`; if that fails in a dry run, the step is not skipped."""
        try:
            answer = self.step.can_skip(context)
        except Exception:  # noqa: BLE001 - it may need an omitted step
            return False
        return self._later(answer) if isinstance(answer, Awaitable) else answer

    @staticmethod
    @calls_user_code
    async def _later(answer: Awaitable[bool]) -> bool:
        try:
            return await answer
        except Exception:  # noqa: BLE001 - as above
            return False


class _Previewed(_StandIn):
    @calls_user_code
    def execute(self, context: Any) -> StepResult:
        """Return the preview of the step."""
        try:
            answer = self.step.preview(context)
            # It may be a generator, and fail late.
            lines = [NOT_PREVIEWED] if answer is None else lines_of(answer)
        except Exception as error:  # noqa: BLE001 - a preview may fail, the dry run continues
            lines = [f"{NOT_PREVIEWED}: {describe(error)}"]
        return StepResult(data={"preview": lines})


class _Lenient(_StandIn):
    @calls_user_code
    def execute(self, context: Any) -> StepResult | Awaitable[StepResult]:
        """Run the step; a failure is reported in its result, not raised."""
        try:
            answer = self.step.execute(context)
        except Exception as error:  # noqa: BLE001 - it may need an omitted step
            return _missed(describe(error))
        return self._finish(answer) if isinstance(answer, Awaitable) else _softened(answer)

    @staticmethod
    @calls_user_code
    async def _finish(answer: Awaitable[StepResult]) -> StepResult:
        try:
            return _softened(await answer)
        except Exception as error:  # noqa: BLE001 - as above
            return _missed(describe(error))


def _softened(result: StepResult) -> StepResult:
    return result if result.success else _missed(result.error or "no reason given")


def _missed(reason: str) -> StepResult:
    return StepResult(data={"preview": [f"cannot tell in a dry run: {reason}"]})


@calls_user_code
def lines_of(answer: str | Iterable[str]) -> list[str]:
    """Return the lines of a preview."""
    return answer.splitlines() if isinstance(answer, str) else list(map(str, answer))
