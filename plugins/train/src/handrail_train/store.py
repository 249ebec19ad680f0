"""The store of models: a folder or an object storage, with the errors of this pack."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING

from handrail_storage import Caller, TakenError, parse_place
from handrail_train.errors import StorageError

if TYPE_CHECKING:
    from handrail_storage import Place, Store


DEFAULT = "models"  # The default store.
_TRIES = 10  # Attempts at a key that others take and free.

CALLER = Caller(
    error=StorageError,
    noun="store",
    user="the user who trains",
)


def parse_store(text: str) -> Place:
    """Parse a store.

    Raises:
        StorageError: The store is malformed.
    """
    return parse_place(text, CALLER)


def open_store(
    store: Place | str,
    *,
    retries: int = 8,
    on_status: Callable[[str | None], object] | None = None,
) -> Store:
    """Open a store; nothing is written or requested yet.

    Args:
        store: A folder, or a URL: `s3://bucket/path`, `gs://`, `az://`, `memory://`, `file://`.
        retries: Number of retries when the storage fails for a moment.
        on_status: Called with what requests wait for; see `handrail_storage.open_store`.

    Raises:
        StorageError: The store or its credentials are malformed.
    """
    from handrail_storage import open_store as open_place  # noqa: PLC0415 - not to plan

    return open_place(store, CALLER, retries=retries, on_status=on_status)


def in_store(url: str) -> str:
    """Return the option that names a store in a command, after a space; nothing for the default."""
    return "" if url == DEFAULT else f" --store {shlex.quote(url)}"


def create(store: Store, key: str, content: bytes, mark: str) -> bool:
    """Store an object; return False if the key is taken.

    An object of the same run with the same content counts as stored.

    Raises:
        StorageError: The store failed or refused.
    """
    for _ in range(_TRIES):  # The existing object may be deleted in the next moment.
        try:
            store.create(key, content, mark)
            return True
        except TakenError:
            found = store.stat(key)
        if found is not None:
            return found.mark == mark and store.read(key) == content
    raise StorageError(
        f"{key}: something else is in the place of its folder (at {store.url})",
        ways_out=("give another store",),
    )
