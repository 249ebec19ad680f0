"""Kinds of models that are estimators of scikit-learn."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from handrail_train.data.examples import Examples
from handrail_train.errors import ModelError
from handrail_train.models.kind import Fit, H, ModelKind
from handrail_train.models.skops_file import canonical, dump_skops, load_skops
from handrail_train.models.state_file import dump_state, is_state, load_state

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats
    from handrail_train.data.target import Task


class SklearnKind(ModelKind[H]):
    """An estimator of scikit-learn, stored in a skops file.

    Attributes:
        allowed: The types in it that skops does not trust by itself; no others are loaded.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    allowed: ClassVar[Sequence[str]] = ()
    modules: ClassVar[Mapping[str, str]] = {"scikit-learn": "sklearn", "skops": "skops"}
    suffix: ClassVar[str] = ".skops"

    @abstractmethod
    def make(self, hyper: H, examples: Examples, seed: int) -> Any:
        """Return the estimator for the task of the examples, which has learnt nothing yet."""

    @abstractmethod
    def train(
        self, estimator: Any, examples: Examples, number: int, seed: int
    ) -> Mapping[str, float]:
        """Train an epoch, and return its figures; see `Fit.epoch`.

        Where the kind has `in_chunks`, this is done for each chunk of the examples, in an order
        that follows from the seed and the epoch; the mean of the figures is that of the epoch.

        Args:
            estimator: The result of `make`, or a loaded estimator.
            examples: The examples, or a chunk of them.
            number: The number of the epoch, from 1.
            seed: The random seed.
        """

    def begin(self, hyper: H, examples: Examples, seed: int) -> Fit:
        return _SklearnFit(self, self.make(hyper, examples, seed), examples, seed)

    def go_on(self, hyper: H, examples: Examples, seed: int, content: bytes) -> Fit:
        return _SklearnFit(self, self.load(content), examples, seed)

    def load(self, content: bytes) -> Any:
        if is_state(content):
            model = load_state(content, self.allowed)
        else:
            model = load_skops(content, self.allowed)
        if not isinstance(model, import_module("sklearn.base").BaseEstimator):
            raise ModelError("the file holds no model that was trained here")
        return model

    def probabilities(self, model: Any, features: Floats) -> Floats:
        found: Floats = model.predict_proba(features)
        return found

    def numbers(self, model: Any, features: Floats) -> Floats:
        found: Floats = model.predict(features)
        return found

    def artefact(self, content: bytes) -> bytes:
        if is_state(content):
            content = dump_skops(self.load(content), None)
        return canonical(content)


class _SklearnFit(Fit):
    """An estimator that is being trained."""

    def __init__(
        self, kind: SklearnKind[Any], estimator: Any, examples: Examples, seed: int
    ) -> None:
        self._kind = kind
        self._estimator = estimator
        self._examples = examples
        self._seed = seed
        self._checked = False

    def epoch(self, number: int) -> Mapping[str, float]:
        found: defaultdict[str, float] = defaultdict(float)
        for chunk in self._examples.chunks(number, self._seed):
            shown = self._kind.train(self._estimator, chunk, number, self._seed)
            for name, value in shown.items():
                found[name] += value * len(chunk) / len(self._examples)
        return found

    @property
    def model(self) -> Any:
        return self._estimator

    def dump(self) -> bytes:
        allowed = self._kind.allowed
        if not self._checked:
            # The first time is enough: an epoch changes figures, and no types.
            dump_skops(self._estimator, allowed)
            self._checked = True
        state = dump_state(self._estimator, allowed)
        return dump_skops(self._estimator, None) if state is None else state


def weighted(examples: Examples) -> dict[str, Any]:
    """Return the argument with the weights of examples, if they have some."""
    return {} if examples.weights is None else {"sample_weight": examples.weights}
