"""Small files of Handrail's own in a target, each replaced as a whole."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from handrail.frozen import frozen
from handrail_storage.backend.contents import Content, content_of
from handrail_storage.backend.disk import (
    FOLDER,
    beside,
    make_folders,
    write_lasting,
    write_shared,
)
from handrail_storage.backend.names import COPY, OURS, temporary_of

_TEMPORARY, _SPARE = ".tmp", ".spare"
_GROWTH = 4096  # Bytes by which a file may become larger when it is replaced.
_FULL = (errno.ENOSPC, errno.EDQUOT)


@frozen
class Small:
    """The content of a small file.

    Attributes:
        content: The content.
        version: Changes whenever the file is replaced.
    """

    content: bytes
    version: str


def marks_of(key: str) -> str:
    """Return the name of the folder with what is recorded of the files under a key."""
    return f"marks/{hashlib.sha256(os.fsencode(key)).hexdigest()}"


class SmallFiles(ABC):
    """Small files below `.handrail-target`, by names with `/` between their parts.

    A method that takes the expected version asks for it in the same request where the storage can,
    and looks just before where it cannot.
    """

    @abstractmethod
    def get(self, name: str) -> Small | None:
        """Return a file, or None.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def content(self, name: str) -> Content | None:
        """Return the content of a file that may be large, or None.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def put(self, name: str, content: bytes | Content, *, spare: bool = False) -> str:
        """Create or replace a file, and return its version.

        Args:
            name: The file.
            content: The content.
            spare: Whether `swap` must be able to replace it on a disk that is full.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def create(self, name: str, content: bytes) -> bool:
        """Create a file; return False if it exists, with other content.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def swap(self, name: str, content: bytes, version: str) -> str | None:
        """Replace a file that has this version; return the new version, or None if it has another.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def remove(self, name: str, version: str | None = None) -> bool:
        """Delete a file, and folders that are empty then; a missing one is ignored.

        Args:
            name: The file.
            version: Delete it only if it has this version.

        Returns:
            False if it has another version.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def remove_all(self, names: Sequence[str]) -> None:
        """Delete files, and folders that are empty then; missing ones are ignored.

        Raises:
            StorageError: The storage failed or refused.
        """

    @abstractmethod
    def names(self, prefix: str) -> Iterator[tuple[str, str | None]]:
        """Yield the names that begin with a prefix, each with its version if a listing has it.

        Args:
            prefix: Ends with a slash.

        Raises:
            StorageError: The storage failed or refused.
        """


class SmallLocalFiles(SmallFiles):
    """Small files in a folder; runs on all machines that share it take turns by flock(2).

    Args:
        target: Path of the target.
        path_of: Returns the path of a key, after checking that no folder leads out of the target.
        converting_errors: Converts errors of the operating system around what it does with a key.
    """

    def __init__(
        self,
        target: str,
        path_of: Callable[[str], str],
        converting_errors: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        self._target = target
        self._root = Path(target, FOLDER)
        self._path_of = path_of
        self._converting = converting_errors

    def get(self, name: str) -> Small | None:
        """Read the file."""
        with self._converting_errors(name):
            content = self._content(self._path(name))
        if content is None:
            return None
        return Small(content=content.read(), version=_version(content))

    def content(self, name: str) -> Content | None:
        """Open the file."""
        with self._converting_errors(name):
            return self._content(self._path(name))

    def put(self, name: str, content: bytes | Content, *, spare: bool = False) -> str:
        """Write a temporary file, and rename it over the other."""
        path = self._path(name)
        with self._converting_errors(name), self._alone():
            if spare:
                make_folders(str(path.parent))
                _take_space(path, len(content))
            self._write(path, content)
        return _version(content)

    def create(self, name: str, content: bytes) -> bool:
        """Look, then write, in one turn."""
        path = self._path(name)
        with self._converting_errors(name), self._alone():
            found = self._content(path)
            if found is None:
                self._write(path, content)
        return found is None or found.read() == content

    def swap(self, name: str, content: bytes, version: str) -> str | None:
        """Look, then write, in one turn."""
        path = self._path(name)
        with self._converting_errors(name), self._alone():
            found = self._content(path)
            if found is None or _version(found) != version:
                return None
            self._write_even_if_full(path, content)
        return _version(content)

    def remove(self, name: str, version: str | None = None) -> bool:
        """Look, then delete, in one turn."""
        path = self._path(name)
        if not self._root.is_dir():
            return True
        with self._converting_errors(name), self._alone():
            found = None if version is None else self._content(path)
            if found is not None and _version(found) != version:
                return False
            self._remove([path])
        return True

    def remove_all(self, names: Sequence[str]) -> None:
        """Delete them in one turn."""
        paths = [self._path(name) for name in names]
        if not self._root.is_dir():
            return
        with self._converting_errors(next(iter(names), "")), self._alone():
            self._remove(paths)

    def names(self, prefix: str) -> Iterator[tuple[str, str | None]]:
        """Walk the folder; versions are those of the content, which is not read."""
        with self._converting_errors(prefix):
            for folder, _, files in os.walk(self._path(prefix.rstrip("/"))):
                for file in files:
                    path = os.path.relpath(os.path.join(folder, file), self._root)
                    name = path.replace(os.sep, "/")
                    if not _is_temporary(name):
                        yield name, None

    @contextmanager
    def _alone(self) -> Generator[None]:
        """Wait for the turn of this process; folders come and go only within one."""
        while True:
            os.stat(self._target)  # It is not for the claims to make the target.
            make_folders(str(self._root))
            try:
                fd = os.open(self._root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
            except FileNotFoundError:
                continue  # Another run has removed it, as the last one.
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                if _is_at(fd, self._root):
                    yield
                    return
            finally:
                os.close(fd)

    def _remove(self, paths: Collection[Path]) -> None:
        """Remove files, with what may be left of putting them there, and empty folders."""
        for path in paths:
            name = path.relative_to(self._root).as_posix()
            left = [path, Path(temporary_of(str(path), COPY))]
            if not _is_aside(name):
                left += [path.with_name(f"{path.name}{_TEMPORARY}"), _spare_of(path)]
            for each in left:
                each.unlink(missing_ok=True)
            marks = Path(self._root, marks_of(f"{FOLDER}/{name}"))
            if marks.parent.is_dir():
                shutil.rmtree(marks, ignore_errors=True)
                self._prune(marks.parent)
        for folder in {path.parent for path in paths}:
            self._prune(folder)
        if not Path(self._root, "claims").exists():
            # A run that was killed may have made folders for what it was about to set aside.
            for empty, _, _ in os.walk(self._root, topdown=False):
                self._prune(Path(empty))

    def _prune(self, folder: Path) -> None:
        with suppress(OSError):
            while folder != self._root.parent:
                folder.rmdir()
                folder = folder.parent

    def _write(self, path: Path, content: bytes | Content) -> None:
        make_folders(str(path.parent))
        write_shared(path, content)

    def _write_even_if_full(self, path: Path, content: bytes) -> None:
        """Write a file, in the space that was kept for it if there is no other."""
        try:
            self._write(path, content)
        except OSError as error:
            spare = _spare_of(path)
            if error.errno not in _FULL or not spare.exists():
                raise
            spare.unlink()
            self._write(path, content)
            with suppress(OSError):  # The space of the file that was replaced is free now.
                _take_space(path, len(content))

    @staticmethod
    def _content(path: Path) -> Content | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            return Content.at(path)
        return None

    def _path(self, name: str) -> Path:
        return Path(self._path_of(f"{FOLDER}/{name}"))

    def _converting_errors(self, name: str) -> AbstractContextManager[None]:
        return self._converting(f"{FOLDER}/{name}")


def _is_temporary(name: str) -> bool:
    return OURS in name or (name.endswith((_TEMPORARY, _SPARE)) and not _is_aside(name))


def _is_aside(name: str) -> bool:
    """Return whether a file is set aside; such a one may have any name."""
    return name.startswith("aside/")


def _spare_of(path: Path) -> Path:
    return Path(beside(str(path), _SPARE))


def _take_space(path: Path, size: int) -> None:
    """Take as much space as a file and its successor need, so that it can be given to them."""
    write_lasting(_spare_of(path), b"\1" * (size + _GROWTH))


def _version(content: bytes | Content) -> str:
    return hashlib.file_digest(content_of(content).opened(), "sha256").hexdigest()


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
