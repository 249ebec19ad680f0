"""Dry runs: a plan in which steps with effects return a preview instead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from handrail import BaseStep, Plan, PlannedStep, StepResult
from handrail.errors import HandrailError, describe
from handrail.frozen import replace
from handrail.places import innermost
from handrail.plan.placed import StaysHere
from handrail.user_code import calls_user_code

NOT_PREVIEWED = "not previewed"

Told = Callable[[str, str], object]
"""Takes the name of a step, and one line of its preview."""

# What a step stumbles over if something is missing that a step before it would have made.
_STUMBLES = (LookupError, AttributeError, TypeError, AssertionError, OSError, ArithmeticError)


def preview_plan(plan: Plan, told: Told = lambda step, line: None) -> Plan:
    """Return `plan` for a dry run.

    Steps with `effects = False` really run; the others give their `preview` as `data["preview"]`, a
    list of lines. `always_run` steps with effects are previewed too. A dry run fails where the run
    would: at a reading step that fails, and at a preview that raises a HandrailError, such as that
    the target cannot be reached, or that a step was left out of the run. Behind a step with effects
    that is only previewed, a reading step that has a `preview` gives that too. Any other may
    stumble there over results that are missing (LookupError, AttributeError, TypeError, OSError and
    the like): it then reports that, and the dry run continues. A run that a step makes is previewed
    in the same way, unless an output of a step with effects is needed for it.

    Args:
        plan: The plan.
        told: Called with each line as it comes, also those before a failure.
    """
    steps: list[Any] = []
    begins = {group.name: group.span.start for group in plan.groups}
    first_left_out = len(plan)
    lanes_with_one: set[tuple[str | None, int | None]] = set()
    previewed: set[str] = set()
    for position, planned in enumerate(plan.steps):
        stand_in: BaseStep[Any]
        lane = planned.group, planned.lane
        if planned.inner is not None:
            sources = dict.fromkeys(planned.inputs.values())
            needed = [each for each in sources if each.partition(".")[0] in previewed]
            stand_in = _Part(planned, told, " and ".join(needed))
            if needed or any(each.effects for each in planned.inner.steps):
                first_left_out = min(first_left_out, position)
                previewed.add(planned.name)
        elif planned.effects:
            stand_in = _Previewed(planned.step, planned.name, told)
            first_left_out = min(first_left_out, position)
            lanes_with_one.add(lane)
        elif lane in lanes_with_one or first_left_out < begins.get(planned.group or "", position):
            stand_in = Lenient(planned.step, planned.name, told)
        else:
            steps.append(planned)
            continue
        facts = replace(planned.facts, plain=True, skippable=True, reverts=False)
        steps.append(replace(planned, step=stand_in, facts=facts))
    return replace(plan, steps=tuple(steps))


class _StandIn(StaysHere):
    """Takes the place of a step in a dry run."""

    def __init__(self, step: BaseStep[Any], name: str, told: Told) -> None:
        self.step = step
        self._told = told
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

    @calls_user_code
    def _preview(self, context: Any) -> list[str] | None:
        """Return the lines of the step's preview, or None if it has none."""
        try:
            answer = self.step.preview(context)
            # It may be a generator, and fail late.
            return None if answer is None else self._lines(answer)
        except HandrailError:
            raise
        except Exception as error:  # noqa: BLE001 - a preview may fail, the dry run continues
            return [self._tell(f"{NOT_PREVIEWED}: {describe(error)}")]

    @calls_user_code
    def _lines(self, answer: str | Iterable[str]) -> list[str]:
        lines: list[str] = []
        try:
            lines += answer.splitlines() if isinstance(answer, str) else map(str, answer)
        except HandrailError:
            # It says why the run would fail here, after what it would do before that.
            for line in lines:
                self._tell(line)
            raise
        return [self._tell(line) for line in lines]

    def _tell(self, line: str) -> str:
        self._told(self.name, line)
        return line


class _Previewed(_StandIn):
    @calls_user_code
    def execute(self, context: Any) -> StepResult:
        """Return the preview of the step."""
        lines = self._preview(context)
        return StepResult(data={"preview": [self._tell(NOT_PREVIEWED)] if lines is None else lines})


class _Part(_StandIn):
    """Previews the run that a step makes, step by step."""

    def __init__(self, planned: PlannedStep, told: Told, needed: str) -> None:
        super().__init__(planned.step, planned.name, told)
        assert planned.inner is not None
        self._plan = planned.inner
        self._needed = needed

    def can_skip(self, context: Any) -> bool:
        """Return False: the step would ask for what is not there."""
        return False

    @calls_user_code
    def execute(self, context: Any) -> StepResult:
        """Preview the steps of the run, or say what they need, which only a run makes."""

        def told(step: str, line: str) -> None:
            self._told(f"{self.name}.{step}", line)

        if not self._needed:
            step: Any = innermost(self.step)
            answer: StepResult = step.preview_run(context, preview_plan(self._plan, told))
            return answer
        for each in self._plan.steps:
            told(each.name, f"{NOT_PREVIEWED}: needs {self._needed}")
        return StepResult(data={"steps_executed": len(self._plan.steps)})

    def close(self, context: Any) -> int:
        """Return 0: a preview leaves no run open."""
        return 0


class Lenient(_StandIn):
    """Runs a step that only reads, and tells what it stumbles over."""

    def place(self, placed: Callable[[BaseStep[Any]], BaseStep[Any]]) -> None:
        """Let the step that it runs be run elsewhere."""
        self.step = placed(self.step)

    @calls_user_code
    def execute(self, context: Any) -> StepResult | Awaitable[StepResult]:
        """Preview the step, or run it; it may stumble over what an omitted step would have made."""
        lines = self._preview(context)
        if lines is not None:
            return StepResult(data={"preview": lines})
        try:
            answer = self.step.execute(context)
        except _STUMBLES as error:
            return self._stumbled(error)
        return self._finish(answer) if isinstance(answer, Awaitable) else answer

    @calls_user_code
    async def _finish(self, answer: Awaitable[StepResult]) -> StepResult:
        try:
            return await answer
        except _STUMBLES as error:
            return self._stumbled(error)

    def _stumbled(self, error: Exception) -> StepResult:
        if isinstance(error, HandrailError):  # The run would fail, too.
            raise error
        reason = f"cannot tell in a dry run: {describe(error)}"
        return StepResult(data={"preview": [self._tell(reason)]})
