"""Undoes a transfer: what its run has stored goes, as far as no other run relies on it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handrail_storage import StorageError, count_text, size_text
from handrail_storage.claims import Claims, ClaimStaysError, HeldList, Undoing
from handrail_upload.manifest import INVALID, REPLACE, arrived_lines_in, sizes_in
from handrail_upload.names import readable
from handrail_upload.recorded import RecordedCatalogue
from handrail_upload.storage import Storage

if TYPE_CHECKING:
    from handrail_upload.catalogue.postgres import OnStatus


def take_rows_back(
    recorded: RecordedCatalogue, undoing: Undoing | None, on_status: OnStatus
) -> str:
    """Take the rows of a run out of its catalogue, so that the others describe what is there.

    Args:
        recorded: The catalogue.
        undoing: The undo of the claim of the run; None if it has none.
        on_status: Told what the catalogue is waited for.

    Returns:
        A line for people.

    Raises:
        CatalogueError: That failed; the rows are unchanged.
        StorageError: The storage failed or refused.
    """
    from handrail_upload.catalogue import open_catalogue  # noqa: PLC0415 - a database driver

    def in_place() -> Iterator[tuple[str, str]]:
        assert undoing is not None
        for key, digest in undoing.in_place():
            yield f"{readable(undoing.address)}/{key}", digest

    with open_catalogue(recorded.url, known=True, on_status=on_status) as catalogue:
        if undoing is None:
            removed = catalogue.remove(recorded.run)
        else:
            removed = catalogue.remove(recorded.run, undoing.passing_on, in_place)
        catalogue.withdraw_abandoned()
    units = removed.units_removed + removed.units_restored
    way = (
        "brought back to"
        if removed.units_restored and not removed.units_removed
        else "taken out of"
    )
    return f"{count_text(units, 'unit')} {way} {catalogue.shown}"


def made_in(manifest: Path) -> HeldList | None:
    """Return what a run has stored by its list of files; None if that is gone or damaged."""
    if not manifest.is_file():
        return None
    made = HeldList(partial(arrived_lines_in, manifest), str(manifest))
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
