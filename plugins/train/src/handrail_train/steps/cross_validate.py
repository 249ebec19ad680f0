"""cross_validate: train and test on several divisions of the data, side by side."""

from __future__ import annotations

from handrail import BaseStep, StepResult
from handrail_storage import count_text
from handrail_train.context import TrainContext


class CrossValidateStep(BaseStep[TrainContext]):
    """Train a model without each fold of the data, and test it on that."""

    name = "cross_validate"
    progress_weight = 0.10
    effects = False

    def preview(self, context: TrainContext) -> str:
        context.needs("train_model")
        return f"train and test on {count_text(context.options.folds, 'division')} of the rows"

    def execute(self, context: TrainContext) -> StepResult:
        from handrail_train.figures import FIGURES
        from handrail_train.folds import score_fold, summed_up

        context.needs("train_model")
        options = context.options
        shared = {
            "params": options.model_dump(mode="json"),
            "epochs": context.use_checkpoint().epoch,
        }
        found = context.map_items(score_fold, range(options.folds), shared=shared, chunk=1)
        context.fold_figures = summed_up(figures for _, figures in found)
        shown = ", ".join(
            f"{FIGURES[name][0]} {each['mean']:.4g} ± {each['deviation']:.2g}"
            for name, each in list(context.fold_figures.items())[:2]
        )
        return StepResult(data={"summary": f"{shown} over {count_text(options.folds, 'fold')}"})
