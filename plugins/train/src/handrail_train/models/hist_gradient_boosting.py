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
    from handrail_train.data.examples import Floats


class HistGradientBoostingHyper(Hyper):
    """Hyper-parameters of `sklearn.ensemble.HistGradientBoostingClassifier`."""

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
    """Trees, each correcting those before (scikit-learn's HistGradientBoostingClassifier)."""

    hyper: ClassVar[type[Hyper]] = HistGradientBoostingHyper
    allowed = ("sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",)
    scaled = False

    def make(self, hyper: HistGradientBoostingHyper, seed: int) -> Any:
        return import_module("sklearn.ensemble").HistGradientBoostingClassifier(
            **hyper.model_dump(), early_stopping=False, warm_start=True, random_state=seed
        )

    def train(
        self, estimator: Any, features: Floats, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        estimator.max_iter = number
        estimator.fit(features, examples.labels)
        return {}
