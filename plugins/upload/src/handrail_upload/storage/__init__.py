"""Storages of files: a local folder, S3, Google Cloud Storage, Azure, or memory."""

from __future__ import annotations

from handrail_storage import Capabilities, Listed, Stored, TakenError
from handrail_upload.storage.local import LocalStorage
from handrail_upload.storage.sending import Sending
from handrail_upload.storage.storage import Storage
from handrail_upload.storage.target import CALLER, parse_target

__all__ = [
    "Capabilities",
    "Listed",
    "LocalStorage",
    "Sending",
    "Storage",
    "Stored",
    "TakenError",
    "open_storage",
    "parse_target",
]


def open_storage(target: str, *, retries: int = 8) -> Storage:
    """Open a target; nothing is written or requested yet.

    Args:
        target: A folder, or a URL: `s3://bucket/path`, `gs://`, `az://`, `memory://`, `file://`.
        retries: Number of retries when the storage fails for a moment.

    Raises:
        StorageError: The target or its credentials are malformed.
    """
    parsed = parse_target(target)
    if parsed.local:
        return LocalStorage(parsed, CALLER)
    # It loads a compiled client, which a local target does not need.
    from handrail_upload.storage.objects import ObjectStorage  # noqa: PLC0415

    return ObjectStorage(parsed, CALLER, retries=retries)
