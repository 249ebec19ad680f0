"""Where an export goes, and where pictures are read: folders and object storages."""

from __future__ import annotations

from handrail_export.storage.place import Place, parse_place
from handrail_export.storage.target import Owner, Stored, TakenError, Target

__all__ = ["Owner", "Place", "Stored", "TakenError", "Target", "open_target", "parse_place"]


def open_target(folder: str, *, retries: int = 8) -> Target:
    """Open a folder as a target; nothing is written or asked for yet.

    Args:
        folder: A folder, or a URL: `s3://bucket/path`, `gs://`, `az://`, `memory://`, `file://`.
        retries: How often to try again when the storage fails for a moment.

    Raises:
        StorageError: It makes no sense, or neither do the credentials for it.
    """
    place = parse_place(folder)
    if place.scheme == "file":
        from handrail_export.storage.local import LocalTarget  # noqa: PLC0415

        return LocalTarget(place)
    # It loads a compiled client, which a local target does not need.
    from handrail_export.storage.objects import ObjectTarget  # noqa: PLC0415

    return ObjectTarget(place, retries=retries)
