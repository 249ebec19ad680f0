"""check_store: look at the store, before anything is trained for it."""

from __future__ import annotations

from handrail import BaseStep, StepResult
from handrail_train.context import TrainContext


class CheckStoreStep(BaseStep[TrainContext]):
    """Check that the store answers, so that no training is done in vain."""

    name = "check_store"
    progress_weight = 0.05
    effects = False

    def execute(self, context: TrainContext) -> StepResult:
        store = context.use_store()
        store.reach()
        answers = "is on this machine" if store.place.local else "answers"
        return StepResult(data={"summary": f"{store.url} {answers}"})
