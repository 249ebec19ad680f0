"""sgd: a linear model, trained by stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveFloat

from handrail_train.data.examples import Examples, shuffled
from handrail_train.errors import ModelError
from handrail_train.models.kind import Hyper
from handrail_train.models.sklearn_kind import SklearnKind, weighted

_LOSSES_OF_CLASSES = ("log_loss", "modified_huber")  # Those that give probabilities.


class SGDHyper(Hyper):
    """Hyper-parameters of `sklearn.linear_model.SGDClassifier` and `SGDRegressor`."""

    loss: Literal["log_loss", "modified_huber", "squared_error", "huber"] | None = Field(
        default=None,
        description="Loss function; by default log_loss for classes, squared_error for numbers",
    )
    penalty: Literal["l2", "l1", "elasticnet"] = Field(default="l2", description="Regularization")
    alpha: PositiveFloat = Field(default=0.0001, description="Strength of the regularization")
    l1_ratio: float = Field(default=0.15, ge=0, le=1, description="Share of L1 in elasticnet")
    learning_rate: Literal["optimal", "constant", "invscaling"] | None = Field(
        default=None,
        description="Learning rate schedule; by default optimal for classes, invscaling for "
        "numbers",
    )
    eta0: PositiveFloat = Field(
        default=0.01, description="Initial learning rate, unless the schedule is optimal"
    )


class SGD(SklearnKind[SGDHyper]):
    """A linear model, trained by stochastic gradient descent (scikit-learn's SGD)."""

    hyper: ClassVar[type[Hyper]] = SGDHyper
    descends: ClassVar[bool] = True
    in_chunks: ClassVar[bool] = True

    def make(self, hyper: SGDHyper, examples: Examples, seed: int) -> Any:
        linear = import_module("sklearn.linear_model")
        made, loss, rate = linear.SGDClassifier, "log_loss", "optimal"
        if examples.is_regression:
            made, loss, rate = linear.SGDRegressor, "squared_error", "invscaling"
        losses = ("squared_error", "huber") if examples.is_regression else _LOSSES_OF_CLASSES
        if (hyper.loss or loss) not in losses:
            raise ModelError(
                f"sgd cannot learn {examples.target.name!r} by the loss {hyper.loss}",
                ways_out=(f"-p hyper.loss={' or '.join(losses)}",),
            )
        given = hyper.model_dump(exclude={"loss", "learning_rate"})
        # It shuffles in the same order in each call, so that is done before.
        return made(
            **given,
            loss=hyper.loss or loss,
            learning_rate=hyper.learning_rate or rate,
            shuffle=False,
            random_state=seed,
        )

    def train(
        self, estimator: Any, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        some = examples.some(shuffled(len(examples), number, seed))
        more = {} if examples.is_regression else {"classes": examples.classes}
        estimator.partial_fit(some.features, some.labels, **more, **weighted(some))
        return {}
