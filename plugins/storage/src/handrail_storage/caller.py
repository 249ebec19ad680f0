"""Caller: the pack that uses a storage, for its error messages."""

from __future__ import annotations

from handrail.frozen import frozen
from handrail_storage.errors import StorageError


@frozen
class Caller:
    """A pack that uses a storage, so that its users see its own errors and words.

    Attributes:
        error: The class of the errors that are raised.
        noun: The pack's word for its place: `target`, `store`.
        user: The user who has to own a folder, as in "give the folder to the user who uploads".
        distribution: The distribution to install with the extra `aws` to use the AWS SDK.
    """

    error: type[StorageError] = StorageError
    noun: str = "target"
    user: str = "the user who runs this"
    distribution: str = "handrail-storage"


ANYBODY = Caller()
