"""mlp: a network of fully connected layers."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from handrail_train.data.examples import Examples
from handrail_train.models.kind import Hyper
from handrail_train.models.sklearn_kind import SklearnKind, shuffled

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats


class MLPHyper(Hyper):
    """Hyper-parameters of `sklearn.neural_network.MLPClassifier`."""

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
    """A network of fully connected layers (scikit-learn's MLPClassifier)."""

    hyper: ClassVar[type[Hyper]] = MLPHyper
    allowed = (
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    )

    def make(self, hyper: MLPHyper, seed: int) -> Any:
        return import_module("sklearn.neural_network").MLPClassifier(
            hidden_layer_sizes=tuple(hyper.hidden),
            activation=hyper.activation,
            solver=hyper.solver,
            learning_rate_init=hyper.learning_rate,
            alpha=hyper.alpha,
            batch_size=hyper.batch_size,
            random_state=seed,
            shuffle=False,  # It would do so in the same order in each call.
        )

    def train(
        self, estimator: Any, features: Floats, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        estimator.batch_size = min(estimator.batch_size, len(examples))
        order = shuffled(len(examples), number, seed)
        with warnings.catch_warnings():
            # It treats Ctrl-C as a request to keep the partly trained model.
            warnings.filterwarnings("error", "Training interrupted by user", UserWarning)
            try:
                estimator.partial_fit(
                    features[order], examples.labels[order], classes=examples.classes
                )
            except UserWarning as error:
                raise KeyboardInterrupt from error
        # Each call creates it again from the seed; stored, it would take longer than the weights.
        if hasattr(estimator, "_random_state"):
            del estimator._random_state
        return {"loss": float(estimator.loss_)}
