"""A local folder as the store.

A file system keeps no marks, so what is ours is told by links: the content is written to
`K.tmp-<run>`, which is linked to K, which fails where K is there; the temporary name stays until it
is recorded what was made. A bare record of the intent is undone only where both names lead to the
same file; afterwards the recorded identity of the file tells. A key that leads through a folder
that is a link to elsewhere is refused.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from handrail_train.disk import flush_folder, write_lasting
from handrail_train.errors import StorageError
from handrail_train.store.store import Owner, Store
from handrail_train.store.target import Target

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


class LocalStore(Store):
    """Files below one folder."""

    def __init__(self, target: Target) -> None:
        self.url, self.address = target.shown, target.path
        self.root = Path(target.path)
        self._real = os.path.realpath(target.path)

    def create(self, key: str, content: bytes, mark: str) -> bool:
        path, temporary = self._path(key), self._temporary(key, mark)
        there = self.owner(key, mark)
        if there != "absent":
            return there == "ours" and self.read(key) == content
        with self._told(key):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_lasting(temporary, content)
            try:
                os.link(temporary, path)
            except FileExistsError:
                temporary.unlink()
                return False
            except OSError as error:
                temporary.unlink()
                if error.errno in _NO_LINKS:
                    raise StorageError(
                        f"{self.url} is on a file system without hard links, so what a run has "
                        "made could not be told from what others have",
                        ways_out=("give another store",),
                    ) from error
                raise
        return True

    def read(self, key: str) -> bytes | None:
        with self._told(key):
            try:
                return self._path(key).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

    def keys(self, prefix: str) -> list[str]:
        found: list[str] = []
        with self._told(prefix):
            if self.root.is_file():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            for folder, _, files in os.walk(self.root / prefix, onerror=_raised):
                paths = (Path(folder, name) for name in files if ".tmp-" not in name)
                found += [path.relative_to(self.root).as_posix() for path in paths]
        return sorted(found)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            with self._told(key), suppress(FileNotFoundError, NotADirectoryError):
                path = self._path(key)
                # A file system that can only be read refuses to unlink what is not there, too.
                if os.path.lexists(path):
                    path.unlink()

    def owner(self, key: str, mark: str, known: tuple[int, ...] | None = None) -> Owner:
        with self._told(key):
            try:
                found = self._path(key).lstat()
            except (FileNotFoundError, NotADirectoryError):
                return "absent"
            if not stat.S_ISREG(found.st_mode):
                return "foreign"
            if known is not None and _identity(found) == known:
                return "ours"
            try:
                temporary = self._temporary(key, mark).lstat()
            except (FileNotFoundError, NotADirectoryError):
                return "foreign"
        return "ours" if os.path.samestat(found, temporary) else "foreign"

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        missing: dict[str, None] = {}
        for key in keys:
            above = (self.root / key).parents
            missing.update((str(each), None) for each in reversed(above) if not each.exists())
        return list(missing)

    def withdraw(self, folders: Iterable[str]) -> None:
        for folder in sorted(map(Path, folders), key=lambda path: len(path.parts), reverse=True):
            if folder != self.root and folder.is_relative_to(self.root):
                self._path(folder.relative_to(self.root).as_posix())
            with suppress(OSError):
                folder.rmdir()

    def identities(self, keys: Iterable[str]) -> list[list[object]]:
        listed: list[list[object]] = []
        folders: set[Path] = set()
        for key in keys:
            path = self._path(key)
            with self._told(key):
                listed.append([key, *_identity(path.lstat())])
            folders.update((path.parent, *(each for each in path.parents if each >= self.root)))
        with self._told(self.url):
            for folder in sorted(folders):
                flush_folder(folder)
        return listed

    def settle(self, keys: Iterable[str], mark: str) -> None:
        for key in keys:
            with self._told(key), suppress(FileNotFoundError, NotADirectoryError):
                temporary = self._temporary(key, mark)
                if os.path.lexists(temporary):
                    temporary.unlink()

    def _temporary(self, key: str, mark: str) -> Path:
        path = self._path(key)
        return path.with_name(f"{path.name}.tmp-{mark.partition('/')[0]}")

    def _path(self, key: str) -> Path:
        """Return the path of a key, none of whose folders leads out of the store.

        Raises:
            StorageError: One does.
        """
        path = self.root / key
        if not Path(os.path.realpath(path.parent)).is_relative_to(self._real):
            raise StorageError(
                f"{key}: it leads out of {self.url}, where a folder is a link",
                ways_out=("give a store in which no folder leads elsewhere",),
            )
        return path

    @contextmanager
    def _told(self, about: str) -> Generator[None]:
        """Turn what the operating system says into a StorageError with the way out."""
        try:
            yield
        except OSError as error:
            ways = {
                errno.ENOSPC: "free some space, or give another store",
                errno.EACCES: "give the folder to the user who trains, or give another store",
                errno.EROFS: "give another store",
            }
            said = error.strerror or str(error)
            raise StorageError(
                f"{about}: {said} (at {self.url})", ways_out=(ways.get(error.errno or 0, ""),)
            ) from error


def _raised(error: OSError) -> None:
    """Raise what `os.walk` would pass over: a folder that cannot be read is not an empty one."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _identity(found: os.stat_result) -> tuple[int, ...]:
    """Return what tells a file from another one that takes its name, or is written into it."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
