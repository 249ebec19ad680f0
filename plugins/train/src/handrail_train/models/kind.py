"""What a kind of model has to bring, so that it can be trained, gone on with, stored and loaded."""

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
    from handrail_train.data.examples import Floats

H = TypeVar("H", bound="Hyper")


class Hyper(BaseModel):
    """Base of the hyper-parameters of a kind of model; what is unknown is refused."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Fit(ABC):
    """A model that is being trained, one epoch (or round) after the other."""

    @abstractmethod
    def epoch(self, number: int) -> Mapping[str, float]:
        """Train one epoch, and return what it has shown, such as `loss`.

        What chance decides must follow from the seed and `number` alone, and not from what this
        process has done before: an epoch has to do the same after `ModelKind.go_on`.

        Args:
            number: Which epoch it is, from 1.
        """

    @property
    @abstractmethod
    def model(self) -> Any:
        """The model as it is now."""

    @abstractmethod
    def dump(self) -> bytes:
        """Return the model as it is now, with all that the next epoch needs. Never a pickle."""


class ModelKind(ABC, Generic[H]):
    """A kind of model, under its name in the entry point group `handrail_train.models`.

    The module of a kind imports its library inside of methods only, for kinds are looked at while
    a run is planned.

    Attributes:
        hyper: The model of its hyper-parameters.
        modules: What has to be importable, by the name of the distribution.
        extra: What to install where that is missing.
        suffix: Of the file that a model is stored in.
    """

    hyper: ClassVar[type[Hyper]]
    modules: ClassVar[Mapping[str, str]]
    extra: ClassVar[str] = "handrail-train"
    suffix: ClassVar[str]

    @abstractmethod
    def begin(self, hyper: H, examples: Examples, seed: int) -> Fit:
        """Return a model that has learnt nothing yet.

        Args:
            hyper: The hyper-parameters.
            examples: What it will be trained on.
            seed: Where chance begins.
        """

    @abstractmethod
    def go_on(self, hyper: H, examples: Examples, seed: int, content: bytes) -> Fit:
        """Return a model that goes on from what `Fit.dump` has returned, as if never interrupted.

        Raises:
            ModelError: The content is none of such a model.
        """

    @abstractmethod
    def load(self, content: bytes) -> Any:
        """Return the model in `content`, to predict with.

        Raises:
            ModelError: The content is none of such a model, or has something that is not allowed.
        """

    @abstractmethod
    def probabilities(self, model: Any, features: Floats) -> Floats:
        """Return how probable each class is: a row for each row of features, in order of class."""

    def artefact(self, content: bytes) -> bytes:
        """Return what `Fit.dump` has returned as it is stored: equal for equal models."""
        return content

    def check(self) -> None:
        """Check that its library is there, without importing it.

        Raises:
            ModelError: It is not.
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
