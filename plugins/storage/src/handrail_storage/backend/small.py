"""Small files of Handrail's own in a target, each replaced as a whole."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handrail.frozen import frozen
from handrail_storage.backend.contents import Content, Writing, content_of
from handrail_storage.backend.disk import (
    FOLDER,
    beside,
    disk_error,
    make_folders,
    write_lasting,
    write_shared,
)
from handrail_storage.backend.names import COPY, OURS, temporary_of
from handrail_storage.caller import Caller
from handrail_storage.containment import Inside
from handrail_storage.errors import TakenError
from handrail_storage.stored import Listed

if TYPE_CHECKING:
    from obstore import Attributes

    from handrail_storage.backend.requests import Requests
    from handrail_storage.stored import Capabilities, Stored

_TEMPORARY, _SPARE = ".tmp", ".spare"
_BLOCK = 1 << 16
_GROWTH = 4096  # Bytes by which a file may become larger when it is replaced.
_ATTRIBUTES: Attributes = {"Content-Type": "application/json"}
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
    def create(self, name: str, content: bytes | Content) -> bool:
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

    @abstractmethod
    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Yield the names that begin with a prefix, each with its bytes; see `names`."""


class SmallObjects(SmallFiles):
    """Small files as objects.

    Args:
        requests: The bucket.
        capabilities: Returns the capabilities of the storage, as far as they are known.
    """

    def __init__(self, requests: Requests, capabilities: Callable[[], Capabilities]) -> None:
        self._requests = requests
        self._capabilities = capabilities

    def get(self, name: str) -> Small | None:
        """Ask for the whole object."""
        return self._requests.again(name, lambda: self._get(name))

    def _get(self, name: str) -> Small | None:
        import obstore  # noqa: PLC0415 - a compiled client, loaded when it is used

        from handrail_storage.backend.requests import bare  # noqa: PLC0415 - see above

        try:
            answer = obstore.get(self._requests.client, self._path(name))
            version = bare(answer.meta["e_tag"]) or ""
            return Small(content=bytes(answer.bytes()), version=version)
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise
            return None

    def content(self, name: str) -> Content | None:
        """Ask for the object, a block at a time."""
        return self._requests.again(name, lambda: self._content(name))

    def _content(self, name: str) -> Content | None:
        import obstore  # noqa: PLC0415 - see above

        writing = Writing()
        try:
            answer = obstore.get(self._requests.client, self._path(name))
            for block in answer.stream(_BLOCK):
                writing.write(memoryview(block))
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise
            return None
        return writing.done()

    def put(self, name: str, content: bytes | Content, *, spare: bool = False) -> str:
        """Put it, whatever is there."""
        key, whole = f"{FOLDER}/{name}", content_of(content).buffer()
        return self._requests.again(
            name, lambda: self._requests.put(key, whole, _ATTRIBUTES, "overwrite") or ""
        )

    def create(self, name: str, content: bytes | Content) -> bool:
        """Put it in one request if the storage refuses to replace; else look before."""
        whole = content_of(content)
        if self._put_unless_taken(name, whole, None) is not None:
            return True
        found = self.content(name)
        return found is not None and found.is_same(whole)

    def swap(self, name: str, content: bytes, version: str) -> str | None:
        """Put it in one request if the storage takes the condition; else look before."""
        return self._put_unless_taken(name, Content(content), version)

    def remove(self, name: str, version: str | None = None) -> bool:
        """Delete it in one request if the storage takes the condition; else look before."""
        from handrail_storage.backend.deleting import delete_unchanged  # noqa: PLC0415 - see above

        if version is not None and self._capabilities().delete_if:
            expected = Listed(key=f"{FOLDER}/{name}", size=-1, etag=version)
            return not delete_unchanged(self._requests, [expected], conditional=True)
        if version is not None:
            there = self._version(name)
            if there != version:
                return there is None
        self.remove_all([name])
        return True

    def remove_all(self, names: Sequence[str]) -> None:
        """Delete up to a thousand in each request."""
        from handrail_storage.backend.deleting import delete_all  # noqa: PLC0415 - see above

        delete_all(self._requests, [f"{FOLDER}/{name}" for name in names])

    def names(self, prefix: str) -> Iterator[tuple[str, str | None]]:
        """List the objects, a thousand in each request."""
        from handrail_storage.backend.requests import bare  # noqa: PLC0415 - see above

        for name, meta in self._listed(prefix):
            yield name, bare(meta["e_tag"])

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """List the objects, a thousand in each request."""
        for name, meta in self._listed(prefix):
            yield name, meta["size"]

    def _listed(self, prefix: str) -> Iterator[tuple[str, Any]]:
        import obstore  # noqa: PLC0415 - see above

        root = self._path("")
        with self._requests.patiently(f"listing {self._requests.url}"):
            # Its overloads name a type that does not exist.
            batches: Any = cast("Any", obstore).list(
                self._requests.patient, prefix=f"{root}{prefix}"
            )
            for batch in batches:
                for meta in batch:
                    yield meta["path"].removeprefix(root), meta

    def _put_unless_taken(self, name: str, content: Content, version: str | None) -> str | None:
        """Put an object over that of a version, or where there is none; return its version.

        None if there is another one.
        """
        from handrail_storage.backend.putting import put_unless_taken  # noqa: PLC0415 - see above

        def is_free(there: Stored | None) -> bool:
            if there is not None:
                return version == (there.etag or "")
            if version is not None:
                self._get(name)  # That would tell that it is the whole bucket that is gone.
            return version is None

        def is_ours(_there: Stored) -> bool:
            found = self._content(name)
            return found is not None and found.is_same(content)

        try:
            etag = put_unless_taken(
                self._requests,
                self._capabilities(),
                f"{FOLDER}/{name}",
                content.buffer(),
                _ATTRIBUTES,
                replacing=version,
                free=is_free,
                ours=is_ours,
            )
        except TakenError:
            return None
        return etag or ""

    def _version(self, name: str) -> str | None:
        """Return the version of an object; None if it, and not the whole bucket, is gone."""
        version = self._there(name)
        if version is None and (found := self.get(name)) is not None:
            return found.version
        return version

    def _there(self, name: str) -> str | None:
        """Return the version of an object without its content; None if nothing is there.

        Some servers send the content 40 ms after the head of their answer.
        """
        key = f"{FOLDER}/{name}"
        found = self._requests.again(name, lambda: self._requests.ask(key))
        return None if found is None else found.etag or ""

    def _path(self, name: str) -> str:
        return self._requests.path(f"{FOLDER}/{name}")


class SmallLocalFiles(SmallFiles):
    """Small files in a folder; runs on all machines that share it take turns by flock(2).

    Args:
        target: Path of the target.
        shown: The target, as people write it.
        caller: The pack, for the class of errors.
    """

    def __init__(self, target: str, shown: str, caller: Caller) -> None:
        self._target = target
        self._root = Path(target, FOLDER)
        self._shown = shown
        self._caller = caller

    def get(self, name: str) -> Small | None:
        """Read the file."""
        with self._converting_errors(name):
            content = self._read(self._path(name))
        return None if content is None else Small(content=content, version=_version(content))

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

    def create(self, name: str, content: bytes | Content) -> bool:
        """Look, then write, in one turn."""
        path = self._path(name)
        with self._converting_errors(name), self._alone():
            found = self._content(path)
            if found is None:
                self._write(path, content)
        return found is None or found.is_same(content_of(content))

    def swap(self, name: str, content: bytes, version: str) -> str | None:
        """Look, then write, in one turn."""
        path = self._path(name)
        with self._converting_errors(name), self._alone():
            found = self._read(path)
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
            found = None if version is None else self._read(path)
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

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Walk the folder."""
        for name, _ in self.names(prefix):
            with self._converting_errors(name):
                size = os.stat(self._path(name)).st_size
            yield name, size

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

    @staticmethod
    def _read(path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _path(self, name: str) -> Path:
        """Return the path of a file, after checking that no folder leads out of the target."""
        folder = os.path.dirname(f"{FOLDER}/{name}")
        if ".." in name.split("/") or not Inside(self._target).holds(folder):
            raise self._caller.error(
                f"{FOLDER}/{name}: it leads out of {self._shown}",
                ways_out=(f"give a {self._caller.noun} in which no folder leads elsewhere",),
            )
        return Path(self._root, name)

    @contextmanager
    def _converting_errors(self, name: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise disk_error(error, f"{FOLDER}/{name}", self._shown, self._caller) from error


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
    if isinstance(content, Content):
        return hashlib.file_digest(content.opened(), "sha256").hexdigest()
    return hashlib.sha256(content).hexdigest()


def _is_at(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False
