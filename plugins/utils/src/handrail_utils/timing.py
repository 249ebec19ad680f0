"""TimingStep: measures the duration of a step."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import TypeVar

from handrail import Around, BaseStep, BaseStepContext, Run, StepWrapper

C = TypeVar("C", bound=BaseStepContext, contravariant=True)


class TimingStep(StepWrapper[C]):
    """Adds `data['duration_seconds']`, rounded to 6 decimals, to the result of the wrapped step.

    The result is a copy; the step's own result is not changed. A step that raises has no result,
    so it gets no duration.

    Its own name is `timed_<name of the wrapped step>`; both names work as anchors. As a layer
    added by a pack or a project, it does not change the step's name.
    """

    def __init__(self, step: BaseStep[C]) -> None:
        super().__init__(step)

    @property
    def name(self) -> str:
        """`timed_`, followed by the name of the wrapped step."""
        return f"timed_{self.wrapped.name}"

    def around(self, context: C) -> Around:
        began = perf_counter()
        result = yield Run()
        duration = round(perf_counter() - began, 6)
        return replace(result, data={**result.data, "duration_seconds": duration})
