"""A local folder as the target.

A file system keeps no marks, so what is ours is told by the file itself: a file is written and
synced in the folder of the run, what tells it from all others is recorded, and then it gets its
own name by a link, which fails where something is. Undo removes a name only while it leads to that
very file. A key that leads through a folder that is a link to elsewhere is refused.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from handrail_export.errors import StorageError
from handrail_export.storage.place import Place
from handrail_export.storage.target import Identity, Owner, Stored, TakenError, Target

_BLOCK = 4 << 20
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
_GONE = (FileNotFoundError, NotADirectoryError)
_WAYS_OUT = {
    errno.ENOSPC: "free some space, or give another target",
    errno.EDQUOT: "free some space, or give another target",
    errno.EACCES: "give the folder to the user who exports, or give another target",
    errno.EROFS: "give another target",
}


class LocalTarget(Target):
    """Files below one folder."""

    keeps_staged = True
    page = 256

    def __init__(self, place: Place) -> None:
        self.url, self.address = place.shown, place.path
        self.root = Path(place.path)
        self._real = os.path.join(os.path.realpath(place.path), "")
        self._folders: set[str] = set()

    def prepare(self, record: Callable[[str], None]) -> None:
        """Make the folder, and those above it."""
        missing = [each for each in (self.root, *self.root.parents) if not os.path.lexists(each)]
        for folder in reversed(missing):
            record(str(folder))
            with self._told(str(folder)):
                folder.mkdir(exist_ok=True)
        if not self.root.is_dir():
            raise StorageError(f"{self.url} is not a folder", ways_out=("give another target",))

    def probe(self, key: str, mark: str) -> None:
        """Do nothing: what is staged lies in the same folder, and shows it."""

    def withdraw(self, made: Iterable[str]) -> None:
        """Remove the folders that were made, where nothing is in them."""
        for folder in sorted(made, key=len, reverse=True):
            with suppress(OSError):
                os.rmdir(folder)

    def remove_folders(self, keys: Iterable[str]) -> None:
        for key in sorted(keys, key=len, reverse=True):
            path = self._path(key)
            with suppress(OSError):
                os.rmdir(path)

    def prune(self, keys: Iterable[str]) -> None:
        for key in keys:
            folder = os.path.dirname(key)
            with suppress(OSError):
                while folder:
                    os.rmdir(self._path(folder))
                    folder = os.path.dirname(folder)

    def stat(self, key: str) -> Stored | None:
        path = self._path(key)
        with self._told(key):
            try:
                found = os.lstat(path)
            except _GONE:
                return None
        size = found.st_size if stat.S_ISREG(found.st_mode) else -1
        return Stored(size=size, version=identity_of(found))

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        missing: dict[str, None] = {}
        for key in keys:
            above: list[str] = []
            folder = os.path.dirname(key)
            while folder and folder not in self._folders:
                self._folders.add(folder)
                if not os.path.isdir(self._path(folder)):
                    above.append(self._path(folder))
                folder = os.path.dirname(folder)
            missing.update(dict.fromkeys(reversed(above)))
        return list(missing)

    def identity(self, staged: Path) -> Identity:
        with self._told(staged.name):
            return identity_of(os.lstat(staged))

    def put(self, key: str, staged: Path, mark: str, replacing: Stored | None = None) -> None:
        path = self._path(key)
        with self._told(key, putting=True):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if replacing is None:
                _give_name(staged, path)
                return
            if identity_of(os.lstat(path)) != replacing.version:
                raise TakenError
            second = f"{staged}.second"
            with suppress(FileNotFoundError):
                os.unlink(second)
            os.link(staged, second)
            os.replace(second, path)

    def owner(self, key: str, mark: str, known: Sequence[int] | None) -> Owner:
        with self._told(key):
            try:
                found = os.lstat(self._path(key))
            except _GONE:
                return "absent"
        same = known is not None and identity_of(found) == tuple(known)
        return "ours" if same and stat.S_ISREG(found.st_mode) else "foreign"

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            with self._told(key), suppress(*_GONE):
                os.unlink(self._path(key))

    def aside_name(self, key: str, run: str) -> str:
        """Return a name in the folder of the run."""
        return f".handrail-{run}/aside/{key}"

    def set_aside(self, key: str, name: str) -> None:
        path, other = self._path(key), self._path(name)
        with self._told(key):
            os.makedirs(os.path.dirname(other), exist_ok=True)
            with suppress(FileNotFoundError):
                os.unlink(other)  # By an attempt before this one, which had replaced nothing.
            try:
                os.link(path, other)
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                raise StorageError(
                    f"{key}: this file system has no links, so what would be replaced cannot be "
                    f"kept (at {self.url})",
                    ways_out=("remove it yourself, and export again",),
                ) from error

    def put_back(self, key: str, name: str) -> bool:
        path, other = self._path(key), self._path(name)
        with self._told(key):
            try:
                kept = os.lstat(other)
            except _GONE:
                return False
            if stat.S_ISDIR(kept.st_mode):
                return False  # No folder was ever set aside.
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(other, path)
        return True

    def blocks(self, key: str) -> Iterator[bytes]:
        with self._told(key), open(self._path(key), "rb") as file:
            yield from iter(lambda: file.read(_BLOCK), b"")

    def flush(self, keys: Iterable[str]) -> None:
        """Sync the folders that hold these keys."""
        for folder in {os.path.dirname(self._path(key)) for key in keys}:
            with self._told(folder):
                sync_folder(folder)

    def _path(self, key: str) -> str:
        """Return the path of a key, none of whose folders leads out of the target.

        Raises:
            StorageError: One does.
        """
        path = os.path.join(self.address, key)
        above = os.path.dirname(path)
        if above != self.address and not os.path.join(os.path.realpath(above), "").startswith(
            self._real
        ):
            raise StorageError(
                f"{key}: it leads out of {self.url}, where a folder is a link",
                ways_out=("give a target in which no folder leads elsewhere",),
            )
        return path

    @contextmanager
    def _told(self, about: str, *, putting: bool = False) -> Generator[None]:
        try:
            yield
        except OSError as error:
            if putting and isinstance(
                error, (FileExistsError, NotADirectoryError, IsADirectoryError)
            ):
                raise TakenError from error
            raise disk_error(error, about, self.url) from error


def disk_error(error: OSError, about: str, url: str) -> StorageError:
    """Return what the operating system says as a StorageError with the way out."""
    said = error.strerror or str(error)
    return StorageError(
        f"{about}: {said} (at {url})", ways_out=(_WAYS_OUT.get(error.errno or 0, ""),)
    )


def identity_of(found: os.stat_result) -> Identity:
    """Return what tells a file from another one that takes its name, or is written into it."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def sync_folder(folder: str) -> None:
    """Make the names in a folder survive a loss of power."""
    number = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _give_name(staged: Path, path: str) -> None:
    try:
        os.link(staged, path)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Without links nothing can look and rename at once; what comes in between is replaced.
        if os.path.lexists(path):
            raise TakenError from None
        os.rename(staged, path)
