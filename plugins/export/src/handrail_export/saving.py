"""Saves staged files under their final names at the target."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, compress, repeat
from pathlib import Path
from typing import Any

from handrail.frozen import replace
from handrail_export.errors import PictureChangedError, StorageError
from handrail_export.manifest import RETIRED, SAVED, STAGED, ExportedFile, Manifest
from handrail_export.manifest.document import NAME, write_document
from handrail_export.placing import Placing, taken
from handrail_export.retiring import tombstone
from handrail_export.staging import convert_disk_errors
from handrail_export.target import CALLER
from handrail_storage import Reader, Store, Stored, pages
from handrail_storage.backend import flush_file

COPIES = "copies"  # The folder for pictures that wait, in the folder of the run.

RecordMany = Callable[[str, Iterable[Any]], None]
Report = Callable[[float, float, str], None]


class Saving:
    """One transfer of the files of a manifest to a target.

    Args:
        target: The target.
        manifest: The files.
        staging: The folder of the run.
        run: The run.
        placing: Puts one file under its key.
        record_many: Records rollback data before each effect; see `context.record_rollback_many`.
        report: Called with `(current, total, category)`, for `bytes` and `files`.
        workers: Number of files saved at a time.
        retries: Number of retries when a storage fails for a moment.
    """

    def __init__(
        self,
        target: Store,
        manifest: Manifest,
        staging: Path,
        *,
        run: str,
        placing: Placing,
        record_many: RecordMany,
        report: Report,
        workers: int,
        retries: int,
        on_status: Callable[[str | None], object] | None = None,
    ) -> None:
        self._target = target
        self._manifest = manifest
        self._staging = staging
        self._run = run
        self._placing = placing
        self._record_many = record_many
        self._report = report
        self._workers = workers
        self._reader = Reader(CALLER, retries=retries, on_status=on_status)
        self._files, self._bytes = manifest.totals()
        self._saved = [0, 0]

    def check(self, *, with_document: bool) -> None:
        """Check for existing files that differ, before anything is written.

        Args:
            with_document: Whether to check for manifest.json too.

        Raises:
            ConflictError: A file exists, and must not be replaced.
            StorageError: The storage failed or refused.
        """
        document = [ExportedFile(path=NAME, size=0, sha256="")] if with_document else []
        found: list[str] = []
        with self._pool() as pool:
            wanted = chain(self._manifest.files(STAGED), document)
            for files in pages(wanted, self._target.batch):
                there = self._look(files)
                files = [each for each in files if each.path in there]
                conflicts = pool.map(self._conflicts, files, (there[each.path] for each in files))
                found += compress(_paths(files), conflicts)
        if found:
            raise taken(found, self._target.url)

    def _conflicts(self, file: ExportedFile, there: Stored) -> bool:
        """Return whether somebody else has stored something under the key of a file."""
        if there.mark == self._placing.mark or self._placing.settled(file, there) is not None:
            return False
        # Of a picture whose checksum is not known, a copy is compared.
        return bool(file.sha256) or there.size != file.size

    def save(self) -> None:
        """Save all staged files, except for those saved already."""
        with self._pool() as pool:
            for files in pages(self._manifest.files(STAGED), self._target.batch):
                self._make_folders(_paths(files))
                there = self._look(files)
                done = list(pool.map(self._save, files, map(there.get, _paths(files))))
                self._target.flush(_paths(done))
                self._manifest.settle(done, SAVED)
                for each in done:
                    if each.location is not None:
                        self._copy_of(each).unlink(missing_ok=True)
                self._count(done)

    def save_document(self) -> ExportedFile:
        """Retire files of an older export, and save manifest.json, which completes the new one."""
        self._retire()
        path = self._staging / NAME
        path.unlink(missing_ok=True)
        write_document(self._manifest, path)
        flush_file(path)
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        file = ExportedFile(path=NAME, size=path.stat().st_size, sha256=digest)
        self._make_folders([NAME])
        placed = self._placing.place(file, path, self._target.stat(NAME))
        self._target.flush([NAME])
        return placed

    def _retire(self) -> None:
        """Replace the files of the older export that the new one lacks; see `retiring`."""
        stone = repeat(tombstone(self._run))
        with self._pool() as pool:
            for files in pages(self._manifest.files(RETIRED), self._target.batch):
                there = self._look(files)
                files = [each for each in files if each.path in there]
                found = (there[each.path] for each in files)
                self._target.flush(_paths(pool.map(self._placing.place, files, stone, found)))

    def _look(self, files: Iterable[ExportedFile]) -> dict[str, Stored]:
        return self._target.stats(_paths(files))

    def _make_folders(self, keys: list[str]) -> None:
        folders = self._target.missing_folders(keys)
        if folders:
            self._record_many("folders", folders)

    def _save(self, file: ExportedFile, there: Stored | None) -> ExportedFile:
        settled = self._placing.settled(file, there)
        if settled is not None:
            return settled
        file, path = self._stage(file)
        return self._placing.place(file, path, there)

    def _stage(self, file: ExportedFile) -> tuple[ExportedFile, Path]:
        """Return a file with its staged path; a picture is copied there first."""
        if file.location is None:
            return file, self._staging / "files" / file.path
        path = self._copy_of(file)
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        digest, size = hashlib.sha256(), 0
        with convert_disk_errors(self._staging), open(path, "xb") as out:
            for block in self._blocks(file.location):
                digest.update(block)
                size += len(block)
                out.write(block)
            out.flush()
            if self._target.local:
                os.fsync(out.fileno())
        known = file.sha256 or digest.hexdigest()
        if size != file.size or digest.hexdigest() != known:
            raise PictureChangedError(
                f"{file.location} is not what was uploaded: its content has changed since",
                ways_out=("handrail upload verify --checksum shows what has changed",),
            )
        return replace(file, sha256=known), path

    def _copy_of(self, file: ExportedFile) -> Path:
        name = hashlib.sha256(file.path.encode()).hexdigest()[:32]
        return self._staging / COPIES / name

    def _blocks(self, location: str) -> Iterator[bytes]:
        try:
            yield from self._reader.blocks(location)
        except StorageError as error:
            if error.passing:
                raise
            raise PictureChangedError(error.message, ways_out=error.ways_out) from error

    def _count(self, files: list[ExportedFile]) -> None:
        self._saved[0] += len(files)
        self._saved[1] += sum(each.size for each in files)
        self._report(self._saved[0], self._files, "files")
        if self._bytes:
            self._report(min(self._saved[1], self._bytes), self._bytes, "bytes")

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._workers, thread_name_prefix="handrail-export")


def _paths(files: Iterable[ExportedFile]) -> list[str]:
    return [each.path for each in files]
