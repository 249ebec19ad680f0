"""Opens the storage of a target."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from handrail_upload.storage.target import CALLER, parse_target

if TYPE_CHECKING:
    from handrail_upload.storage.storage import Storage


def open_storage(
    target: str, *, retries: int = 8, on_status: Callable[[str | None], object] | None = None
) -> Storage:
    """Open a target; nothing is written or requested yet.

    Args:
        target: A folder, or a URL: `s3://bucket/path`, `gs://`, `az://`, `memory://`, `file://`.
        retries: Number of retries when the storage fails for a moment.
        on_status: Called with what requests wait for; see `handrail_storage.open_store`.

    Raises:
        StorageError: The target or its credentials are malformed.
    """
    parsed = parse_target(target)
    if parsed.local:
        from handrail_upload.storage.local import LocalStorage  # noqa: PLC0415 - see below

        return LocalStorage(parsed, CALLER)
    # It loads a compiled client, which a local target does not need.
    from handrail_upload.storage.objects import ObjectStorage  # noqa: PLC0415

    return ObjectStorage(parsed, CALLER, retries=retries, on_status=on_status)
