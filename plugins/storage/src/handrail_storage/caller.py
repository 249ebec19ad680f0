"""The pack that uses a storage, as error messages speak of it."""

from __future__ import annotations

from dataclasses import dataclass

from handrail_storage.errors import StorageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A pack that uses a storage, so that its users meet its own errors and words.

    Attributes:
        error: The class of the errors that are raised.
        noun: What the pack calls the place where it stores: `target`, `store`.
        user: Who a folder has to belong to, as in "give the folder to the user who uploads".
        distribution: What has to be installed with the extra `aws` to use the AWS SDK.
    """

    error: type[StorageError] = StorageError
    noun: str = "target"
    user: str = "the user who runs this"
    distribution: str = "handrail-storage"


ANYBODY = Caller()
