"""Finds the files of a source, and lists ignored ones with the reason."""

from __future__ import annotations

import os
import stat
import sys
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, Protocol

from handrail.frozen import frozen, replace
from handrail_storage.backend import FOLDER
from handrail_upload.errors import SourceError
from handrail_upload.names import readable
from handrail_upload.patterns import Patterns

_READ_BY_ALL = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_KIND_AND_READ, _PLAIN = 0o170000 | _READ_BY_ALL, stat.S_IFREG | _READ_BY_ALL
_MOST = (1 << 63) - 1  # The largest integer of SQLite; some file systems have larger inodes.


@frozen
class Search:
    """The sources and patterns of a search.

    Attributes:
        sources: The folders: one for each role, or a single one under the role "".
        include: Only files that match one of these .gitignore patterns; all when empty.
        exclude: No files that match these.
        names: Only these paths below the source; None for all.
        hidden: Whether names that begin with a dot count.
        avoid: Real paths of files and folders that are no part of the source.
    """

    sources: Mapping[str, Path]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    names: tuple[str, ...] | None = None
    hidden: bool = False
    avoid: frozenset[str] = frozenset()


class Found(NamedTuple):
    """A file.

    Attributes:
        path: Its path.
        name: Path below its source, with `/`, as readable text.
        source: The role that its source is for, or "".
        size: Bytes.
        mtime: When its content last changed, in nanoseconds since the epoch.
        dev: Its device. With this and the next two, an equal file of the last upload need not be
            read again; leave them out if `path` is not where the content comes from.
        ino: Its inode.
        ctime: When its status last changed, in nanoseconds since the epoch.
    """

    path: str
    name: str
    source: str
    size: int
    mtime: int
    dev: int | None = None
    ino: int | None = None
    ctime: int | None = None


@frozen
class LeftAlone:
    """A file or folder of the source that is not uploaded.

    Attributes:
        kind: `hidden`, `link`, `special`, `vanished`, or `unreadable`, which is a problem.
        name: Path below its source.
        why: The reason.
    """

    kind: str
    name: str
    why: str


class Discovery(Protocol):
    """The strategy of `organize_files`: how the files of a source are found."""

    def find(self, search: Search) -> Iterator[Found | LeftAlone]:
        """Yield the files, in a stable order, and those left alone.

        Raises:
            SourceError: A source cannot be read at all.
        """
        ...


class FolderDiscovery:
    """Walks folders. Links are followed only to files inside the sources, never to folders."""

    def find(self, search: Search) -> Iterator[Found | LeftAlone]:
        """Yield the files, folder by folder, by name."""
        walk = _Walk(search)
        for role, source in search.sources.items():
            # The real path, so that paths to avoid are recognized through links too.
            folder = os.path.realpath(source)
            if search.names is None:
                yield from walk.folder(role, folder, "")
                continue
            names = dict.fromkeys(os.path.normpath(name) for name in search.names)
            for name in names:
                yield from walk.listed(role, folder, name)


class _Walk:
    def __init__(self, search: Search) -> None:
        self.search = search
        self.include = Patterns(search.include) if search.include else None
        self.exclude = Patterns(search.exclude) if search.exclude else None
        self.roots = tuple(os.path.realpath(each) for each in search.sources.values())

    def folder(self, role: str, path: str, below: str) -> Iterator[Found | LeftAlone]:
        """Walk one folder, and those in it, without recursion: folders may be deeply nested."""
        waiting = [(path, below)]
        avoid, takes_all = self.search.avoid, self.include is None and self.exclude is None
        while waiting:
            path, below = waiting.pop()
            try:
                with os.scandir(path) as found:
                    entries = sorted(found, key=attrgetter("name"))
            except OSError as error:
                if not below:
                    raise _no_source(path, error) from error
                yield _not_looked_at(below, error)
                continue
            folders: list[tuple[str, str]] = []
            for entry in entries:
                bare = entry.name
                name = f"{below}{bare if bare.isprintable() else readable(bare)}"
                if entry.is_dir(follow_symlinks=False):
                    told = self._leave_folder(entry.path, name, bare)
                    if told is None:
                        folders.append((entry.path, f"{name}/"))
                    elif told:
                        yield told[0]
                elif bare[0] == "." and not self._is_wanted_with_dot(bare):
                    yield from self._hidden(name)
                elif entry.path not in avoid and (takes_all or self._matches(name)):
                    yield self._file(role, entry, entry.path, name, entry.is_symlink())
            waiting.extend(reversed(folders))

    def listed(self, role: str, folder: str, name: str) -> Iterator[Found | LeftAlone]:
        """Find a file by the normalized path of a list; other kinds of files are problems."""
        path, told = os.path.join(folder, name), readable(name)
        if os.path.isabs(name) or name.partition("/")[0] == "..":
            raise SourceError(
                f"{told} is in the list of files, and lies outside of {folder}",
                ways_out=("list paths below the source only",),
            )
        places = (name, *_folders_above(name))
        avoided = any(os.path.join(folder, each) in self.search.avoid for each in places)
        if avoided or FOLDER in name.split("/") or not self._matches(told):
            return
        found: Found | LeftAlone
        if not os.path.lexists(path):
            found = LeftAlone(kind="unreadable", name=told, why="it is listed, and is not there")
        elif os.path.isdir(path):
            found = LeftAlone(kind="unreadable", name=told, why="it is listed, and is a folder")
        else:
            is_link = os.path.realpath(path) != path
            found = self._file(role, Path(path), path, told, is_link)
        yield replace(found, kind="unreadable") if isinstance(found, LeftAlone) else found

    def _leave_folder(self, path: str, name: str, bare: str) -> list[LeftAlone] | None:
        """Return None for a folder to walk, otherwise the entries for ignoring it."""
        if bare == FOLDER:  # The source, or a folder in it, was a target itself.
            return []
        if bare.startswith(".") and not self.search.hidden:
            return self._hidden(f"{name}/")
        if self.exclude is not None and self.exclude.fit(name, is_folder=True):
            return []
        return [] if path in self.search.avoid else None

    def _hidden(self, name: str) -> list[LeftAlone]:
        if self.search.hidden:
            return []
        return [LeftAlone(kind="hidden", name=name, why="its name begins with a dot")]

    def _is_wanted_with_dot(self, bare: str) -> bool:
        return self.search.hidden and bare != FOLDER

    def _matches(self, name: str) -> bool:
        if self.exclude is not None and self.exclude.fit(name):
            return False
        return self.include is None or self.include.fit(name)

    def _file(
        self, role: str, file: os.DirEntry[str] | Path, path: str, name: str, is_link: bool
    ) -> Found | LeftAlone:
        if is_link:
            real = os.path.realpath(path)
            if not os.path.exists(real):
                return LeftAlone(kind="link", name=name, why="it leads nowhere")
            if not any(real.startswith(f"{root.rstrip('/')}/") for root in self.roots):
                return LeftAlone(kind="link", name=name, why="it leads out of the source")
        try:
            found = file.stat()
        except OSError as error:
            return _not_looked_at(name, error)
        # Nearly all are regular files that can be read by all.
        if found.st_mode & _KIND_AND_READ != _PLAIN:
            if stat.S_ISDIR(found.st_mode):
                return LeftAlone(kind="link", name=name, why="links to folders are not followed")
            if not stat.S_ISREG(found.st_mode):
                return LeftAlone(kind="special", name=name, why="it is no regular file")
            if not os.access(path, os.R_OK):  # This takes as long as all the rest.
                return LeftAlone(kind="unreadable", name=name, why="no permission to read it")
        dev, ino = found.st_dev & _MOST, found.st_ino & _MOST
        size, mtime, ctime = found.st_size, found.st_mtime_ns, found.st_ctime_ns
        return Found(path, name, role, size, mtime, dev, ino, ctime)


def read_names(path: Path) -> tuple[str, ...]:
    """Return the paths in a list of files: one a line, or separated by NUL if there are any.

    Args:
        path: The list; `-` is standard input.

    Raises:
        SourceError: The list cannot be read.
    """
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise SourceError(f"the list of files {path} cannot be read: {error.strerror}") from error
    content = content.removeprefix(BOM_UTF8)
    parts = content.split(b"\0") if b"\0" in content else content.splitlines()
    return tuple(dict.fromkeys(os.fsdecode(part) for part in parts if part.strip()))


def _folders_above(name: str) -> Iterator[str]:
    while name := os.path.dirname(name):
        yield name


def _not_looked_at(name: str, error: OSError) -> LeftAlone:
    # What vanishes before it was looked at is as little found as what had vanished before.
    kind = "vanished" if isinstance(error, FileNotFoundError) else "unreadable"
    return LeftAlone(kind=kind, name=name, why=error.strerror or str(error))


def _no_source(path: str, error: OSError) -> SourceError:
    if isinstance(error, FileNotFoundError):
        return SourceError(
            f"there is no folder {readable(path)}", ways_out=("check the path of the source",)
        )
    if isinstance(error, NotADirectoryError):
        return SourceError(
            f"{readable(path)} is no folder",
            ways_out=("give the folder, and choose files with --include or --files-from",),
        )
    return SourceError(f"{readable(path)} cannot be read: {error.strerror}")
