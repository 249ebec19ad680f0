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
    from handrail_train.data.examples import Floats


class RandomForestHyper(Hyper):
    """Hyper-parameters of `sklearn.ensemble.RandomForestClassifier`."""

    trees_per_epoch: PositiveInt = Field(default=10, description="Number of trees per epoch")
    criterion: Literal["gini", "entropy"] = Field(
        default="gini", description="Quality measure of a split"
    )
    max_depth: PositiveInt | None = Field(default=None, description="Maximum depth of a tree")
    min_samples_leaf: PositiveInt = Field(
        default=1, description="Minimum number of examples in a leaf"
    )
    max_features: Literal["sqrt", "log2"] = Field(
        default="sqrt", description="Number of features to consider for a split"
    )


class RandomForest(SklearnKind[RandomForestHyper]):
    """Trees that are grown apart and vote (scikit-learn's RandomForestClassifier)."""

    hyper: ClassVar[type[Hyper]] = RandomForestHyper
    allowed = ("sklearn.tree._tree.Tree",)
    scaled = False

    def make(self, hyper: RandomForestHyper, seed: int) -> Any:
        given = hyper.model_dump(exclude={"trees_per_epoch"})
        return import_module("sklearn.ensemble").RandomForestClassifier(
            **given, n_estimators=hyper.trees_per_epoch, warm_start=True, random_state=seed
        )

    def train(
        self, estimator: Any, features: Floats, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        if number > 1:
            # As many again as there are of each epoch before.
            estimator.n_estimators += estimator.n_estimators // (number - 1)
        estimator.fit(features, examples.labels)
        return {}
