"""lightgbm: gradient-boosted trees of the library LightGBM."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, PositiveFloat, PositiveInt

from handrail_train.data.examples import Examples
from handrail_train.data.matrix import Matrix
from handrail_train.errors import ModelError
from handrail_train.models.kind import Fit, Hyper, ModelKind

if TYPE_CHECKING:
    from handrail_train.data.encoder import Encoding
    from handrail_train.data.examples import Floats
    from handrail_train.data.target import Task


class LightGBMHyper(Hyper):
    """Hyper-parameters of LightGBM, under the names that it gives them."""

    learning_rate: PositiveFloat = Field(
        default=0.1, description="Learning rate: the weight of each tree"
    )
    num_leaves: int = Field(default=31, ge=2, description="Maximum number of leaves of a tree")
    max_depth: int = Field(default=-1, description="Maximum depth of a tree; -1 for no limit")
    min_data_in_leaf: PositiveInt = Field(
        default=20, description="Minimum number of examples in a leaf"
    )
    lambda_l1: float = Field(default=0.0, ge=0, description="L1 regularization")
    lambda_l2: float = Field(default=0.0, ge=0, description="L2 regularization")
    max_bin: int = Field(default=255, ge=2, description="Maximum number of bins per feature")


class LightGBM(ModelKind[LightGBMHyper]):
    """Trees, each correcting those before (LightGBM); stored as its text."""

    hyper: ClassVar[type[Hyper]] = LightGBMHyper
    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    encoding: ClassVar[Encoding] = "native"
    modules: ClassVar[Mapping[str, str]] = {"lightgbm": "lightgbm"}
    extra: ClassVar[str] = "handrail-train[lightgbm]"
    in_chunks: ClassVar[bool] = True
    suffix: ClassVar[str] = ".lightgbm.txt"

    def begin(self, hyper: LightGBMHyper, examples: Examples, seed: int) -> Fit:
        return _LightGBMFit(hyper, examples, seed, None)

    def go_on(self, hyper: LightGBMHyper, examples: Examples, seed: int, content: bytes) -> Fit:
        return _LightGBMFit(hyper, examples, seed, self.load(content))

    def load(self, content: bytes) -> Any:
        library = import_module("lightgbm")
        try:
            return library.Booster(model_str=content.decode())
        except (library.basic.LightGBMError, UnicodeDecodeError) as error:
            raise ModelError(f"this is no model of LightGBM that can be read: {error}") from error

    def probabilities(self, model: Any, features: Floats) -> Floats:
        np = import_module("numpy")
        found: Floats = model.predict(features)
        # For two classes it returns only the probability of the second.
        return found if found.ndim == 2 else np.column_stack([1 - found, found])

    def numbers(self, model: Any, features: Floats) -> Floats:
        found: Floats = model.predict(features)
        return found


class _LightGBMFit(Fit):
    """A booster that grows by one tree for each class in an epoch."""

    def __init__(self, hyper: LightGBMHyper, examples: Examples, seed: int, so_far: Any) -> None:
        self._library = import_module("lightgbm")
        classes = len(examples.target.classes)
        objective: dict[str, Any] = {"objective": "binary"}
        if examples.is_regression:
            objective = {"objective": "regression"}
        elif classes > 2:
            objective = {"objective": "multiclass", "num_class": classes}
        self._params = {
            **objective,
            **hyper.model_dump(),
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,  # Else it measures which way is faster, and may choose another.
            "verbosity": -1,
        }
        features: Any = examples.features
        if isinstance(features, Matrix):
            features = features.mapped()  # It is read once, and the bins are kept.
        # Without the names of the features: it refuses some of those that files have.
        self._data = self._library.Dataset(
            features,
            examples.values,
            weight=examples.weights,
            categorical_feature=list(range(examples.categories)),
            params=self._params,
        )
        self._booster = so_far
        self._going = False

    def epoch(self, number: int) -> Mapping[str, float]:
        if self._going:
            self._booster.update()
        else:
            # The first time in this process, even if it continues from a model.
            self._booster = self._library.train(
                self._params,
                self._data,
                num_boost_round=1,
                init_model=self._booster,
                keep_training_booster=True,
            )
            self._going = True
        (_, _, loss, _), *_ = self._booster.eval_train()
        return {"loss": float(loss)}

    @property
    def model(self) -> Any:
        return self._booster

    def dump(self) -> bytes:
        text: str = self._booster.model_to_string()
        return text.encode()
