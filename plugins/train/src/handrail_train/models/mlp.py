"""mlp: a network of fully connected layers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from handrail_train.data.examples import Examples, shuffled
from handrail_train.models.kind import Hyper
from handrail_train.models.sklearn_kind import SklearnKind, weighted


class MLPHyper(Hyper):
    """Hyper-parameters of `sklearn.neural_network.MLPClassifier` and `MLPRegressor`."""

    hidden: list[PositiveInt] = Field(
        default=[100], description="Number of units of each hidden layer"
    )
    activation: Literal["relu", "tanh", "logistic"] = Field(
        default="relu", description="Activation function"
    )
    solver: Literal["adam", "sgd"] = Field(default="adam", description="Optimizer")
    learning_rate: PositiveFloat = Field(default=0.001, description="Initial learning rate")
    alpha: float = Field(default=0.0001, ge=0, description="L2 regularization")
    batch_size: PositiveInt = Field(default=200, description="Size of a minibatch")


class MLP(SklearnKind[MLPHyper]):
    """A network of fully connected layers (scikit-learn's MLP)."""

    hyper: ClassVar[type[Hyper]] = MLPHyper
    descends: ClassVar[bool] = True
    in_chunks: ClassVar[bool] = True
    allowed = (
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    )

    def make(self, hyper: MLPHyper, examples: Examples, seed: int) -> Any:
        network = import_module("sklearn.neural_network")
        made = network.MLPRegressor if examples.is_regression else network.MLPClassifier
        return made(
            hidden_layer_sizes=tuple(hyper.hidden),
            activation=hyper.activation,
            solver=hyper.solver,
            learning_rate_init=hyper.learning_rate,
            alpha=hyper.alpha,
            batch_size=min(hyper.batch_size, examples.fewest),
            random_state=seed,
            shuffle=False,  # It would do so in the same order in each call.
        )

    def train(
        self, estimator: Any, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        some = examples.some(shuffled(len(examples), number, seed))
        more = {} if examples.is_regression else {"classes": examples.classes}
        with warnings.catch_warnings():
            # It treats Ctrl-C as a request to keep the partly trained model.
            warnings.filterwarnings("error", "Training interrupted by user", UserWarning)
            try:
                estimator.partial_fit(some.features, some.labels, **more, **weighted(some))
            except UserWarning as error:
                raise KeyboardInterrupt from error
        # Each call creates it again from the seed; stored, it would take longer than the weights.
        if hasattr(estimator, "_random_state"):
            del estimator._random_state
        return {"loss": float(estimator.loss_)}
