"""Takes a stored version back, from what its run has recorded alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from handrail_train.names import count_text
from handrail_train.store import Store, open_store
from handrail_train.versions import Versions


def withdraw_version(data: Mapping[str, Any], *, retries: int, killed: bool) -> str:
    """Delete what a run has stored; harmless to call again, and for what was never made.

    An object that another version has among its files by now stays, for it is needed.

    Args:
        data: The rollback data of `upload_model`.
        retries: How often to try again when the storage fails for a moment.
        killed: Whether a process that was killed may have left requests under way.

    Returns:
        What was done, as one line.

    Raises:
        StorageError: The store failed or refused.
    """
    targets, marks = data.get("store", []), data.get("mark", [])
    keys = list(dict.fromkeys(data.get("keys", [])))
    if not (targets and marks and keys):
        return "nothing had been stored"
    store, mark = open_store(targets[0], retries=retries), marks[0]
    known = {key: tuple(rest) for key, *rest in data.get("made", [])}
    deleted, kept, absent = _delete(store, mark, keys, known)
    if killed and store.lag and absent:
        time.sleep(store.lag)
        late, late_kept, _ = _delete(store, mark, absent, known)
        deleted, kept = deleted + late, kept + late_kept
    store.settle(keys, mark)
    store.withdraw(data.get("folders", []))
    if not (deleted or kept):
        return "nothing had been stored"
    others = f", {kept:,} left that other versions have" if kept else ""
    return f"{count_text(deleted, 'object')} deleted{others}"


def _delete(
    store: Store, mark: str, keys: list[str], known: Mapping[str, tuple[int, ...]]
) -> tuple[int, int, list[str]]:
    """Delete what is ours; return how many were deleted, how many kept, and what was not there."""
    owners = {key: store.owner(key, mark, known.get(key)) for key in keys}
    ours = [key for key, owner in owners.items() if owner == "ours"]
    manifests = [key for key in ours if key.startswith("versions/")]
    objects = [key for key in ours if key not in manifests]
    # The manifests first, so that no version lacks a file.
    store.delete(manifests)
    unused = Versions(store).unused(objects)
    store.delete(unused)
    absent = [key for key, owner in owners.items() if owner == "absent"]
    return len(manifests) + len(unused), len(objects) - len(unused), absent
