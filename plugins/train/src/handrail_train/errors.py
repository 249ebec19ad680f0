"""The errors of trainings, each with a message and ways out."""

from __future__ import annotations

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
