"""The errors of trainings, each with a message and ways out."""

from __future__ import annotations

from typing import Any, Self

import handrail_storage
from handrail.errors import HandrailError, NotFoundError


class TrainError(HandrailError, RuntimeError):
    """Base of the errors of this pack."""

    code = "train"


class DataError(TrainError, ValueError):
    """The data cannot be read, or no model can be trained on it."""

    code = "train-data"


class ModelError(TrainError, ValueError):
    """A kind of model is unknown, lacks its library, or went wrong while it was trained."""

    code = "train-model"


class CheckpointError(TrainError):
    """The checkpoints of a run cannot be written, or not be gone on from."""

    code = "train-checkpoint"


class StorageError(handrail_storage.StorageError, TrainError):
    """The store refused or failed; the message has the key and the server's words."""

    code = "train-storage"


class VersionError(TrainError, LookupError):
    """A version of a model is not in the store, or is not what its manifest says."""

    code = "train-version"


class NoVersionError(VersionError, NotFoundError):
    """There is no model, or no version of it, with the given name."""


class ContainmentError(handrail_storage.ContainmentError, TrainError):
    """Something recorded of a run would lead an undo, or a resumed run, elsewhere."""

    code = "train-containment"


class MlflowError(TrainError, handrail_storage.PassingError):
    """An MLflow server cannot be reached, refuses, or is none.

    Attributes:
        status: The HTTP status; 0 without an answer.
        said: The error code of MLflow, such as `RESOURCE_DOES_NOT_EXIST`; may be empty.
    """

    code = "train-mlflow"

    def __init__(self, message: str, *, status: int = 0, said: str = "", **more: Any) -> None:
        super().__init__(message, **more)
        self.status = status
        self.said = said

    def after(self, attempts: int) -> Self:
        """Return the error with the number of attempts, from 1, where it was tried again."""
        return super().after(attempts) if self.passing else self
