"""evaluate_model: measure the model on the part of the data that it has not seen."""

from __future__ import annotations

from handrail import BaseStep, StepResult
from handrail_storage import count_text
from handrail_train.context import TrainContext


class EvaluateModelStep(BaseStep[TrainContext]):
    """Test the model, as it was saved, on the rows that were kept for that."""

    name = "evaluate_model"
    progress_weight = 0.10
    effects = False

    def can_skip(self, context: TrainContext) -> bool:
        context.needs("train_model")
        # In a dry run no model is trained.
        return context.model_path is None and context.model is None

    def execute(self, context: TrainContext) -> StepResult:
        from handrail_train.evaluation import evaluate
        from handrail_train.training import checked_probabilities

        test = context.use_split().test
        kind, predictor = context.options.model_kind(), context.use_predictor()
        context.metrics = found = evaluate(checked_probabilities(kind, predictor, test), test)
        figures = {name: found[name] for name in ("accuracy", "macro_f1", "log_loss")}
        context.set_metrics(figures)
        summary = (
            f"accuracy {found['accuracy']:.4g}, macro F1 {found['macro_f1']:.4g} on "
            f"{count_text(found['rows'], 'row')}"
        )
        return StepResult(data={"summary": summary, **figures, "rows": found["rows"]})
