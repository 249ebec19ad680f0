"""The train action, and the base for trainings of your own."""

# Annotations are not postponed here: each one of a TypedDict would be compiled by itself.

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypedDict, cast

from handrail import BaseAction
from handrail_storage import count_text
from handrail_train.params import TrainParams

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail import BaseStepContext, StepRegistry
    from handrail_train.context import TrainContext

    P = TypeVar("P", default=Any)
else:
    from typing import TypeVar

    P = TypeVar("P")


class TrainResult(TypedDict, total=False):
    """The result of a training, and its outputs in a chain.

    Attributes:
        summary: One line about it.
        metrics: The metrics of the test.
        model: What is stored of the model.
        version: The version in the store, such as `digits@3`.
        epochs: Number of epochs.
        store: The store.
        next: What can follow, each by its purpose: commands, and the page of the run in MLflow.
    """

    summary: str
    metrics: Mapping[str, Any]
    model: Mapping[str, Any]
    version: str
    epochs: int
    store: str
    next: Mapping[str, str]


class BaseTrainAction(BaseAction[P]):
    """A training with any params and the steps that `setup_steps` registers.

    Without steps it runs `execute`, which a subclass then brings. The result has the `metrics` of
    the test.
    """

    action_name = "train"

    @classmethod
    def context_type(cls) -> "type[BaseStepContext]":
        from handrail_train.context import TrainContext

        return cls.context_class or TrainContext

    def result(self, context: Any) -> Mapping[str, Any]:
        found = {name: getattr(context, name, None) for name in ("metrics", "model")}
        return {name: value for name, value in found.items() if value}


class DefaultTrainAction(BaseTrainAction[TrainParams]):
    """Train a model on a table and keep it as a new version; what fails is taken back.

    The same data, params and seed give the same model, also when the run was killed and resumed.
    """

    action_name = "train"

    def setup_steps(self, registry: "StepRegistry[Any]") -> None:
        from handrail_train.steps import (
            CheckMlflowStep,
            CheckStoreStep,
            CrossValidateStep,
            EvaluateModelStep,
            LoadDatasetStep,
            LogToMlflowStep,
            TrainModelStep,
            UploadModelStep,
        )

        registry.register(CheckStoreStep())
        if self.params.mlflow:
            registry.register(CheckMlflowStep())
        registry.register(LoadDatasetStep())
        registry.register(TrainModelStep())
        if self.params.folds:
            registry.register(CrossValidateStep())
        registry.register(EvaluateModelStep())
        registry.register(UploadModelStep())
        if self.params.mlflow:
            registry.register(LogToMlflowStep())

    def check_inputs(self) -> Iterable[tuple[str, str]]:
        yield from self.params.source().missing_input()

    def result(self, context: "TrainContext") -> TrainResult:
        from handrail_train.figures import FIGURES
        from handrail_train.store import in_store

        shown, model = cast("TrainResult", dict(super().result(context))), context.model
        if model is None:
            return shown
        options, reference = context.options, f"{model['name']}@{model['number']}"
        first = context.metrics.get("headline")
        figures = f" · {FIGURES[first][0]} {context.metrics[first]:.4g}" if first else ""
        epochs = count_text(len(context.history), "epoch")
        next_ = {"look": f"handrail models show {reference}{in_store(options.store)}"}
        if "log_to_mlflow" in context.results:
            next_["mlflow"] = context.results["log_to_mlflow"].data["url"]
        return {
            **shown,
            "summary": f"trained {options.kind} for {epochs}{figures} · "
            f"{reference} in {context.use_store().url}",
            "version": reference,
            "epochs": len(context.history),
            "store": context.use_store().url,
            "next": next_,
        }
