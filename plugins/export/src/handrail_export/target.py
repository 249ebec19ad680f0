"""The target of an export: a folder or an object storage, with the errors of this pack."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from handrail_export.errors import StorageError
from handrail_storage import Caller, parse_place

if TYPE_CHECKING:
    from handrail_storage import Place, Store


CALLER = Caller(
    error=StorageError,
    noun="target",
    user="the user who exports",
    distribution="handrail-export",
)


def parse_target(text: str) -> Place:
    """Parse a target.

    Raises:
        StorageError: The target is malformed.
    """
    return parse_place(text, CALLER)


def open_target(
    target: Place | str,
    *,
    retries: int = 8,
    on_status: Callable[[str | None], object] | None = None,
) -> Store:
    """Open a target; nothing is written or requested yet.

    Args:
        target: A folder, or a URL: `s3://bucket/path`, `gs://`, `az://`, `memory://`, `file://`.
        retries: Number of retries when the storage fails for a moment.
        on_status: Called with what requests wait for; see `handrail_storage.open_store`.

    Raises:
        StorageError: The target or its credentials are malformed.
    """
    from handrail_storage import open_store  # noqa: PLC0415 - not to plan

    return open_store(target, CALLER, retries=retries, on_status=on_status)
