"""Saves staged files under their final names at the target, and records before each effect."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from handrail_export.errors import ConflictError, ExportError, PictureChangedError, StorageError
from handrail_export.manifest import SAVED, STAGED, ExportedFile, Manifest
from handrail_export.manifest.document import NAME, read_document, write_document
from handrail_export.staging import convert_disk_errors
from handrail_export.target import CALLER, aside_name
from handrail_export.undo import SaveUndo
from handrail_storage import Reader, Store, Stored, TakenError, count_text, pages
from handrail_storage.backend import flush_file

RecordMany = Callable[[str, Iterable[Any]], None]
Report = Callable[[float, float, str], None]


class Saving:
    """One transfer of the files of a manifest to a target.

    Args:
        target: The target.
        manifest: The files.
        staging: The folder of the run.
        mark: The mark of the objects: `<run>/<step>`.
        record_many: Records rollback data before each effect; see `context.record_rollback_many`.
        report: Called with `(current, total, category)`, for `bytes` and `files`.
        overwrite: Whether existing files may be replaced.
        workers: Number of files saved at a time.
        retries: Number of retries when a storage fails for a moment.
        earlier: The rollback data of an earlier, killed process of the same run.
    """

    def __init__(
        self,
        target: Store,
        manifest: Manifest,
        staging: Path,
        *,
        mark: str,
        record_many: RecordMany,
        report: Report,
        overwrite: bool,
        workers: int,
        retries: int,
        earlier: SaveUndo,
    ) -> None:
        self._target = target
        self._manifest = manifest
        self._staging = staging
        self._mark = mark
        self._run = mark.partition("/")[0]
        self._record_many = record_many
        self._report = report
        self._overwrite = overwrite
        self._workers = workers
        self._reader = Reader(CALLER, retries=retries)
        self._earlier = earlier
        self._there: dict[str, Stored] = {}
        self._files, self._bytes = manifest.totals()
        self._saved = [0, 0]

    def check(self, with_document: bool) -> None:
        """Check for existing files, before anything is written.

        Raises:
            ConflictError: A file exists, and must not be replaced.
            StorageError: The storage failed or refused.
        """
        document = [ExportedFile(path=NAME, size=0, sha256="")] if with_document else []
        with self._pool() as pool:
            for files in pages(self._all(document), self._target.batch):
                found = pool.map(self._foreign, (each.path for each in files))
                for file, stored in zip(files, found, strict=True):
                    if stored is not None:
                        self._there[file.path] = stored
        if self._there and not self._overwrite:
            first = next(iter(self._there))
            more = len(self._there) - 1
            others = f", and {count_text(more, 'more file')}" if more else ""
            raise ConflictError(
                f"{first} is already at {self._target.url}{others}",
                ways_out=("replace it: --if-exists overwrite", "or give another target"),
            )

    def save(self) -> None:
        """Save all staged files, except for those saved already."""
        with self._pool() as pool:
            for files in pages(self._manifest.files(STAGED), self._target.batch):
                arrived = [each for each in files if self._arrived(each)]
                left = [each for each in files if each not in arrived]
                staged = list(pool.map(self._stage, left))
                self._prepare([(file.path, path) for file, path in staged])
                for _ in pool.map(self._put, staged):
                    pass
                done = [*arrived, *(file for file, _ in staged)]
                self._target.flush(each.path for each in done)
                self._manifest.settle(done, SAVED)
                for file, path in staged:
                    if file.location is not None:
                        path.unlink(missing_ok=True)
                self._count(done)

    def save_document(self, retire: bool) -> None:
        """Save manifest.json, which marks the export as complete, and retire files of an older one.

        Args:
            retire: Whether to set aside files of an older export that this one lacks.
        """
        older = self._there.get(NAME)
        if retire and older is not None:
            self._retire()
        file = ExportedFile(path=NAME, size=0, sha256="")
        if self._arrived(file):
            return
        path = self._staging / NAME
        path.unlink(missing_ok=True)
        write_document(self._manifest, path)
        flush_file(path)
        self._prepare([(NAME, path)])
        self._put((file, path))
        self._target.flush([NAME])

    def _retire(self) -> None:
        """Set aside the files of the export that is replaced, and which are not replaced."""
        content = b"".join(self._target.blocks(NAME))
        try:
            _, files = read_document(content, f"{self._target.url}/{NAME}")
        except ExportError:
            return  # Another program's manifest.json, which does not list files of an export.
        for page in pages((each.path for each in files), self._target.batch):
            gone = [path for path in page if not self._manifest.has(path)]
            stored = {path: self._target.stat(path) for path in gone}
            there = {path: found for path, found in stored.items() if found is not None}
            self._set_aside(there)
            self._target.delete(list(there))

    def _all(self, more: Sequence[ExportedFile]) -> Iterator[ExportedFile]:
        yield from self._manifest.files(STAGED)
        yield from more

    def _foreign(self, key: str) -> Stored | None:
        found = self._target.stat(key)
        if found is None or key not in self._earlier.keys:
            return found
        return None if self._earlier.owner(key) == "ours" else found

    def _arrived(self, file: ExportedFile) -> bool:
        """Return whether a process before this one had saved a file."""
        return file.path in self._earlier.keys and (self._earlier.owner(file.path) == "ours")

    def _stage(self, file: ExportedFile) -> tuple[ExportedFile, Path]:
        """Return a file with its staged path; a picture is copied there first."""
        if file.location is None:
            return file, self._staging / "files" / file.path
        folder = self._staging / "copies"
        folder.mkdir(exist_ok=True)
        path = folder / hashlib.sha256(file.path.encode()).hexdigest()[:32]
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

    def _blocks(self, location: str) -> Iterator[bytes]:
        try:
            yield from self._reader.blocks(location)
        except StorageError as error:
            if error.passing:
                raise
            raise PictureChangedError(error.message, ways_out=error.ways_out) from error

    def _prepare(self, staged: Sequence[tuple[str, Path]]) -> None:
        """Record the objects to be created, and set aside those to be replaced."""
        if not staged:
            return
        keys = [key for key, _ in staged]
        folders = self._target.missing_folders(keys)
        if folders:
            self._record_many("folders", folders)
        identities = [self._target.identity(path) for _, path in staged]
        self._record_many(
            "keys",
            [
                {"key": key, "identity": identity and list(identity)}
                for key, identity in zip(keys, identities, strict=True)
            ],
        )
        self._set_aside({key: self._there[key] for key in keys if key in self._there})

    def _set_aside(self, there: dict[str, Stored]) -> None:
        names = {
            key: aside_name(self._target, key, self._run)
            for key in there
            if key not in self._earlier.asides
        }
        if names:
            told = [
                {"key": key, "name": name, "version": _json(there[key])}
                for key, name in names.items()
            ]
            self._record_many("asides", told)
        for key in there:
            aside = self._earlier.asides.get(key)
            name = names[key] if aside is None else aside.name
            self._target.set_aside(key, name)

    def _put(self, staged: tuple[ExportedFile, Path]) -> None:
        file, path = staged
        try:
            there = self._there.get(file.path)
            if there is None:
                self._target.create(file.path, path, self._mark, file.sha256)
            else:
                self._target.replace(file.path, path, self._mark, there, file.sha256)
        except TakenError:
            raise ConflictError(
                f"{file.path}: somebody else wrote there meanwhile (at {self._target.url})",
                ways_out=("export it again once nobody else writes there",),
            ) from None

    def _count(self, files: Sequence[ExportedFile]) -> None:
        self._saved[0] += len(files)
        self._saved[1] += sum(each.size for each in files)
        self._report(self._saved[0], self._files, "files")
        if self._bytes:
            self._report(min(self._saved[1], self._bytes), self._bytes, "bytes")

    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._workers, thread_name_prefix="handrail-export")


def _json(found: Stored) -> object:
    """Return the version of an object in its recorded form."""
    return list(found.identity) if found.identity is not None else found.etag
