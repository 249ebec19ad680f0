"""A local folder as the target.

A file system keeps no marks, so what is ours is told by links, as this goes on for each file:
its content is written to `K.tmp-<run>`, which is linked to K, which fails where K is there; the
temporary name stays until it is recorded what was made. A bare record of the intent is undone only
where both names lead to the same file; afterwards the recorded identity of the file tells.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from handrail_upload.containment import Inside, misfit
from handrail_upload.digests import Digest, sha256_of
from handrail_upload.errors import StorageError
from handrail_upload.manifest import SourceFile
from handrail_upload.names import beside
from handrail_upload.storage.disk import flush_file_system
from handrail_upload.storage.files import (
    NO_LINKS,
    create,
    give_name,
    identity,
    keep_copy,
    take_place,
    write,
)
from handrail_upload.storage.sending import Sending
from handrail_upload.storage.storage import Owner, Storage, TakenError
from handrail_upload.storage.stored import Capabilities, Listed, Stored
from handrail_upload.storage.target import Target


class LocalStorage(Storage):
    """Files below one folder."""

    threads = False  # For small files they cost more than they bring; large ones have their own.
    batch = 256

    def __init__(self, target: Target) -> None:
        self.url, self.address = target.shown, target.address
        self.root = Path(target.path)
        self._target = target
        self._below = os.path.join(target.path, "")
        self._inside = Inside(target.path)
        self.capabilities = Capabilities(create_only=True, etag_is_md5=False, marks=False)
        self._to_flush: dict[int, str] = {}
        self._folders: set[str] = set()

    def reach(self) -> None:
        """The file system is always there."""

    def prepare(self, record: Callable[[str], None]) -> None:
        """Make the folder, and those above it."""
        missing = [
            str(folder) for folder in (self.root, *self.root.parents) if not os.path.lexists(folder)
        ]
        for folder in reversed(missing):
            record(folder)
            with self._told(folder):
                Path(folder).mkdir(exist_ok=True)
        if not self.root.is_dir():
            raise StorageError(f"{self.url} is not a folder", ways_out=("give another target",))

    def probe(self, key: str, mark: str) -> Capabilities:
        """See whether files can be made, and whether links can."""
        path, link = self._path(key), self._path(f"{key}.link")
        with self._told(key):
            Path(path).write_text(mark, encoding="utf-8")
            try:
                os.link(path, link)
                links = True
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                links = False
        self.clear_probe(key, mark)
        self.capabilities = Capabilities(create_only=links, etag_is_md5=False, marks=False)
        return self.capabilities

    def clear_probe(self, key: str, mark: str) -> None:
        """Remove the small file, whose name has the run in it."""
        self.delete([f"{key}.link", key])

    def withdraw(self, made: Iterable[str]) -> None:
        """Remove the folders that were made, where nothing is in them."""
        for folder in sorted(made, key=len, reverse=True):
            with suppress(OSError):
                os.rmdir(folder)

    def remove_folders(self, folders: Iterable[str]) -> None:
        """Remove them where nothing is in them."""
        self._inside.forget()
        for folder in sorted(folders, key=len, reverse=True):
            with suppress(OSError, StorageError):  # No run makes folders outside of its target.
                os.rmdir(self._path(folder))

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        """Return the folders that `put` will have to make for these keys, the outer ones first."""
        missing: dict[str, None] = {}
        for key in keys:
            above: list[str] = []
            folder = os.path.dirname(key)
            while folder and folder not in self._folders:
                self._folders.add(folder)
                path = self._path(folder)
                if not os.path.isdir(path):
                    above.append(path)
                folder = os.path.dirname(folder)
            missing.update(dict.fromkeys(reversed(above)))
        return list(missing)

    def stat(self, key: str) -> Stored | None:
        """Return what is there; a link counts as what it leads to."""
        path = self._path(key)
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            if not os.path.islink(path):
                return None
            return Stored(key=key, size=-1, etag=None)  # It leads nowhere, and is in the way.
        except OSError as error:
            raise self.failure(key, error) from error
        if not stat.S_ISREG(found.st_mode):
            return Stored(key=key, size=-1, etag=None)
        return Stored(key=key, size=found.st_size, etag=None, identity=identity(found))

    def look_up(self, keys: Sequence[str]) -> dict[str, Listed]:
        """Ask the file system for each."""
        found = ((key, self.stat(key)) for key in keys)
        return {key: stored for key, stored in found if stored is not None}

    def digest_for(self, size: int, part_size: int) -> Digest:
        """Return a digest of the content alone."""
        return Digest(etag=False)

    def equals(self, stored: Listed, digest: Digest, file: SourceFile) -> bool:
        """Read what is there, and compare."""
        if stored.size != digest.size:
            return False
        return self.content_sha256(stored.key) == digest.sha256

    def content_sha256(self, key: str) -> str:
        """Read the file."""
        with self._told(key):
            return sha256_of(self._path(key))

    # Putting

    def put(self, file: SourceFile, sending: Sending, replacing: Listed | None = None) -> Stored:
        """Write the content under the temporary name, then give it its own name too."""
        path = self._path(file.key)
        temporary = beside(path, f".tmp-{sending.run}")
        reading = sending.reading(file, Digest(etag=False))
        with self._told(file.key, putting=True):
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
            identity=identity(made),
        )

    def flush(self) -> None:
        """Make the file systems write what they hold; one call for each, not one for each file."""
        waiting, self._to_flush = self._to_flush, {}
        for folder in waiting.values():
            with self._told(folder):
                flush_file_system(folder)

    def adopt(self, key: str) -> None:
        """Remember the file system of the file."""
        path = self._path(key)
        with self._told(key):
            self._to_flush.setdefault(os.stat(path).st_dev, os.path.dirname(path))

    def settle(self, keys: Iterable[str], run: str) -> None:
        """Remove the temporary names."""
        self._inside.forget()
        for key in keys:
            with self._told(key), suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(beside(self._path(key), f".tmp-{run}"))

    def sweep(self, keys: Sequence[str], run: str) -> None:
        """Remove every name but the final ones."""
        self.settle(keys, run)
        for key in keys:
            path = self._path(key)
            for suffix in (f".new-{run}", f".half-{run}"):
                with self._told(key), suppress(FileNotFoundError, NotADirectoryError):
                    os.unlink(beside(path, suffix))

    # Undoing

    def owner(self, key: str, mark: str, known: tuple[int, ...] | None) -> Owner:
        """Tell by the temporary name, or by the identity that was recorded."""
        path = self._path(key)
        with self._told(key):
            try:
                found = os.lstat(path)
            except (FileNotFoundError, NotADirectoryError):
                return "absent"
            if known is not None and identity(found) == tuple(known):
                return "ours"
            try:
                temporary = os.lstat(beside(path, f".tmp-{mark.partition('/')[0]}"))
            except (FileNotFoundError, NotADirectoryError):
                return "foreign"
        return "ours" if os.path.samestat(found, temporary) else "foreign"

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the files."""
        self._inside.forget()
        for key in keys:
            with self._told(key), suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(self._path(key))

    def aside_name(self, key: str, run: str) -> str:
        """Return the name beside the file."""
        return self._target.aside_name(key, run)

    def set_aside(self, key: str, name: str) -> None:
        """Give the file a second name."""
        with self._told(key):
            keep_copy(self._path(key), self._path(name))

    def put_back(self, key: str, name: str) -> bool:
        """Give the file its own name again."""
        self._inside.forget()
        path, aside = self._path(key), self._path(name)
        with self._told(key):
            try:
                if stat.S_ISDIR(os.lstat(aside).st_mode):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), aside)
                os.replace(aside, path)
            except (FileNotFoundError, NotADirectoryError):
                return False
        return True

    def discard(self, names: Sequence[str]) -> None:
        """Remove the second names."""
        self.delete(names)

    # Places and errors

    def _path(self, key: str) -> str:
        why, folder = misfit(key), os.path.dirname(key)
        if why is None and not self._inside.holds(folder):
            why = f"{folder} leads out of the target"
        if why is not None:
            raise StorageError(f"{key}: {why} (at {self.url})")
        return f"{self._below}{key}"

    def _told(self, about: str, *, putting: bool = False) -> _Told:
        return _Told(self, about, putting)

    def failure(self, about: str, error: OSError) -> StorageError:
        """Return what the operating system says as a StorageError with the way out."""
        said = error.strerror or str(error)
        ways = {
            errno.ENOSPC: "free some space, or give another target",
            errno.EDQUOT: "free some space, or give another target",
            errno.EACCES: "give the folder to the user who uploads, or give another target",
            errno.EROFS: "give another target",
        }
        way = ways.get(error.errno or 0, "")
        return StorageError(f"{about}: {said} (at {self.url})", ways_out=(way,))


class _Told:
    """Turns what the operating system says into a StorageError, or that something is there."""

    def __init__(self, storage: LocalStorage, about: str, putting: bool) -> None:
        self._storage = storage
        self._about = about
        self._taken = (NotADirectoryError, IsADirectoryError, FileExistsError) if putting else ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, self._taken):
            raise TakenError from error
        if isinstance(error, OSError):
            raise self._storage.failure(self._about, error) from error
