"""Undoes a transfer: what its run has stored goes, as far as no other run relies on it."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from handrail_storage import count_text, size_text
from handrail_storage.claims import Claimant, Claims, ClaimUndone, Held, Undoing
from handrail_upload.manifest import sent_in
from handrail_upload.recorded import RecordedTransfer
from handrail_upload.storage import Storage

Tell = Callable[[int, int], None]


def undo_transfer(
    undoing: Undoing | None,
    storage: Storage,
    recorded: RecordedTransfer,
    made: Mapping[str, Held] | None,
    *,
    killed: bool = False,
    tell: Tell = lambda done, total: None,
) -> str:
    """Undo a transfer; safe to repeat.

    Args:
        undoing: The undo of its claim; None if it has none.
        storage: The target.
        recorded: Its rollback data.
        made: What it has stored by the list of its files, by key; None without the list.
        killed: Whether a killed process may have left requests in flight, or incomplete files.
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
    if killed:
        storage.abort_unfinished(keys, recorded.claim)
    done = undoing.run(made=made, late=killed, progress=tell)
    storage.leave_folders(keys, recorded.folders)
    if made is not None and not made:
        done.foreign = 0  # Nothing was sent, so nobody has taken the place of it.
    return summary_of(done, recorded.claim)


def made_in(manifest: Path) -> dict[str, Held] | None:
    """Return what a run has stored by its list of files; None if that is gone or damaged."""
    if not manifest.is_file():
        return None
    try:
        return {
            key: Held(key=key, size=size, sha256=sha256 or None, etag=etag)
            for key, size, sha256, etag in sent_in(manifest)
        }
    except sqlite3.Error:
        return None


def summary_of(done: ClaimUndone, claim: str) -> str:
    """Return the result of an undo in one line.

    Args:
        done: The result.
        claim: The name of the claim; the run itself is not named where it has several.
    """
    parts = list[str]()
    if done.deleted:
        parts.append(f"{count_text(done.deleted, 'object')} deleted")
    if done.restored:
        parts.append(f"{done.restored:,} put back")
    parts += staying(done.stays, claim)
    if done.foreign:
        parts.append(f"{done.foreign:,} of others left alone")
    return ", ".join(parts) or "nothing had been stored"


def staying(stays: Counter[Claimant], claim: str) -> Iterator[str]:
    """Yield one sentence for each run, such as `12 stay: run 15 on build-7 relies on them`."""
    own = claim.partition(".")[0]
    for claimant, count in stays.most_common():
        if claimant.run.partition(".")[0] != own:
            verb, them = ("stays", "it") if count == 1 else ("stay", "them")
            yield f"{count:,} {verb}: {claimant} relies on {them}"


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
    would_be = found.would_be
    if would_be.deleted:
        told = f"{count_text(would_be.deleted, 'object')} deleted ({size_text(would_be.size)})"
        yield f"{told} from {storage.url}"
    if would_be.restored:
        yield f"{would_be.restored:,} put back at {storage.url}"
    yield from staying(would_be.stays, found.state.run)
    if would_be.foreign:
        yield f"{would_be.foreign:,} of others left alone"
    if not (would_be.deleted or would_be.restored or would_be.foreign or would_be.stays):
        yield "nothing is stored there any more"
    if found.obstacle is not None:
        yield f"{found.obstacle.message}: the undo would be refused"
