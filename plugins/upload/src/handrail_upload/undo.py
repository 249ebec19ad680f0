"""Undoes a transfer: what its run has stored goes, as far as no other run relies on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from handrail_storage import StorageError, size_text
from handrail_storage.claims import Claims, ClaimStaysError, HeldList, Undoing
from handrail_upload.manifest import INVALID, REPLACE, sent_lines_in, sizes_in
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
    torn: Iterable[str] | None = None,
    tell: Tell = lambda done, total: None,
) -> str:
    """Undo a transfer; safe to repeat.

    Args:
        undoing: The undo of its claim; None if it has none.
        storage: The target.
        recorded: Its rollback data.
        made: What it has stored by the list of its files; None without the list.
        killed: Whether a killed process may have left requests in flight, or incomplete files.
        torn: Keys under which it may have left them; see `torn_in`. None for all.
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
        storage.abort_unfinished(keys if torn is None else torn, recorded.claim)
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


def torn_in(manifest: Path, storage: Storage, part_size: int) -> list[str] | None:
    """Return the keys of files that may be incomplete at the target, by the list of files.

    Others are there completely or not at all.

    Returns:
        None if that is not known of any file.
    """
    if storage.local or not manifest.is_file():
        return None
    try:
        # What a file replaces may be large, and is set aside first.
        return [
            key
            for key, size, state in sizes_in(manifest)
            if state == REPLACE or (state != INVALID and storage.may_leave_parts(size, part_size))
        ]
    except sqlite3.Error:
        return None


def describe_undo(claims: Claims, manifest: Path) -> Iterator[str]:
    """Yield what an undo would do now, and who would be in its way.

    Args:
        claims: The claims of the target.
        manifest: The list of the files of the transfer, which may be gone.

    Raises:
        StorageError: The storage failed or refused.
    """
    found = claims.preview(made_in(manifest))
    if found is None:
        yield f"the run has no claim at {claims.url}, so nothing there is deleted"
        return
    if isinstance(found.obstacle, ClaimStaysError):
        yield f"it would be refused: {found.obstacle.message}"
        return
    size = f" ({size_text(found.would_be.size)}) from {claims.url}"
    lines = list(found.would_be.summary(found.state.claimant, size=size))
    yield from lines or ("nothing is stored there any more",)
    if found.obstacle is not None:
        yield f"{found.obstacle.message}: the undo would be refused"
