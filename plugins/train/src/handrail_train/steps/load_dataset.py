"""load_dataset: read the data, check it, divide it."""

from __future__ import annotations

from handrail import BaseStep, SourceChangedError, StepResult
from handrail.errors import describe
from handrail_storage import count_text
from handrail_train.context import TrainContext
from handrail_train.errors import TrainError


class LoadDatasetStep(BaseStep[TrainContext]):
    """Read the data, check that a model can be trained on it, divide it."""

    name = "load_dataset"
    progress_weight = 0.15
    effects = False

    def restore(self, context: TrainContext, result: StepResult) -> None:
        # Once the model is tested, the data is not needed.
        from handrail_train.data import stamp_of

        if context.metrics or stamp_of(context.params.get("data", "")) == result.data.get("file"):
            return
        try:
            context.use_split()
        except (TrainError, ImportError, OSError) as error:
            raise SourceChangedError(describe(error)) from error

    def execute(self, context: TrainContext) -> StepResult:
        from handrail_train.data import stamp_of

        context.options.model_kind().check()
        stamp = stamp_of(context.options.data)
        loaded = context.read_dataset()
        examples, split = loaded.examples, context.use_split()
        parts = {name: len(getattr(split, name)) for name in ("train", "validation", "test")}
        context.dataset = {
            "fingerprint": examples.fingerprint(),
            "rows": len(examples),
            "dropped": loaded.dropped,
            "columns": list(examples.columns),
            "classes": examples.classes.tolist(),
            **parts,
        }
        left_out = f", {count_text(loaded.dropped, 'row')} left out" if loaded.dropped else ""
        columns, classes = len(examples.columns), len(examples.classes)
        summary = (
            f"{count_text(len(examples), 'row')}{left_out}, {count_text(columns, 'column')}, "
            f"{classes} classes"
        )
        shown = {"rows": len(examples), "columns": columns, "classes": classes}
        file = {} if stamp is None else {"file": stamp}
        return StepResult(data={"summary": summary, **shown, **parts, **file})
