"""What can go wrong in a training; each error has one message, and the ways out."""

from __future__ import annotations

from collections.abc import Iterable

from handrail.errors import HandrailError


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


class StorageError(TrainError):
    """The store refused or failed; the message has the key and the server's words.

    Attributes:
        passing: Whether it may work a moment later.
    """

    code = "train-storage"

    def __init__(
        self, message: str, *, passing: bool = False, ways_out: Iterable[str] = ()
    ) -> None:
        super().__init__(message, ways_out=ways_out)
        self.passing = passing


class VersionError(TrainError, LookupError):
    """A version of a model is not in the store, or is not what its manifest says."""

    code = "train-version"


class ContainmentError(TrainError):
    """Something recorded of a run would lead an undo, or a resumed run, elsewhere."""

    code = "train-containment"
