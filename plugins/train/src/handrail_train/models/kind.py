"""ModelKind: the interface of kinds of models, to train, continue, store and load them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from handrail_train.data.examples import Examples
from handrail_train.errors import ModelError

if TYPE_CHECKING:
    from handrail_train.data.encoder import Encoding
    from handrail_train.data.examples import Floats
    from handrail_train.data.target import Task

H = TypeVar("H", bound="Hyper")


class Hyper(BaseModel):
    """Base of the hyper-parameters of a kind of model; what is unknown is refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True)


class Fit(ABC):
    """A model that is being trained, one epoch (or round) after the other."""

    @abstractmethod
    def epoch(self, number: int) -> Mapping[str, float]:
        """Train one epoch, and return its figures, such as `loss`.

        Randomness must follow from the seed and `number` alone, not from earlier epochs in this
        process: an epoch has to do the same after `ModelKind.go_on`.

        Args:
            number: The number of the epoch, from 1.
        """

    @property
    @abstractmethod
    def model(self) -> Any:
        """The current model."""

    @abstractmethod
    def dump(self) -> bytes:
        """Return the current model, with all that the next epoch needs. Never a pickle."""


class ModelKind(ABC, Generic[H]):
    """A kind of model, under its name in the entry point group `handrail_train.models`.

    The module of a kind imports its library only inside methods, since kinds are imported while a
    run is planned.

    Attributes:
        hyper: The model of its hyper-parameters.
        tasks: What it can learn: classes, numbers, or both.
        encoding: How it takes the columns of a table; see `handrail_train.data.encoder`.
        descends: Whether it descends along a gradient, in steps that can be too large.
        in_chunks: Whether it can learn from examples that do not fit into memory, chunk by chunk;
            see `Examples.chunks`.
        modules: The modules that have to be importable, by the name of the distribution.
        extra: The requirement to install if a module is missing.
        suffix: Suffix of the file of a stored model.
    """

    hyper: ClassVar[type[Hyper]]
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    encoding: ClassVar[Encoding] = "scaled"
    descends: ClassVar[bool] = False
    in_chunks: ClassVar[bool] = False
    modules: ClassVar[Mapping[str, str]]
    extra: ClassVar[str] = "handrail-train"
    suffix: ClassVar[str]

    @abstractmethod
    def begin(self, hyper: H, examples: Examples, seed: int) -> Fit:
        """Return an untrained model.

        Args:
            hyper: The hyper-parameters.
            examples: The training data.
            seed: The random seed.
        """

    @abstractmethod
    def go_on(self, hyper: H, examples: Examples, seed: int, content: bytes) -> Fit:
        """Return a model that continues from a result of `Fit.dump`, as if never interrupted.

        Raises:
            ModelError: The content is not that of such a model.
        """

    @abstractmethod
    def load(self, content: bytes) -> Any:
        """Return the model in `content`, to predict with.

        Raises:
            ModelError: The content is not a model of this kind, or has a type that is not allowed.
        """

    @abstractmethod
    def probabilities(self, model: Any, features: Floats) -> Floats:
        """Return how probable each class is: a row for each row of features, in order of class."""

    def numbers(self, model: Any, features: Floats) -> Floats:
        """Return the number for each row of features, where `tasks` has regression.

        They are like `Examples.values`: in the encoding `scaled`, less the mean of the target, and
        divided by its deviation.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has regression in `tasks`, and no numbers"
        )

    def artefact(self, content: bytes) -> bytes:
        """Return the stored form of a result of `Fit.dump`: equal for equal models."""
        return content

    def check(self) -> None:
        """Check that its library is installed, without importing it.

        Raises:
            ModelError: The library is not installed.
        """
        for distribution, module in self.modules.items():
            if find_spec(module) is None:
                raise ModelError(
                    f"{type(self).__name__} takes {distribution}, which is not installed",
                    ways_out=(f"pip install '{self.extra}'",),
                )

    def versions(self) -> dict[str, str]:
        """Return the version of each library that a model depends on."""
        found: dict[str, str] = {}
        for distribution in (*self.modules, "numpy"):
            try:
                found[distribution] = version(distribution)
            except PackageNotFoundError:
                found[distribution] = "unknown"
        return found
