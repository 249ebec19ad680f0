"""A local folder as a store.

Content is written under a temporary name beside its key, `K.handrail-tmp-<run>`, labelled with its
mark and digest, and then linked to K, which fails if K exists, or renamed over what is replaced. So
name, content, mark and digest appear at once.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from handrail_storage.backend.disk import FOLDER, identity_of, make_folders, sha256_of
from handrail_storage.backend.folders import LocalFolders
from handrail_storage.backend.labels import Label, Labels
from handrail_storage.backend.names import (
    COPY,
    GONE,
    NO_LINKS,
    OURS,
    SECOND,
    give_name,
    link_or_copy,
    run_of,
    take_place,
    temporary_of,
    unlink,
)
from handrail_storage.backend.small import SmallFiles, SmallLocalFiles
from handrail_storage.caller import ANYBODY, Caller
from handrail_storage.errors import TakenError
from handrail_storage.places import Place
from handrail_storage.stored import Capabilities, Glanced, Listed, Stored

_BLOCK = 4 << 20
_AT_A_TIME = 4  # Files that are removed at a time.
_PAGE = 1000  # Files between two reports of progress.
_TRIES = 10  # Attempts to store a file in a folder that others remove.

# A folder of which only the files are looked at need not be readable.
_TO_LOOK = os.O_DIRECTORY | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)


class _Files(Glanced):
    """Files by their keys.

    Args:
        statuses: The status of each regular file.
        others: What else is there.
    """

    def __init__(
        self, statuses: Mapping[str, os.stat_result], others: Mapping[str, Listed]
    ) -> None:
        self._statuses = statuses
        self._others = others

    def __getitem__(self, key: str) -> Listed:
        if key in self._others:
            return self._others[key]
        status = self._statuses[key]
        return Listed(key=key, size=status.st_size, etag=None, identity=identity_of(status))

    def __contains__(self, key: object) -> bool:
        return key in self._statuses or key in self._others

    def __iter__(self) -> Iterator[str]:
        return chain(self._statuses, self._others)

    def __len__(self) -> int:
        return len(self._statuses) + len(self._others)

    def versions(self) -> Mapping[str, str | None]:
        """Return the version of each file, as that of a `Listed` is."""
        # A call for each would take longer than to look at it.
        found: dict[str, str | None] = {
            key: f"({each.st_dev}, {each.st_ino}, {each.st_size}, {each.st_mtime_ns})"
            for key, each in self._statuses.items()
        }
        return found | {key: each.version for key, each in self._others.items()}


class LocalStore(LocalFolders):
    """Files below one folder."""

    local = True
    batch = 256

    def __init__(self, place: Place, caller: Caller = ANYBODY) -> None:
        super().__init__(place, caller)
        self.capabilities = Capabilities(create_only=True, etag_is_md5=False, marks=True)
        self._labels = Labels(self.address, self._path)

    @property
    def small_files(self) -> SmallFiles:
        """Files in the folder `.handrail-target`."""
        return SmallLocalFiles(self.address, self._path, self._converting_errors)

    # Setting up

    def reach(self) -> None:
        """Check that nothing but folders is in the way; a write shows better what else is wrong."""
        place = Path(self.place.path)
        there = next(path for path in (place, *place.parents) if os.path.lexists(path))
        if not there.is_dir():
            raise self.caller.error(f"{self.url} is no folder: {there} is something else")

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
        self.capabilities = Capabilities(create_only=links, etag_is_md5=False, marks=True)
        return self.capabilities

    def clear_probe(self, key: str, mark: str) -> None:
        """Remove the small file, whose name contains the run."""
        self.delete([f"{key}.link", key])

    # Looking

    def stat(self, key: str) -> Stored | None:
        """Return the stored file; a link counts as itself."""
        return self.stats([key]).get(key)

    def stats(self, keys: Sequence[str]) -> dict[str, Stored]:
        """Look at each file."""
        self._inside.forget()
        found = map(self._stat, keys)
        return {each.key: each for each in found if each is not None}

    def _stat(self, key: str) -> Stored | None:
        path = self._path_in_page(key)
        with self._converting_errors(key), suppress(*GONE):
            return self._described(key, path, os.lstat(path))
        return None

    def glance(self, keys: Sequence[str]) -> Mapping[str, Listed]:
        """Look at the status of each file; marks are not read."""
        self._inside.forget()
        folders: dict[str, list[str]] = {}
        for key in keys:
            folders.setdefault(key.rpartition("/")[0], []).append(key)
        statuses: dict[str, os.stat_result] = {}
        for folder, below in folders.items():
            with self._converting_errors(folder or self.url), suppress(*GONE):
                fd = os.open(os.path.dirname(self._path_in_page(below[0])), _TO_LOOK)
                try:
                    _look(fd, len(folder) + 1 if folder else 0, below, statuses)
                finally:
                    os.close(fd)
        others = [key for key, status in statuses.items() if not stat.S_ISREG(status.st_mode)]
        for key in others:
            del statuses[key]
        return _Files(statuses, self.stats(others))

    def _described(self, key: str, path: str, found: os.stat_result) -> Stored:
        """Return a file with its mark and digest, by its status."""
        if not stat.S_ISREG(found.st_mode):
            return Stored(key=key, size=-1, etag=None, identity=identity_of(found))
        label = self._labels.of(path, key, found)
        return Stored(
            key=key,
            size=found.st_size,
            etag=None,
            identity=identity_of(found),
            mark=None if label is None else label.mark,
            sha256=None if label is None else label.sha256,
        )

    def listing(self, prefix: str = "") -> Iterator[Listed]:
        """Yield the files, without their marks; links to folders are not followed."""
        with self._converting_errors(prefix or self.url):
            if self.root.is_file():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            self._inside.forget()
            walk = os.walk(self.root / prefix, onerror=_raise_unless_gone)
            for folder, below, names in walk:
                if FOLDER in below and Path(folder) == self.root:
                    below.remove(FOLDER)
                below.sort()
                for name in sorted(names):
                    path = os.path.join(folder, name)
                    key = os.path.relpath(path, self.root).replace(os.sep, "/")
                    found = None if OURS in name else self._listed(key)
                    if found is not None:
                        yield found

    def _listed(self, key: str) -> Listed | None:
        with suppress(*GONE):
            found = os.lstat(self._path_in_page(key))
            size = found.st_size if stat.S_ISREG(found.st_mode) else -1
            identity = identity_of(found)
            return Listed(
                key=key, size=size, etag=None, identity=identity, modified=found.st_mtime_ns
            )
        return None

    @contextmanager
    def opened(self, key: str) -> Generator[tuple[Stored, Iterator[bytes]] | None]:
        """Open the file."""
        path, fd = self._path(key), -1
        with self._converting_errors(key), suppress(*GONE):
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        if fd < 0:
            yield None
            return
        with os.fdopen(fd, "rb") as file:
            yield self._described(key, path, os.fstat(fd)), self._blocks(key, file)

    def _blocks(self, key: str, file: BinaryIO) -> Iterator[bytes]:
        with self._converting_errors(key):
            yield from iter(lambda: file.read(_BLOCK), b"")

    def read(self, key: str) -> bytes | None:
        """Read the file."""
        with self._converting_errors(key), suppress(*GONE):
            return Path(self._path(key)).read_bytes()
        return None

    # Storing

    def store(
        self,
        key: str,
        content: bytes | Path,
        mark: str,
        replacing: Listed | None,
        sha256: str | None,
    ) -> Stored:
        """Write the content under a temporary name, label it, then link or rename it to its key.

        A file that others put in place of one that is replaced after the last look, a moment
        before, is replaced too.
        """
        path = self._path(key)
        with self._converting_errors(key, putting=True):
            if replacing is None and os.path.lexists(path):
                raise TakenError
            digest = sha256 or sha256_of(content)
            for _ in range(_TRIES):
                # The undo of another run may remove a folder that is still empty.
                with suppress(FileNotFoundError):
                    _make_folder(os.path.dirname(path))
                    return self._put(key, content, mark, replacing, digest)
            return self._put(key, content, mark, replacing, digest)

    def _put(
        self, key: str, content: bytes | Path, mark: str, replacing: Listed | None, sha256: str
    ) -> Stored:
        if isinstance(content, Path):
            with content.open("rb") as staged:
                return self._finish(staged.fileno(), str(content), key, mark, sha256, replacing)
        temporary = self.temporary(key, run_of(mark))
        try:
            unlink(temporary)  # Of an attempt that was killed; it may be linked to its key.
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                fd = file.fileno()
                return self._finish(fd, temporary, key, mark, sha256, replacing, flush=True)
        finally:
            unlink(temporary)

    def temporary(self, key: str, run: str) -> str:
        """Return the path under which a run writes the content of a key."""
        return temporary_of(self._path(key), run)

    def _finish(
        self,
        fd: int,
        staged: str,
        key: str,
        mark: str,
        sha256: str,
        replacing: Listed | None,
        *,
        flush: bool = False,
    ) -> Stored:
        """Make a complete file the object under a key, with its mark and digest, at once.

        Args:
            fd: The file.
            staged: Its path, in the same file system. It stays as a second name if the file system
                has links, unless it is that of `create_nameless`.
            key: The key.
            mark: The mark of the run's objects.
            sha256: SHA-256 of the content.
            replacing: The existing object, which may be replaced; None for none.
            flush: Whether the content still has to be flushed to its disk.

        Raises:
            TakenError: The key is taken, or there is another object than `replacing`.
            OSError: The disk failed or refused.
        """
        made = os.fstat(fd)
        self._labels.set(fd, key, Label.of(made, mark, sha256))
        if flush:
            os.fsync(fd)
        self._give_name(staged, made, key, replacing)
        return Stored(
            key=key,
            size=made.st_size,
            etag=None,
            mark=mark,
            sha256=sha256,
            identity=identity_of(made),
        )

    def _give_name(
        self, staged: str, made: os.stat_result, key: str, replacing: Listed | None
    ) -> None:
        """Give a labelled file the name of a key, which is free or has to be as it was found."""
        path = f"{self._below}{key}"  # Its folder was checked before the file was made there.
        try:
            if replacing is None:
                give_name(staged, path)
            else:
                self._labels.drop(key, take_place(staged, path, replacing))
        except (TakenError, OSError):
            self._labels.drop(key, made)
            raise

    def set_aside(self, key: str, name: str) -> None:
        """Give the file a second name; without links, copy it."""
        other = self._path(name)
        with self._converting_errors(key), self._copied(key, name) as copy:
            earlier = os.lstat(other) if os.path.lexists(other) else None
            os.replace(copy, other)
            if earlier is not None:  # By an earlier attempt, which had replaced nothing.
                self._labels.drop(name, earlier)

    def put_over(self, name: str, key: str, found: Listed | None) -> bool:
        """Give the file a further name, and rename that to the key; without links, copy it.

        A file that others put there after the last look, a moment before, is replaced too.
        """
        try:
            with self._converting_errors(key), self._copied(name, key) as copy:
                self._give_name(copy, os.lstat(copy), key, found)
        except TakenError:
            return False
        return True

    @contextmanager
    def _copied(self, key: str, name: str) -> Generator[str]:
        """Give a file, or a copy of it, a temporary name and the label it needs under `name`."""
        path, temporary = self._path(key), self.temporary(name, COPY)
        make_folders(os.path.dirname(temporary))
        unlink(temporary)
        try:
            link_or_copy(path, temporary)
            self._labels.carry(path, key, name, temporary)
            yield temporary
        finally:
            unlink(temporary)  # Renaming a file to another name of itself does nothing.

    # Undoing

    def abort_unfinished(self, keys: Iterable[str], run: str) -> None:
        """Remove the temporary names that killed processes have left, also among the asides."""
        self._inside.forget()
        left: dict[str, set[str]] = {}  # By folder: with all keys, it would grow with them.
        sidecars = self._labels.has_sidecars()
        asides = self._asides_of(run)
        for key in keys:
            self._abort(key, run, left, sidecars=sidecars)
            for aside in asides:
                self._abort(f"{aside}/{key}", None, left, sidecars=sidecars)

    def _asides_of(self, run: str) -> list[str]:
        """Return the folders with what a run has set aside, one of each epoch."""
        if not run:
            return []
        above = f"{FOLDER}/aside"
        with (
            self._converting_errors(above),
            suppress(*GONE),
            os.scandir(self._path(above)) as found,
        ):
            epochs = [each.name for each in found if each.is_dir(follow_symlinks=False)]
            folders = [f"{above}/{epoch}/{run}" for epoch in epochs]
            return [each for each in folders if os.path.isdir(self._path(each))]
        return []

    def _abort(
        self, key: str, run: str | None, left: dict[str, set[str]], *, sidecars: bool
    ) -> None:
        """Remove what is left of a file that never got the name of a key.

        Args:
            key: The key.
            run: The run that wrote it; None if nobody else writes under the key.
            left: The temporary names in each folder that was looked at.
            sidecars: Whether there are labels beside the files.
        """
        folder = key.rpartition("/")[0]
        if folder not in left:
            with self._converting_errors(folder or self.url):
                left[folder] = _temporary_names_in(os.path.dirname(self._path_in_page(key)))
        if not (left[folder] or sidecars):
            return
        with self._converting_errors(key):
            for each in (COPY,) if run is None else (run, COPY):
                temporary = temporary_of(self._path_in_page(key), each)
                for path in (temporary, f"{temporary}{SECOND}"):
                    if os.path.basename(path) in left[folder]:
                        unlink(path)
            if sidecars:
                self._labels.sweep(self._path(key), key, run)

    def delete(self, keys: Sequence[str]) -> None:
        """Remove the files."""
        self._inside.forget()
        for key in keys:
            path = self._path(key)
            with self._converting_errors(key), suppress(*GONE):
                found = os.lstat(path)
                os.unlink(path)
                self._labels.drop(key, found)

    def delete_found(
        self, found: Sequence[Listed], progress: Callable[[int], None] | None = None
    ) -> set[str]:
        """Look at each file, and remove it.

        A file that others put there after the look, a moment before, is removed too.
        """
        changed: set[str] = set()
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            for start in range(0, len(found), _PAGE):
                page = found[start : start + _PAGE]
                self._inside.forget()
                delete = partial(self._delete_some, sidecars=self._labels.has_sidecars())
                # A disk takes long for the removal of what it has, and several at once as long.
                parts = (page[n::_AT_A_TIME] for n in range(min(_AT_A_TIME, len(page))))
                changed.update(*pool.map(delete, parts))
                if progress is not None:
                    progress(len(page))
        return changed

    def _delete_some(self, found: Sequence[Listed], *, sidecars: bool) -> set[str]:
        changed: set[str] = set()
        for each in found:
            path = self._path_in_page(each.key)
            with self._converting_errors(each.key), suppress(*GONE):
                there = os.lstat(path)
                if identity_of(there) != each.identity:
                    changed.add(each.key)
                    continue
                os.unlink(path)
                if sidecars:
                    self._labels.drop(each.key, there)
        return changed


def _temporary_names_in(folder: str) -> set[str]:
    with suppress(*GONE), os.scandir(folder) as names:
        return {each.name for each in names if OURS in each.name}
    return set()


def _make_folder(path: str) -> None:
    """Make a folder, and those above it, unless they are there.

    Raises:
        FileNotFoundError: Somebody has removed one of them meanwhile.
        FileExistsError: Something else is in its place.
    """
    try:
        make_folders(path)
    except FileExistsError as error:
        if os.path.lexists(path) and not os.path.isdir(path):
            raise
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)) from error


def _raise_unless_gone(error: OSError) -> None:
    """Raise errors that `os.walk` would ignore: an unreadable folder is not an empty one."""
    if not isinstance(error, GONE):
        raise error


def _look(fd: int, start: int, keys: Sequence[str], into: dict[str, os.stat_result]) -> None:
    """Look at files in a folder, each by its key from the character `start` on."""
    look = os.stat  # By the folder: the whole path takes the system half as long again.
    for key in keys:
        try:
            into[key] = look(key[start:], dir_fd=fd, follow_symlinks=False)
        except GONE:
            continue
