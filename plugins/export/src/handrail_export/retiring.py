"""Retires files of an older export that is replaced by one without them.

A file that is just deleted has no mark, so nobody could tell who had deleted it, and an undo could
not put it back in the right order. So it is replaced, as every other file, by a tombstone: a line
that names the run. Once the run can no longer be undone, its tombstones are deleted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from handrail_export.errors import ExportError
from handrail_export.manifest import RETIRED, ExportedFile, Manifest
from handrail_export.manifest.document import NAME, read_document
from handrail_storage import Store, pages
from handrail_storage.backend import run_of


def tombstone(run: str) -> bytes:
    """Return the content that stands for a deleted file, and that no other run has."""
    return f"a file of an older export, which the export of run {run} deletes\n".encode()


def retired_files(target: Store, manifest: Manifest, run: str) -> Iterator[ExportedFile]:
    """Yield a tombstone for each file of the export at the target that a new one lacks.

    Args:
        target: The target.
        manifest: The files of the new export.
        run: The run.

    Raises:
        StorageError: The storage failed or refused.
    """
    content = target.read(NAME)
    if content is None:
        return
    try:
        _, files = read_document(content, f"{target.url}/{NAME}")
    except ExportError:
        return  # Another program's manifest.json, which does not list files of an export.
    stone = tombstone(run)
    sha256 = hashlib.sha256(stone).hexdigest()
    for each in files:
        if each.path != NAME and not manifest.has(each.path):
            yield ExportedFile(path=each.path, size=len(stone), sha256=sha256, state=RETIRED)


def delete_tombstones(target: Store, manifest: Manifest, mark: str) -> None:
    """Delete the tombstones of a run, and the folders that are empty then.

    Args:
        target: The target.
        manifest: The files of the export.
        mark: The mark of its objects.

    Raises:
        StorageError: The storage failed or refused.
    """
    for files in pages(manifest.files(RETIRED), target.batch):
        paths = [each.path for each in files]
        there = target.stats(paths)
        ours = [each for each in there.values() if each.mark == mark]
        target.delete_found(ours)
        if target.local:
            target.abort_unfinished(paths, run_of(mark))
        target.prune(each.key for each in ours)
