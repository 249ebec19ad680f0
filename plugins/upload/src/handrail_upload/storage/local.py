"""A local folder as the target: large files are copied by the kernel, and flushed together."""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress

from handrail_storage import Caller, Capabilities, Listed, Place, Stored
from handrail_storage.backend import (
    LocalStore,
    SmallLocalFiles,
    create_nameless,
    identity_of,
    temporary_of,
)
from handrail_storage.containment import below
from handrail_upload.digests import Digest
from handrail_upload.errors import StorageError
from handrail_upload.manifest import SourceFile
from handrail_upload.storage import disk
from handrail_upload.storage.files import create, write
from handrail_upload.storage.sending import Sending
from handrail_upload.storage.storage import Storage
from handrail_upload.storage.target import CALLER

_LONGEST_NAME, _LONGEST_PATH = 255, 4095  # Bytes, by Linux.
_SHORT = _LONGEST_NAME // 4
_ATTEMPTS = 100  # To create a folder that others remove.

# Errors with which a file without a name gets none: another run has removed its folder, which looks
# empty, or the system refuses links of descriptors.
_NO_NAME = (errno.ENOENT, errno.EXDEV, errno.EACCES)


class _Notes(SmallLocalFiles):
    """The small files of a target, which the undo of the run that made it may remove any time."""

    @contextmanager
    def _alone(self) -> Generator[None]:
        with ExitStack() as turn:
            for left in reversed(range(_ATTEMPTS)):
                disk.make_folders(self._target)
                try:
                    turn.enter_context(super()._alone())
                    break
                except FileNotFoundError:
                    if not left:
                        raise
            yield


class LocalStorage(LocalStore, Storage):
    """Files below one folder."""

    batch = 16384

    def __init__(self, place: Place, caller: Caller = CALLER) -> None:
        super().__init__(place, caller)
        self._to_flush: dict[int, str] = {}
        self._flushing = threading.Lock()
        self._named: set[str] = set()

    @property
    def small_files(self) -> SmallLocalFiles:
        """The small files of Handrail's own."""
        return _Notes(self.address, self._path, self._converting_errors)

    def prepare(self, record: Callable[[str], None]) -> None:
        """Create the folder, and those above it, with labels."""
        missing = [each for each in (self.root, *self.root.parents) if not os.path.lexists(each)]
        for folder in reversed(missing):
            record(str(folder))
            with self._converting_errors(str(folder)):
                disk.make_folders(str(folder))
        super().prepare(record)

    def probe(self, key: str, mark: str) -> Capabilities:
        """Check whether files and links can be created, in a folder that others may remove."""
        left = _ATTEMPTS
        while True:
            left -= 1
            with self._converting_errors(key):
                disk.make_folders(self.address)
            try:
                return super().probe(key, mark)
            except StorageError as error:
                if not (left and isinstance(error.__cause__, FileNotFoundError)):
                    raise

    def withdraw(self, folders: Iterable[str]) -> None:
        """Remove folders that are empty, and the target itself if another run has made it."""
        super().withdraw(folders)
        path, here = self.address, os.path.join(os.getcwd(), "")
        with suppress(OSError):
            while disk.is_made_folder(path) and not here.startswith(os.path.join(path, "")):
                os.rmdir(path)
                path = os.path.dirname(path)

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        """Return the folders that are not there, each once in the life of this storage."""
        missing = [each for each in super().missing_folders(keys) if each not in self._named]
        self._named.update(missing)
        return missing

    def leave_folders(self, keys: Iterable[str], recorded: Iterable[str] = ()) -> None:
        """Remove empty folders of these keys that Handrail has made."""
        self._inside.forget()
        known = set(recorded)
        for folder in sorted(_above(keys), key=len, reverse=True):
            with suppress(OSError, StorageError):  # No run makes folders outside of its target.
                path = self._path(folder)
                if folder in known or disk.is_made_folder(path):
                    os.rmdir(path)

    def _described(self, key: str, path: str, found: os.stat_result) -> Stored:
        """Return a file with its mark and digest; a link has the size of what it leads to."""
        if not stat.S_ISLNK(found.st_mode):
            return super()._described(key, path, found)
        return Stored(key=key, size=_size(path), etag=None, identity=identity_of(found))

    def digest_for(self, size: int, part_size: int) -> Digest:
        """Return a digest of the content alone."""
        return Digest(etag=False)

    def equals(self, stored: Listed, digest: Digest, file: SourceFile) -> bool:
        """Compare the recorded digest, or read the stored file."""
        if stored.size != digest.size:
            return False
        known = stored if isinstance(stored, Stored) else self.stat(stored.key)
        return known is not None and self.digest(known) == digest.sha256

    # Putting

    def put(self, file: SourceFile, sending: Sending, replacing: Listed | None = None) -> Stored:
        """Write the content, then give it its name.

        Until then it has no name, or a temporary one if it replaces a file, or where the file
        system has no files without names.
        """
        stored = None
        try:
            path = self._path(file.key)
            if replacing is None:
                stored = self._put_nameless(path, file, sending)
            if stored is None:
                stored = self._put_named(path, file, sending, replacing)
        except OSError as error:
            raise self.failure(file.key, error, putting=True) from error
        self._flush_later(stored.identity[0] if stored.identity else 0, path)
        return stored

    def _put_nameless(self, path: str, file: SourceFile, sending: Sending) -> Stored | None:
        """Store a file that has no name before; None if that is not possible here."""
        created = create_nameless(path.rpartition("/")[0])
        if created is None:
            return None
        fd, staged = created
        try:
            return self._write(fd, staged, file, sending, None)
        except OSError as error:
            if error.errno not in _NO_NAME:
                raise
            sending.on_bytes(-file.size)
            return None
        finally:
            os.close(fd)

    def _put_named(
        self, path: str, file: SourceFile, sending: Sending, replacing: Listed | None
    ) -> Stored:
        temporary = temporary_of(path, sending.run)
        fd = create(temporary)
        try:
            return self._write(fd, temporary, file, sending, replacing)
        finally:
            os.close(fd)
            with suppress(FileNotFoundError):
                os.unlink(temporary)

    def _write(
        self, fd: int, staged: str, file: SourceFile, sending: Sending, replacing: Listed | None
    ) -> Stored:
        sha256 = write(fd, file, sending)
        if sending.source is not None and file.mtime:
            os.utime(fd, ns=(file.mtime, file.mtime))
        flush = not disk.flushes_file_systems()
        return self._finish(fd, staged, file.key, sending.mark, sha256, replacing, flush=flush)

    def _flush_later(self, device: int, path: str) -> None:
        with self._flushing:
            if device not in self._to_flush:
                self._to_flush[device] = os.path.dirname(path)

    def flushing(self) -> Callable[[], None]:
        """Flush the file systems; one call for each, not one for each file."""
        with self._flushing:
            waiting, self._to_flush = self._to_flush, {}

        def flush() -> None:
            for folder in waiting.values():
                with self._converting_errors(folder):
                    disk.flush_file_system(folder)

        return flush

    def flush(self, keys: Iterable[str] = ()) -> None:
        """Flush the file systems; see `flushing`."""
        self.flushing()()

    def is_too_long(self, key: str) -> bool:
        """Measure its path, and each name in that."""
        if len(key) <= _SHORT:  # The most bytes of a character are four.
            return False
        path = os.fsencode(os.path.join(self.address, key))
        return len(path) > _LONGEST_PATH or max(map(len, path.split(b"/"))) > _LONGEST_NAME

    def check(self, key: str) -> None:
        """Follow the links in its path."""
        self._path(key)

    def adopt(self, key: str) -> None:
        """Remember the file system of the file."""
        path = self._path(key)
        with self._converting_errors(key):
            self._flush_later(os.stat(path).st_dev, path)

    # Places and errors

    def _path(self, key: str) -> str:
        try:
            below(key)
        except ValueError as error:
            raise StorageError(f"{key}: {error} (at {self.url})") from error
        return self._path_in_page(key)


def _size(path: str) -> int:
    """Return the size of the file that a link leads to; -1 if it leads to no file."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def _above(keys: Iterable[str]) -> set[str]:
    """Return the folders that contain these keys."""
    above: set[str] = set()
    for key in keys:
        folder = os.path.dirname(key)
        while folder and folder not in above:
            above.add(folder)
            folder = os.path.dirname(folder)
    return above
