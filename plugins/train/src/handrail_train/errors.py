"""The errors of trainings, each with a message and ways out."""

from __future__ import annotations

from collections.abc import Iterable

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


class MlflowError(TrainError):
    """An MLflow server cannot be reached, refuses, or is none.

    Attributes:
        passing: Whether it may work a moment later.
        reason: What is wrong, in a few words.
        status: The HTTP status; 0 without an answer.
        said: The error code of MLflow, such as `RESOURCE_DOES_NOT_EXIST`; may be empty.
    """

    code = "train-mlflow"

    def __init__(
        self,
        message: str,
        *,
        passing: bool = False,
        reason: str = "",
        status: int = 0,
        said: str = "",
        ways_out: Iterable[str] = (),
    ) -> None:
        super().__init__(message, ways_out=ways_out)
        self.passing = passing
        self.reason = reason
        self.status = status
        self.said = said

    def after(self, attempts: int) -> MlflowError:
        """Return the error with the number of attempts, from 1."""
        times = "once" if attempts == 1 else f"{attempts} times"
        return MlflowError(
            f"{self.message}, tried {times}",
            passing=self.passing,
            reason=self.reason,
            status=self.status,
            said=self.said,
            ways_out=self.ways_out,
        )
