"""Finds the files of a source, and lists ignored ones with the reason."""

from __future__ import annotations

import os
import stat
import sys
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from math import inf
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
_CHUNK = 1 << 20  # Bytes of a list of files that are read at a time; more than any path has.
_OWN = "uploads use it themselves"
_MOST = (1 << 63) - 1  # The largest integer of SQLite; some file systems have larger inodes.


@frozen
class Search:
    """The sources and patterns of a search.

    Attributes:
        sources: The folders: one for each role, or a single one under the role "".
        include: Only files that match one of these .gitignore patterns; all when empty.
        exclude: No files that match these.
        names: Only these paths below the source, read once; None for all.
        hidden: Whether names that begin with a dot count.
        follow_links: Whether links are followed to folders, and out of the sources.
        sizes: Only files of at least, and at most, these numbers of bytes.
        times: Only files that were last changed between these, in nanoseconds since the epoch.
        avoid: Real paths of files and folders that are no part of the source.
    """

    sources: Mapping[str, Path]
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    names: Iterable[str] | None = None
    hidden: bool = False
    follow_links: bool = False
    sizes: tuple[float, float] = (0, inf)
    times: tuple[float, float] = (-inf, inf)
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
        kind: `hidden`, `link`, `special`, `vanished`, `outside` of the sizes and times, `own` for
            what uploads themselves use, or `unreadable`, which is a problem.
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
    """Walks folders. By default, links are followed only to files inside the sources."""

    def find(self, search: Search) -> Iterator[Found | LeftAlone]:
        """Yield the files, folder by folder, by name."""
        walk = _Walk(search)
        # The real paths, so that paths to avoid are recognized through links too.
        sources = {role: os.path.realpath(source) for role, source in search.sources.items()}
        if search.names is None:
            for role, folder in sources.items():
                yield from walk.folder(role, folder)
            return
        for name in map(os.path.normpath, search.names):
            for role, folder in sources.items():
                yield from walk.listed(role, folder, name)


class _Walk:
    def __init__(self, search: Search) -> None:
        self.search = search
        self.include = Patterns(search.include) if search.include else None
        self.exclude = Patterns(search.exclude) if search.exclude else None
        self.sizes, self.times = search.sizes, search.times
        self.roots = tuple(os.path.realpath(each) for each in search.sources.values())

    def folder(self, role: str, path: str) -> Iterator[Found | LeftAlone]:
        """Walk one folder, and those in it, without recursion: folders may be deeply nested."""
        # Each with the folders of the links that lead there.
        waiting: list[tuple[str, str, tuple[str, ...]]] = [(path, "", ())]
        avoid, takes_all = self.search.avoid, self.include is None and self.exclude is None
        follows = self.search.follow_links
        while waiting:
            path, below, links = waiting.pop()
            try:
                with os.scandir(path) as found:
                    entries = sorted(found, key=attrgetter("name"))
            except OSError as error:
                if not below:
                    raise _no_source(path, error) from error
                yield _not_looked_at(below, error)
                continue
            folders: list[tuple[str, str, tuple[str, ...]]] = []
            for entry in entries:
                bare = entry.name
                name = f"{below}{bare if bare.isprintable() else readable(bare)}"
                if entry.is_dir(follow_symlinks=False) or (follows and os.path.isdir(entry.path)):
                    inner, through = entry.path, links
                    if follows and entry.is_symlink():
                        inner, through = os.path.realpath(inner), (*links, path)
                    told = self._leave_folder(inner, name, bare, through)
                    if told is None:
                        folders.append((inner, f"{name}/", through))
                    yield from told or ()
                elif bare[0] == "." and (left := self._left_for_dot(bare, name)):
                    yield left
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
        if not self._matches(told):
            return
        places = (name, *_folders_above(name))
        avoided = any(os.path.join(folder, each) in self.search.avoid for each in places)
        if avoided or FOLDER in name.split("/"):
            yield LeftAlone(kind="own", name=told, why=_OWN)
            return
        found: Found | LeftAlone
        if not os.path.lexists(path):
            found = LeftAlone(kind="unreadable", name=told, why="it is listed, and is not there")
        elif os.path.isdir(path):
            found = LeftAlone(kind="unreadable", name=told, why="it is listed, and is a folder")
        else:
            is_link = os.path.realpath(path) != path
            found = self._file(role, Path(path), path, told, is_link)
        if isinstance(found, LeftAlone) and found.kind != "outside":
            found = replace(found, kind="unreadable")
        yield found

    def _leave_folder(
        self, path: str, name: str, bare: str, links: tuple[str, ...]
    ) -> list[LeftAlone] | None:
        """Return None for a folder to walk, otherwise the entries for ignoring it."""
        left = self._left_for_dot(bare, f"{name}/")
        if left is not None:
            return [left]
        if self.exclude is not None and self.exclude.fit(name, is_folder=True):
            return []
        if path in self.search.avoid:
            return [LeftAlone(kind="own", name=f"{name}/", why=_OWN)]
        if any(_is_within(each, path) for each in links):
            return [LeftAlone(kind="link", name=name, why="it leads to a folder that it is in")]
        return None

    def _left_for_dot(self, bare: str, name: str) -> LeftAlone | None:
        if bare == FOLDER:  # The source, or a folder in it, was a target itself.
            return LeftAlone(kind="own", name=name, why=_OWN)
        if bare[0] == "." and not self.search.hidden:
            return LeftAlone(kind="hidden", name=name, why="its name begins with a dot")
        return None

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
            follow = self.search.follow_links
            if not follow and not any(_is_within(real, root) for root in self.roots):
                return LeftAlone(kind="link", name=name, why="it leads out of the source")
        try:
            found = file.stat()
        except OSError as error:
            return _not_looked_at(name, error)
        if not (
            self.sizes[0] <= found.st_size <= self.sizes[1]
            and self.times[0] <= found.st_mtime_ns <= self.times[1]
        ):
            return LeftAlone(kind="outside", name=name, why="its size or age is not asked for")
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


def read_names(path: Path) -> Iterator[str]:
    """Yield the paths in a list of files while it is read: one a line, or separated by NUL.

    Args:
        path: The list; `-` is standard input.

    Raises:
        SourceError: The list cannot be read.
    """
    try:
        with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as file:
            chunk = file.read(_CHUNK).removeprefix(BOM_UTF8)
            end, rest = b"\0" if b"\0" in chunk else b"\n", b""
            while chunk:
                *parts, rest = (rest + chunk).split(end)
                yield from _names_in(parts)
                chunk = file.read(_CHUNK)
            yield from _names_in([rest])
    except OSError as error:
        raise SourceError(f"the list of files {path} cannot be read: {error.strerror}") from error


def _names_in(parts: Iterable[bytes]) -> Iterator[str]:
    return (os.fsdecode(part.removesuffix(b"\r")) for part in parts if part.strip())


def _is_within(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def _folders_above(name: str) -> Iterator[str]:
    while name := os.path.dirname(name):
        yield name


def _not_looked_at(name: str, error: OSError) -> LeftAlone:
    # What vanishes before it was looked at is as little found as what had vanished before.
    kind = "vanished" if isinstance(error, FileNotFoundError) else "unreadable"
    return LeftAlone(kind=kind, name=name, why=error.strerror or str(error))


def _no_source(path: str, error: OSError) -> SourceError:
    return SourceError(
        f"{readable(path)} is no folder that can be read: {error.strerror}",
        ways_out=("give the folder, and choose files in it with --include or --files-from",),
    )
