"""Trainings of one's own as their authors would write them; never run, only type-checked.

A line that must not pass carries an ignore for both checkers: they fail when it is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel

from handrail import BaseStep, RuntimeContext, StepRegistry, StepResult, step
from handrail_storage import Store
from handrail_train import (
    BaseTrainAction,
    DefaultTrainAction,
    EvaluateModelStep,
    Examples,
    Fit,
    Hyper,
    LoadDatasetStep,
    ModelKind,
    Predictor,
    SklearnKind,
    Split,
    TrainContext,
    TrainModelStep,
    TrainParams,
    UploadModelStep,
    Versions,
    load_model,
    shuffled,
)
from handrail_train.manifest import Version


class MyParams(BaseModel):
    """Params that have nothing to do with those of the default training."""

    numbers: list[float]


@dataclass(kw_only=True)
class MyContext(TrainContext):
    """A context with one more field."""

    seen: int = 0


@step(weight=0.1)
def look(context: MyContext) -> None:
    """Look at what was learnt."""
    context.seen = len(context.history)


class Gate(BaseStep[TrainContext]):
    """Goes into any training."""

    name = "gate"
    progress_weight = 0.1

    def execute(self, context: TrainContext) -> StepResult:
        """Use what a context of a training has."""
        options: TrainParams = context.options
        split: Split = context.use_learnt().split
        test: Examples = split.test
        store: Store = context.use_store()
        last: dict[str, float] = context.history[-1]
        model: Predictor = context.use_predictor()
        told: list[Any] = model.predict({"length": 1.0}).tolist()
        version: dict[str, Any] | None = context.model
        wrong: int = options.name  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
        seen = {"rows": len(test), "store": store.url, "wrong": wrong, "version": version}
        return StepResult(data={**seen, **last, "model": str(told)})


class MyTraining(BaseTrainAction[MyParams]):
    """Any params, own context, some of the default steps."""

    context_class = MyContext

    def setup_steps(self, registry: StepRegistry[Any]) -> None:
        """Register some."""
        for each in (LoadDatasetStep(), TrainModelStep(), look, EvaluateModelStep()):
            registry.register(each)
        registry.register(UploadModelStep())

    def result(self, context: MyContext) -> Mapping[str, Any]:
        """Add something."""
        first: float = self.params.numbers[0]
        return {**super().result(context), "first": first}


class MyHyper(Hyper):
    """Hyper-parameters."""

    depth: int = 3


class MyTree(SklearnKind[MyHyper]):
    """A kind of model on an estimator of scikit-learn."""

    hyper: ClassVar[type[Hyper]] = MyHyper

    def make(self, hyper: MyHyper, examples: Examples, seed: int) -> Any:
        """Make one."""
        depth: int = hyper.depth
        return depth + seed + len(examples)

    def train(
        self, estimator: Any, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        """Train one."""
        rows = shuffled(len(examples), number, seed)
        return {"loss": float(rows[0])}


def use(kind: ModelKind[Any], fit: Fit, versions: Versions) -> bytes:
    """Use what others have made."""
    shown: Mapping[str, float] = fit.epoch(1)
    version: Version = versions.get("digits@1")
    model: Predictor = load_model("models", version.reference)
    return kind.artefact(fit.dump()) + f"{shown} {model.schema}".encode()


DefaultTrainAction({"data": "iris"}, RuntimeContext(), packs=())
DefaultTrainAction(TrainParams(data="iris"))
DefaultTrainAction(MyParams(numbers=[]))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
