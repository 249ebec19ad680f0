"""A local folder as a store.

A file system keeps no marks, so links show which files are ours: content is written to
`K.tmp-<run>`, which is linked to K; that fails if K exists. The temporary name stays until the
identity of the file is recorded. A bare record of the intent is undone only if both names lead to
the same file; afterwards the recorded identity decides. A staged file is linked to its key
likewise, and its identity can be recorded before.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from handrail_storage.backend.disk import beside, flush_folder, write_lasting
from handrail_storage.caller import ANYBODY, Caller
from handrail_storage.containment import Inside
from handrail_storage.errors import StorageError, TakenError
from handrail_storage.places import Place
from handrail_storage.store import Store
from handrail_storage.stored import Capabilities, Identity, Listed, Owner, Stored

NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
"""The errors of a file system without hard links."""

GONE = (FileNotFoundError, NotADirectoryError)

_BLOCK = 4 << 20
_SECOND = ".second"  # A replacement has this suffix until it takes its place.


class LocalStore(Store):
    """Files below one folder."""

    local = True
    batch = 256

    def __init__(self, place: Place, caller: Caller = ANYBODY) -> None:
        super().__init__(place, caller)
        self.root = Path(place.path)
        self.capabilities = Capabilities(create_only=True, etag_is_md5=False, marks=False)
        self._inside = Inside(place.path)

    # Setting up

    def reach(self) -> None:
        """Do nothing: the file system is always there."""

    def prepare(self, record: Callable[[str], None]) -> None:
        """Create the folder, and those above it."""
        missing = [each for each in (self.root, *self.root.parents) if not os.path.lexists(each)]
        for folder in reversed(missing):
            record(str(folder))
            with self._converting_errors(str(folder)):
                folder.mkdir(exist_ok=True)
        if not self.root.is_dir():
            raise self.caller.error(
                f"{self.url} is not a folder", ways_out=(f"give another {self.caller.noun}",)
            )

    def probe(self, key: str, mark: str) -> Capabilities:
        """Check whether files and links can be created."""
        path, link = self._path(key), self._path(f"{key}.link")
        with self._converting_errors(key):
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
        """Remove the small file, whose name contains the run."""
        self.delete([f"{key}.link", key])

    def withdraw(self, folders: Iterable[str]) -> None:
        """Remove the folders that are empty."""
        self._inside.forget()
        for folder in sorted(folders, key=len, reverse=True):
            below = folder.removeprefix(os.path.join(self.address, ""))
            if below != folder:
                self._path(below)
            with suppress(OSError):
                os.rmdir(folder)

    def remove_folders(self, keys: Iterable[str]) -> None:
        """Remove the folders that are empty."""
        self.withdraw(os.path.join(self.address, key) for key in keys)

    def prune(self, keys: Iterable[str]) -> None:
        """Remove the folders, the inner ones first."""
        for key in keys:
            folder = os.path.dirname(key)
            with suppress(OSError):
                while folder:
                    os.rmdir(self._path(folder))
                    folder = os.path.dirname(folder)

    def missing_folders(self, keys: Iterable[str]) -> list[str]:
        """Return the folders that are not there."""
        missing: dict[str, None] = {}
        seen: set[str] = set()
        for key in keys:
            above: list[str] = []
            folder = os.path.dirname(key)
            while folder and folder not in seen:
                seen.add(folder)
                path = self._path(folder)
                if not os.path.isdir(path):
                    above.append(path)
                folder = os.path.dirname(folder)
            missing.update(dict.fromkeys(reversed(above)))
        return list(missing)

    # Looking

    def stat(self, key: str) -> Stored | None:
        """Return the stored file; a link counts as itself."""
        path = self._path(key)
        with self._converting_errors(key):
            try:
                found = os.lstat(path)
            except GONE:
                return None
        size = found.st_size if stat.S_ISREG(found.st_mode) else -1
        return Stored(key=key, size=size, etag=None, identity=identity_of(found))

    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """Yield the files, but for `*.tmp-<run>`; links to folders are not followed."""
        with self._converting_errors(prefix or self.url):
            if self.root.is_file():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            for folder, _, names in os.walk(self.root / prefix, onerror=_raise_unless_gone):
                for name in names:
                    path = os.path.join(folder, name)
                    key = os.path.relpath(path, self.root).replace(os.sep, "/")
                    found = None if ".tmp-" in name else self.stat(key)
                    if found is not None:
                        yield found

    def blocks(self, key: str) -> Iterator[bytes]:
        """Read the file."""
        with self._converting_errors(key), open(self._path(key), "rb") as file:
            yield from iter(lambda: file.read(_BLOCK), b"")

    def read(self, key: str) -> bytes | None:
        """Read the file."""
        with self._converting_errors(key):
            try:
                return Path(self._path(key)).read_bytes()
            except GONE:
                return None

    # Storing

    def create(self, key: str, content: bytes | Path, mark: str) -> Stored:
        """Write the content under a temporary name, then link it to its key."""
        return self._store(key, content, mark, None)

    def replace(self, key: str, content: bytes | Path, mark: str, found: Listed) -> Stored:
        """Write the content under a temporary name, then rename a second name of it."""
        return self._store(key, content, mark, found)

    def _store(
        self, key: str, content: bytes | Path, mark: str, replacing: Listed | None
    ) -> Stored:
        path = self._path(key)
        with self._converting_errors(key, putting=True):
            if replacing is None and os.path.lexists(path):
                raise TakenError
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if isinstance(content, bytes):
                staged = _temporary(path, run_of(mark))
                write_lasting(Path(staged), content)
            else:
                staged = str(content)
            made = os.lstat(staged)
            try:
                if replacing is None:
                    self._give_name(staged, path, keep=isinstance(content, bytes))
                else:
                    _take_place(staged, path, getattr(replacing, "identity", None))
            except (TakenError, OSError, StorageError):
                if isinstance(content, bytes):
                    os.unlink(staged)
                raise
        return Stored(key=key, size=made.st_size, etag=None, mark=mark, identity=identity_of(made))

    def _give_name(self, staged: str, path: str, *, keep: bool) -> None:
        try:
            os.link(staged, path)
        except FileExistsError:
            raise TakenError from None
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            if keep:
                raise self.caller.error(
                    f"{self.url} is on a file system without hard links, so what a run has made "
                    "could not be told from what others have",
                    ways_out=(f"give another {self.caller.noun}",),
                ) from error
            # Without links, no call can check and rename atomically; a file created in between is
            # replaced.
            if os.path.lexists(path):
                raise TakenError from None
            os.rename(staged, path)

    def identity(self, staged: Path) -> Identity:
        """Return the identity of the file, which a link does not change."""
        with self._converting_errors(staged.name):
            return identity_of(os.lstat(staged))

    def set_aside(self, key: str, name: str) -> None:
        """Give the file a second name."""
        path, other = self._path(key), self._path(name)
        with self._converting_errors(key):
            os.makedirs(os.path.dirname(other), exist_ok=True)
            with suppress(FileNotFoundError):
                os.unlink(other)  # By an attempt before this one, which had replaced nothing.
            try:
                os.link(path, other)
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                raise self.caller.error(
                    f"{key}: this file system has no links, so what would be replaced cannot be "
                    f"kept (at {self.url})",
                    ways_out=("remove it yourself, and run it again",),
                ) from error

    def put_back(self, key: str, name: str) -> bool:
        """Give the file its own name again."""
        self._inside.forget()
        path, other = self._path(key), self._path(name)
        with self._converting_errors(key):
            try:
                kept = os.lstat(other)
            except GONE:
                return False
            if stat.S_ISDIR(kept.st_mode):
                return False  # No folder was ever set aside.
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.replace(other, path)
        return True

    def flush(self, keys: Iterable[str] = ()) -> None:
        """Flush the folders that contain these keys, and those above them in the place."""
        folders: set[str] = set()
        for key in keys:
            folder = os.path.dirname(self._path(key))
            while folder not in folders and len(folder) >= len(self.address):
                folders.add(folder)
                folder = os.path.dirname(folder)
        for folder in sorted(folders):
            with self._converting_errors(folder):
                flush_folder(folder)

    def settle(self, keys: Iterable[str], run: str) -> None:
        """Remove the temporary names."""
        self._inside.forget()
        for key in keys:
            with self._converting_errors(key):
                temporary = _temporary(self._path(key), run)
                _unlink(temporary)
                _unlink(f"{temporary}{_SECOND}")

    # Undoing

    def owner(self, key: str, mark: str, known: Sequence[int] | None = None) -> Owner:
        """Decide by the recorded identity, or by the temporary name."""
        path = self._path(key)
        with self._converting_errors(key):
            try:
                found = os.lstat(path)
            except GONE:
                return "absent"
            if not stat.S_ISREG(found.st_mode):
                return "foreign"
            if known is not None and identity_of(found) == tuple(known):
                return "ours"
            try:
                temporary = os.lstat(_temporary(path, run_of(mark)))
            except GONE:
                return "foreign"
        return "ours" if os.path.samestat(found, temporary) else "foreign"

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the files."""
        self._inside.forget()
        for key in keys:
            with self._converting_errors(key):
                _unlink(self._path(key))

    # Paths and errors

    def _path(self, key: str) -> str:
        """Return the path of a key, after checking that no folder leads out of the place.

        Raises:
            StorageError: A folder leads out of the place.
        """
        self._inside.forget()  # A former folder may have become a link.
        if not self._inside.holds(os.path.dirname(key)):
            raise self.caller.error(
                f"{key}: it leads out of {self.url}, where a folder is a link",
                ways_out=(f"give a {self.caller.noun} in which no folder leads elsewhere",),
            )
        return os.path.join(self.address, key)

    def _converting_errors(self, about: str, *, putting: bool = False) -> _ErrorConversion:
        return _ErrorConversion(self, about, putting)

    def failure(self, about: str, error: OSError) -> StorageError:
        """Return an error of the operating system as a StorageError with the way out."""
        return disk_error(error, about, self.url, self.caller)


class _ErrorConversion:
    """Turns errors of the operating system into a StorageError, or into a TakenError."""

    def __init__(self, store: LocalStore, about: str, putting: bool) -> None:
        self._store = store
        self._about = about
        self._taken = (NotADirectoryError, IsADirectoryError, FileExistsError) if putting else ()

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, self._taken):
            raise TakenError from error
        if isinstance(error, OSError):
            raise self._store.failure(self._about, error) from error


def disk_error(error: OSError, about: str, url: str, caller: Caller = ANYBODY) -> StorageError:
    """Return an error of the operating system as a StorageError with the way out."""
    another = f"give another {caller.noun}"
    ways = {
        errno.ENOSPC: f"free some space, or {another}",
        errno.EDQUOT: f"free some space, or {another}",
        errno.EACCES: f"give the folder to {caller.user}, or {another}",
        errno.EROFS: another,
    }
    said = error.strerror or str(error)
    return caller.error(f"{about}: {said} (at {url})", ways_out=(ways.get(error.errno or 0, ""),))


def identity_of(found: os.stat_result) -> Identity:
    """Return values that distinguish a file from its later replacements and changes."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def run_of(mark: str) -> str:
    """Return the run that a mark names."""
    return mark.partition("/")[0]


def _temporary(path: str, run: str) -> str:
    return beside(path, f".tmp-{run}")


def _take_place(staged: str, path: str, expected: Identity | None) -> None:
    """Give a file the name of another one, at once, while that is still the expected one."""
    if expected is not None and identity_of(os.lstat(path)) != tuple(expected):
        raise TakenError
    second = f"{staged}{_SECOND}"
    with suppress(FileNotFoundError):
        os.unlink(second)
    os.link(staged, second)
    os.replace(second, path)


def _unlink(path: str) -> None:
    with suppress(*GONE):
        # A read-only file system refuses to unlink missing files, too.
        if os.path.lexists(path):
            os.unlink(path)


def _raise_unless_gone(error: OSError) -> None:
    """Raise errors that `os.walk` would ignore: an unreadable folder is not an empty one."""
    if not isinstance(error, GONE):
        raise error
