"""Kinds of models that are estimators of scikit-learn."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from handrail_train.data.examples import Examples
from handrail_train.errors import ModelError
from handrail_train.models.kind import Fit, H, ModelKind
from handrail_train.models.skops_file import canonical, dump_skops, load_skops
from handrail_train.models.state_file import dump_state, is_state, load_state

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats, Integers


class SklearnKind(ModelKind[H]):
    """An estimator of scikit-learn, stored as a pipeline in a skops file.

    Attributes:
        allowed: The types in it that skops does not trust by itself; no others are loaded.
        scaled: Whether its features are brought to the mean 0 and the deviation 1 first.
    """

    allowed: ClassVar[Sequence[str]] = ()
    scaled: ClassVar[bool] = True
    modules: ClassVar[Mapping[str, str]] = {"scikit-learn": "sklearn", "skops": "skops"}
    suffix: ClassVar[str] = ".skops"

    @abstractmethod
    def make(self, hyper: H, seed: int) -> Any:
        """Return the estimator, which has learnt nothing yet."""

    @abstractmethod
    def train(
        self, estimator: Any, features: Floats, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        """Train an epoch, and return its figures; see `Fit.epoch`.

        Args:
            estimator: The result of `make`, or a loaded estimator.
            features: The features of the examples, possibly scaled.
            examples: The examples.
            number: The number of the epoch, from 1.
            seed: The random seed.
        """

    def begin(self, hyper: H, examples: Examples, seed: int) -> Fit:
        pipeline = import_module("sklearn.pipeline")
        steps = [("model", self.make(hyper, seed))]
        if self.scaled:
            scaler = import_module("sklearn.preprocessing").StandardScaler()
            steps.insert(0, ("scale", scaler.fit(examples.features)))
        return _SklearnFit(self, pipeline.Pipeline(steps), examples, seed)

    def go_on(self, hyper: H, examples: Examples, seed: int, content: bytes) -> Fit:
        return _SklearnFit(self, self.load(content), examples, seed)

    def load(self, content: bytes) -> Any:
        if is_state(content):
            model = load_state(content, self.allowed)
        else:
            model = load_skops(content, self.allowed)
        if not isinstance(model, import_module("sklearn.pipeline").Pipeline):
            raise ModelError("the file holds no model that was trained here")
        return model

    def probabilities(self, model: Any, features: Floats) -> Floats:
        found: Floats = model.predict_proba(features)
        return found

    def artefact(self, content: bytes) -> bytes:
        if is_state(content):
            content = dump_skops(self.load(content), None)
        return canonical(content)


class _SklearnFit(Fit):
    """A pipeline whose last step is being trained."""

    def __init__(
        self, kind: SklearnKind[Any], pipeline: Any, examples: Examples, seed: int
    ) -> None:
        self._kind = kind
        self._pipeline = pipeline
        self._examples = examples
        self._seed = seed
        scale = pipeline[0] if kind.scaled else None
        features = examples.features
        self._features = features if scale is None else scale.transform(features)
        self._checked = False

    def epoch(self, number: int) -> Mapping[str, float]:
        return self._kind.train(
            self._pipeline[-1], self._features, self._examples, number, self._seed
        )

    @property
    def model(self) -> Any:
        return self._pipeline

    def dump(self) -> bytes:
        allowed = self._kind.allowed
        if not self._checked:
            # The first time is enough: an epoch changes figures, and no types.
            dump_skops(self._pipeline, allowed)
            self._checked = True
        state = dump_state(self._pipeline, allowed)
        return dump_skops(self._pipeline, None) if state is None else state


def shuffled(count: int, number: int, seed: int) -> Integers:
    """Return the places of `count` examples in the order in which epoch `number` sees them."""
    order: Integers = import_module("numpy").random.default_rng([seed, number]).permutation(count)
    return order
