"""sgd: a linear model, trained by stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat

from handrail_train.data.examples import Examples
from handrail_train.models.kind import Hyper
from handrail_train.models.sklearn_kind import SklearnKind, shuffled

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats


class SGDHyper(Hyper):
    """Hyper-parameters of `sklearn.linear_model.SGDClassifier`."""

    loss: Literal["log_loss", "modified_huber"] = Field(
        default="log_loss", description="Loss function; both give probabilities"
    )
    penalty: Literal["l2", "l1", "elasticnet"] = Field(default="l2", description="Regularization")
    alpha: PositiveFloat = Field(default=0.0001, description="Strength of the regularization")
    l1_ratio: float = Field(default=0.15, ge=0, le=1, description="Share of L1 in elasticnet")
    learning_rate: Literal["optimal", "constant", "invscaling"] = Field(
        default="optimal", description="Learning rate schedule"
    )
    eta0: PositiveFloat = Field(
        default=0.01, description="Initial learning rate, unless the schedule is optimal"
    )


class SGD(SklearnKind[SGDHyper]):
    """A linear model, trained by stochastic gradient descent (scikit-learn's SGDClassifier)."""

    hyper: ClassVar[type[Hyper]] = SGDHyper

    def make(self, hyper: SGDHyper, seed: int) -> Any:
        given = hyper.model_dump()
        # It shuffles in the same order in each call, so that is done before.
        return import_module("sklearn.linear_model").SGDClassifier(
            **given, shuffle=False, random_state=seed
        )

    def train(
        self, estimator: Any, features: Floats, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        order = shuffled(len(examples), number, seed)
        estimator.partial_fit(features[order], examples.labels[order], classes=examples.classes)
        return {}
