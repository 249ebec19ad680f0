"""evaluate_model: measure the model on the part of the data that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handrail import BaseStep, StepResult
from handrail_storage import count_text
from handrail_train.context import TrainContext

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats, Integers

_SHOWN = ("accuracy", "macro_f1", "log_loss", "r2", "rmse", "mae")


class EvaluateModelStep(BaseStep[TrainContext]):
    """Test the model, as it was saved, on the rows that were kept for that."""

    name = "evaluate_model"
    progress_weight = 0.10
    effects = False

    def preview(self, context: TrainContext) -> str:
        context.needs("train_model")
        rows = (
            "" if context.dataset is None else f" on {count_text(context.dataset['test'], 'row')}"
        )
        return f"test the model{rows}"

    def execute(self, context: TrainContext) -> StepResult:
        from handrail_train.attaching import attach_numbers, attach_test
        from handrail_train.evaluation import evaluate
        from handrail_train.figures import FIGURES

        context.needs("train_model")
        learnt, predictor = context.use_learnt(), context.use_predictor()
        test = learnt.split.test
        # A regression is measured in the unit of the target.
        truth = learnt.dataset.values[learnt.rows.test] if test.is_regression else None
        answers = predictor.of(test)
        found = evaluate(answers, test, truth)
        found["importance"] = _importance(context)
        if context.fold_figures:
            found["folds"] = context.fold_figures
        context.metrics = found
        figures = {name: found[name] for name in FIGURES if name in found}
        for higher in (True, False):
            told = {name: value for name, value in figures.items() if FIGURES[name][1] is higher}
            context.set_metrics(told, higher_is_better=higher)
        attach_test(context, found)
        if truth is not None:
            attach_numbers(context, truth, answers)
        first = found["headline"]
        names = [first, *(name for name in _SHOWN if name != first and name in found)][:3]
        shown = ", ".join(f"{FIGURES[name][0]} {found[name]:.4g}" for name in names)
        summary = f"{shown} on {count_text(found['rows'], 'row')}"
        if first not in ("accuracy", "r2"):
            summary += f" · {FIGURES[first][0]} counts: {found['why']}"
        return StepResult(data={"summary": summary, **figures, "rows": found["rows"]})


def _importance(context: TrainContext) -> list[dict[str, Any]]:
    from handrail_train.evaluation import importance
    from handrail_train.training import log_loss, mean_squared_error

    learnt, predictor = context.use_learnt(), context.use_predictor()
    kind, model, test = predictor.kind, predictor.model, learnt.split.test

    def loss(features: Floats, rows: Integers) -> float:
        some = test.some(rows)
        if test.is_regression:
            return mean_squared_error(kind.numbers(model, features), some)
        return log_loss(kind.probabilities(model, features), some)

    places = learnt.encoder.places(kind.encoding)
    return importance(loss, test.features, places, seed=context.options.seed)
