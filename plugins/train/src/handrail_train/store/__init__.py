"""Where models are kept: a local folder, S3, Google Cloud Storage, Azure, or memory."""

from __future__ import annotations

import shlex

from handrail_train.store.store import Owner, Store
from handrail_train.store.target import Target, parse_target

__all__ = ["DEFAULT", "Owner", "Store", "Target", "in_store", "open_store", "parse_target"]

DEFAULT = "models"  # The store where none is named.


def open_store(target: str, *, retries: int = 8) -> Store:
    """Open a store; nothing is written or asked for yet.

    Args:
        target: A folder, or a URL: `s3://bucket/path`, `gs://`, `az://`, `memory://`.
        retries: How often to try again when the storage fails for a moment.

    Raises:
        StorageError: The target or the credentials for it make no sense.
    """
    parsed = parse_target(target)
    if parsed.scheme == "file":
        from handrail_train.store.local import LocalStore  # noqa: PLC0415 - only one is needed

        return LocalStore(parsed)
    # It loads a compiled client, which a folder does not need.
    from handrail_train.store.objects import ObjectStore  # noqa: PLC0415

    return ObjectStore(parsed, retries=retries)


def in_store(url: str) -> str:
    """Return the option that names a store in a command, after a space; nothing for the default."""
    return "" if url == DEFAULT else f" --store {shlex.quote(url)}"
