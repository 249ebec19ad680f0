"""A local folder as the target: large files are copied by the kernel, and flushed together."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Sequence
from contextlib import suppress

from handrail_storage import Caller, Listed, Place, Stored
from handrail_storage.backend import LocalStore, beside, identity_of
from handrail_storage.containment import below
from handrail_upload.digests import Digest, sha256_of
from handrail_upload.errors import StorageError
from handrail_upload.manifest import SourceFile
from handrail_upload.storage.disk import flush_file_system
from handrail_upload.storage.files import create, give_name, keep_copy, take_place, write
from handrail_upload.storage.sending import Sending
from handrail_upload.storage.storage import Storage
from handrail_upload.storage.target import CALLER


class LocalStorage(LocalStore, Storage):
    """Files below one folder."""

    def __init__(self, place: Place, caller: Caller = CALLER) -> None:
        super().__init__(place, caller)
        self._to_flush: dict[int, str] = {}
        self._named: set[str] = set()

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        """Return the folders that are not there, each once in the life of this storage."""
        missing = [each for each in super().missing_folders(keys) if each not in self._named]
        self._named.update(missing)
        return missing

    def remove_folders(self, keys: Iterable[str]) -> None:
        """Remove the folders that are empty."""
        self._inside.forget()
        for key in sorted(keys, key=len, reverse=True):
            with suppress(OSError, StorageError):  # No run makes folders outside of its target.
                os.rmdir(self._path(key))

    def stat(self, key: str) -> Stored | None:
        """Return the stored file; a link counts as its target."""
        path = self._path(key)
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            if not os.path.islink(path):
                return None
            return Stored(key=key, size=-1, etag=None)  # A broken link, which takes the name.
        except OSError as error:
            raise self.failure(key, error) from error
        if not stat.S_ISREG(found.st_mode):
            return Stored(key=key, size=-1, etag=None)
        return Stored(key=key, size=found.st_size, etag=None, identity=identity_of(found))

    def look_up(self, keys: Sequence[str]) -> dict[str, Listed]:
        """Ask the file system for each."""
        found = ((key, self.stat(key)) for key in keys)
        return {key: stored for key, stored in found if stored is not None}

    def digest_for(self, size: int, part_size: int) -> Digest:
        """Return a digest of the content alone."""
        return Digest(etag=False)

    def equals(self, stored: Listed, digest: Digest, file: SourceFile) -> bool:
        """Read the stored file, and compare."""
        if stored.size != digest.size:
            return False
        return self.content_sha256(stored.key) == digest.sha256

    def content_sha256(self, key: str) -> str:
        """Read the file."""
        with self._converting_errors(key):
            return sha256_of(self._path(key))

    # Putting

    def put(self, file: SourceFile, sending: Sending, replacing: Listed | None = None) -> Stored:
        """Write the content under the temporary name, then give it its own name too."""
        path = self._path(file.key)
        temporary = beside(path, f".tmp-{sending.run}")
        reading = sending.reading(file, Digest(etag=False))
        with self._converting_errors(file.key, putting=True):
            fd = create(temporary)
            try:
                write(fd, reading, sending)
                made = os.fstat(fd)
                if made.st_size != file.size:
                    raise StorageError(
                        f"{file.key}: {made.st_size} of {file.size} bytes arrived at {self.url}"
                    )
                if not flush_file_system.works:
                    os.fsync(fd)
            finally:
                os.close(fd)
            self._to_flush.setdefault(made.st_dev, os.path.dirname(path))
            if replacing is None:
                give_name(temporary, path)
            else:
                take_place(temporary, path, getattr(replacing, "identity", None))
        return Stored(
            key=file.key,
            size=made.st_size,
            etag=None,
            mark=sending.mark,
            sha256=reading.digest.sha256,
            identity=identity_of(made),
        )

    def flush(self, keys: Iterable[str] = ()) -> None:
        """Flush the file systems; one call for each, not one for each file."""
        waiting, self._to_flush = self._to_flush, {}
        for folder in waiting.values():
            with self._converting_errors(folder):
                flush_file_system(folder)

    def adopt(self, key: str) -> None:
        """Remember the file system of the file."""
        path = self._path(key)
        with self._converting_errors(key):
            self._to_flush.setdefault(os.stat(path).st_dev, os.path.dirname(path))

    def sweep(self, keys: Sequence[str], run: str) -> None:
        """Remove every name but the final ones."""
        self.settle(keys, run)
        for key in keys:
            path = self._path(key)
            for suffix in (f".new-{run}", f".half-{run}"):
                with self._converting_errors(key), suppress(FileNotFoundError, NotADirectoryError):
                    os.unlink(beside(path, suffix))

    # Undoing

    def set_aside(self, key: str, name: str) -> None:
        """Give the file a second name."""
        with self._converting_errors(key):
            keep_copy(self._path(key), self._path(name))

    def put_back(self, key: str, name: str) -> bool:
        """Give the file its own name again."""
        self._inside.forget()
        path, aside = self._path(key), self._path(name)
        with self._converting_errors(key):
            try:
                if stat.S_ISDIR(os.lstat(aside).st_mode):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), aside)
                os.replace(aside, path)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    # Places and errors

    def _path(self, key: str) -> str:
        folder = os.path.dirname(key)
        try:
            below(key)
            if not self._inside.holds(folder):
                raise ValueError(f"{folder} leads out of the target")
        except ValueError as error:
            raise StorageError(f"{key}: {error} (at {self.url})") from error
        return os.path.join(self.address, key)
