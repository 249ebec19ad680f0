"""Undoes a transfer: what its run has stored goes, as far as no other run relies on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Container, Iterator
from functools import partial
from pathlib import Path

from handrail_storage import StorageError, size_text
from handrail_storage.claims import Claims, HeldList, Undoing
from handrail_upload.manifest import sent_lines_in, sizes_in
from handrail_upload.recorded import RecordedTransfer
from handrail_upload.storage import Storage

Tell = Callable[[int, int], None]


def undo_transfer(
    undoing: Undoing | None,
    storage: Storage,
    recorded: RecordedTransfer,
    made: HeldList | None,
    *,
    killed: bool = False,
    whole: Container[str] = (),
    tell: Tell = lambda done, total: None,
) -> str:
    """Undo a transfer; safe to repeat.

    Args:
        undoing: The undo of its claim; None if it has none.
        storage: The target.
        recorded: Its rollback data.
        made: What it has stored by the list of its files; None without the list.
        killed: Whether a killed process may have left requests in flight, or incomplete files.
        whole: Keys under which it cannot have left incomplete files; see `whole_in`.
        tell: Called with the number of keys that are done, and of all.

    Returns:
        A summary in one line.

    Raises:
        ClaimLostError: The claim is somebody else's.
        StorageError: The storage failed or refused; the claim stays, so it can be undone again.
    """
    if undoing is None:
        # Folders of an undo that was killed after it had deleted its claim.
        storage.leave_folders(f"{each}/" for each in recorded.folders)
        if not recorded.claimed:
            return "nothing had been stored"
        return f"the run has no claim at {storage.url}, so nothing there was deleted"
    keys = undoing.keys
    # In a folder, an interrupt may come between the creation of a file and its removal.
    if killed or storage.local:
        storage.abort_unfinished((key for key in keys if key not in whole), recorded.claim)
    done = undoing.run(made=made, late=killed, progress=tell)
    folders = (f"{each}/" for each in keys.extent.folders if each)
    storage.leave_folders(folders, recorded.folders)
    if made is not None and made.is_empty:
        done.foreign = 0  # Nothing was sent, so nobody has taken the place of it.
    return ", ".join(done.summary(undoing.claimant)) or "nothing had been stored"


def made_in(manifest: Path) -> HeldList | None:
    """Return what a run has stored by its list of files; None if that is gone or damaged."""
    if not manifest.is_file():
        return None
    made = HeldList(partial(sent_lines_in, manifest), str(manifest))
    try:
        for _ in made.rows():
            pass
    except StorageError:
        return None
    return made


def whole_in(manifest: Path, storage: Storage, part_size: int) -> set[str]:
    """Return the keys of files that are there completely or not at all, by the list of files."""
    if storage.local or not manifest.is_file():
        return set()
    try:
        sizes = list(sizes_in(manifest))
    except sqlite3.Error:
        return set()
    return {key for key, size in sizes if not storage.may_leave_parts(size, part_size)}


def describe_undo(claims: Claims, storage: Storage, manifest: Path) -> Iterator[str]:
    """Yield what an undo would do now, and who would be in its way.

    Args:
        claims: The claims of the target.
        storage: The target.
        manifest: The list of the files of the transfer, which may be gone.

    Raises:
        StorageError: The storage failed or refused.
    """
    found = claims.preview(made_in(manifest))
    if found is None:
        yield f"the run has no claim at {storage.url}, so nothing there is deleted"
        return
    size = f" ({size_text(found.would_be.size)}) from {storage.url}"
    lines = list(found.would_be.summary(found.state.claimant, size=size))
    yield from lines or ("nothing is stored there any more",)
    if found.obstacle is not None:
        yield f"{found.obstacle.message}: the undo would be refused"
