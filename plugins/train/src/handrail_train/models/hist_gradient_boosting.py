"""hist_gradient_boosting: gradient-boosted trees of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from handrail_train.data.examples import Examples
from handrail_train.models.kind import Hyper
from handrail_train.models.sklearn_kind import SklearnKind

if TYPE_CHECKING:
    from handrail_train.data.encoder import Encoding
    from handrail_train.data.examples import Floats


class HistGradientBoostingHyper(Hyper):
    """Hyper-parameters of `sklearn.ensemble.HistGradientBoostingClassifier` and `Regressor`."""

    learning_rate: PositiveFloat = Field(
        default=0.1, description="Learning rate: the weight of each tree"
    )
    max_leaf_nodes: int = Field(default=31, ge=2, description="Maximum number of leaves of a tree")
    max_depth: PositiveInt | None = Field(default=None, description="Maximum depth of a tree")
    min_samples_leaf: PositiveInt = Field(
        default=20, description="Minimum number of examples in a leaf"
    )
    l2_regularization: float = Field(default=0.0, ge=0, description="L2 regularization")
    max_bins: int = Field(
        default=255, ge=2, le=255, description="Maximum number of bins per feature"
    )


class HistGradientBoosting(SklearnKind[HistGradientBoostingHyper]):
    """Trees, each correcting those before (scikit-learn's HistGradientBoosting)."""

    hyper: ClassVar[type[Hyper]] = HistGradientBoostingHyper
    encoding: ClassVar[Encoding] = "native"
    allowed = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)

    def make(self, hyper: HistGradientBoostingHyper, examples: Examples, seed: int) -> Any:
        ensemble = import_module("sklearn.ensemble")
        made = ensemble.HistGradientBoostingClassifier
        if examples.is_regression:
            made = ensemble.HistGradientBoostingRegressor
        return made(
            **hyper.model_dump(),
            categorical_features=list(range(examples.categories)) or None,
            early_stopping=False,
            warm_start=True,
            random_state=seed,
        )

    def train(
        self, estimator: Any, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        estimator.max_iter = number
        estimator.fit(
            _within(examples.features, estimator), examples.labels, sample_weight=examples.weights
        )
        # It numbers categories anew, in the order of the numbers that they have here: from 0 on and
        # without gaps, so that changes nothing, and a loaded model need not know how.
        estimator._preprocessor = None
        # Depends on the machine, and is of no use in a model.
        estimator._bin_mapper.n_threads = None
        return {}

    def probabilities(self, model: Any, features: Floats) -> Floats:
        return super().probabilities(model, _within(features, model))

    def numbers(self, model: Any, features: Floats) -> Floats:
        return super().numbers(model, _within(features, model))


def _within(features: Floats, estimator: Any) -> Floats:
    """Return features whose categories have as many numbers at most as there are bins."""
    categories = len(estimator.categorical_features or ())
    last = estimator.max_bins - 1
    np = import_module("numpy")
    if not categories or not (features[:, :categories] > last).any():
        return features
    found: Floats = features.copy()
    np.minimum(found[:, :categories], last, out=found[:, :categories])
    return found
