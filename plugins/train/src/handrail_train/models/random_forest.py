"""random_forest: independently grown trees that vote."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from handrail_train.data.examples import Examples
from handrail_train.models.kind import Hyper
from handrail_train.models.sklearn_kind import SklearnKind

if TYPE_CHECKING:
    from handrail_train.data.encoder import Encoding


class RandomForestHyper(Hyper):
    """Hyper-parameters of `sklearn.ensemble.RandomForestClassifier` and `Regressor`."""

    trees_per_epoch: PositiveInt = Field(default=10, description="Number of trees per epoch")
    criterion: Literal["gini", "entropy", "squared_error", "absolute_error"] | None = Field(
        default=None,
        description="Quality measure of a split; by default gini for classes, squared_error for "
        "numbers",
    )
    max_depth: PositiveInt | None = Field(default=None, description="Maximum depth of a tree")
    max_leaf_nodes: int | None = Field(
        default=None, ge=2, description="Maximum number of leaves of a tree"
    )
    min_samples_leaf: PositiveInt = Field(
        default=1, description="Minimum number of examples in a leaf"
    )
    max_features: Literal["sqrt", "log2"] | float = Field(
        default="sqrt",
        gt=0,
        le=1,
        description="Number of features to consider for a split, or their share",
    )


class RandomForest(SklearnKind[RandomForestHyper]):
    """Trees that are grown apart and vote (scikit-learn's RandomForest)."""

    hyper: ClassVar[type[Hyper]] = RandomForestHyper
    encoding: ClassVar[Encoding] = "frequency"
    allowed = ("sklearn.tree._tree.Tree",)

    def make(self, hyper: RandomForestHyper, examples: Examples, seed: int) -> Any:
        ensemble = import_module("sklearn.ensemble")
        made, criterion = ensemble.RandomForestClassifier, "gini"
        if examples.is_regression:
            made, criterion = ensemble.RandomForestRegressor, "squared_error"
        given = hyper.model_dump(exclude={"trees_per_epoch", "criterion"})
        return made(
            **given,
            criterion=hyper.criterion or criterion,
            n_estimators=hyper.trees_per_epoch,
            warm_start=True,
            random_state=seed,
        )

    def train(
        self, estimator: Any, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        if number > 1:
            # As many again as there are of each epoch before.
            estimator.n_estimators += estimator.n_estimators // (number - 1)
        estimator.fit(examples.features, examples.labels, sample_weight=examples.weights)
        return {}
