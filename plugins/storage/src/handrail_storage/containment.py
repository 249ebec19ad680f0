"""Containment: an undo touches only the places where the run worked.

A journal may be damaged, or come from somebody else. So each recorded value is checked before
anything is deleted, changed or put back; a value that does not pass is reported and left alone.
Whether a folder on the way is a link is checked by the store, at the moment in which it touches
something: the undo itself may put links back.
"""

from __future__ import annotations

import ntpath
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast

from handrail_storage.errors import ContainmentError

__all__ = [
    "PLAIN",
    "Folder",
    "Inside",
    "Notes",
    "below",
    "folders_of",
    "identity",
    "is_of_run",
    "key",
    "listed",
    "mapping",
    "mark_of_run",
    "plain_name",
    "saying",
    "text",
]

PLAIN = "[0-9A-Za-z][0-9A-Za-z._-]*"
"""The name of a run, as a regular expression."""

# What lies in a target for the time of a run, and is named after it.
_BOOKKEEPING = re.compile(
    r"\.handrail(-reach|-(probe-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?", re.IGNORECASE
)

_KEPT = 20  # Refusals that are kept; a journal may have a million of them.

T = TypeVar("T")


@contextmanager
def saying(why: str) -> Generator[None]:
    """Give the reason for which a check refuses a value in the words of a pack.

    Raises:
        ValueError: A check within has refused the value.
    """
    try:
        yield
    except ValueError as error:
        raise ValueError(why) from error


def text(value: object) -> str:
    """Return a text that can be the name of a file or an object.

    Raises:
        ValueError: It is no text, is empty, or has characters that no name has.
    """
    if not isinstance(value, str):
        raise ValueError("it is no text")
    if not value or "\0" in value:
        raise ValueError("it is empty" if not value else "there is a NUL in it")
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        raise ValueError("it is no Unicode") from None
    return value


def plain_name(
    value: object, error: type[ContainmentError] = ContainmentError, pattern: str = PLAIN
) -> str:
    """Return the name of a run, which becomes part of names of files.

    Args:
        value: The name.
        error: The class of the error that is raised.
        pattern: What names of runs are like, as a regular expression.

    Raises:
        ContainmentError: It has characters that lead elsewhere, or does not fit the pattern.
    """
    if isinstance(value, str) and re.fullmatch(pattern, value):
        return value
    raise error.about_run(value)


def is_of_run(name: str, pattern: str, run: str | None) -> bool:
    """Return whether a name is one of a run.

    Args:
        name: The name.
        pattern: What it is like; the group `run` is that of the run.
        run: The run; None where none is known, as in the test of a step.
    """
    found = re.fullmatch(pattern, name)
    return found is not None and found["run"] == (run or found["run"])


def below(value: object) -> str:
    """Return a key below a target, whatever Handrail may keep there.

    Raises:
        ValueError: It leads out of the target, or names nothing.
    """
    name = text(value)
    parts = name.split("/")
    if name[0] == "/" or ".." in parts:
        raise ValueError("it leads out of the target")
    if "" in parts or "." in parts:
        raise ValueError("it is no key of an object: a part of it is empty")
    return name


def key(value: object) -> str:
    """Return a key below a target, which may be that of a file or of a folder.

    Raises:
        ValueError: It leads out of the target, or to what Handrail keeps there for itself.
    """
    name = text(value)
    if name[0] in "/\\" or ntpath.isabs(name) or os.path.splitdrive(name)[0]:
        raise ValueError("it is absolute")
    if ".." in re.split(r"[/\\]", name):
        raise ValueError("it leads out of the target")
    if any(map(_BOOKKEEPING.fullmatch, below(name).split("/"))):
        raise ValueError("Handrail keeps that for itself")
    return name


def identity(value: object) -> tuple[int, ...]:
    """Return the device, inode, size and time of change that tell a file from all others.

    Raises:
        ValueError: It is not a list of four whole numbers.
    """
    parts = listed(value)
    if len(parts) != 4 or any(type(each) is not int for each in parts):
        raise ValueError("it does not tell a file from others")
    return cast("tuple[int, ...]", tuple(parts))


def mark_of_run(value: object, run: str | None) -> str:
    """Return a mark of objects, `<run>/<step>`.

    Args:
        value: The mark.
        run: The run; None where none is known, as in the test of a step.

    Raises:
        ValueError: It is the mark of another run.
    """
    mark = text(value)
    if not is_of_run(mark, rf"(?P<run>{PLAIN})/.+", run):
        raise ValueError("it is not the mark of this run")
    return mark


def folders_of(paths: Iterable[object]) -> Iterator[str]:
    """Yield the folder that each path lies in; of values that are no text, nothing."""
    yield from (os.path.dirname(path) for path in paths if isinstance(path, str))


def listed(value: object) -> Sequence[object]:
    """Return a list or tuple as it is; an empty one for anything else."""
    return cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else ()


def mapping(value: object, *names: str) -> tuple[object, ...]:
    """Return the values that a mapping has under these names.

    Raises:
        ValueError: It is no mapping, or lacks a name.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"it has no {names[0]}")
    found = cast("Mapping[object, object]", value)
    for name in names:
        if name not in found:
            raise ValueError(f"it has no {name}")
    return tuple(found[name] for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A folder that a run works in, as it is found now.

    Attributes:
        path: The folder; absolute.
        moved: What a folder on the way to it was called when the run began, and is called now.
        here: The working folder of the run; that of now, where it is None.
    """

    path: str
    moved: tuple[str, str] | None = None
    here: str | None = None

    @classmethod
    def of(
        cls, path: str, relative: str | None, noted: Iterable[object], *, here: str | None = None
    ) -> Folder:
        """Return a folder that the params of a run name.

        Args:
            path: The folder, as it is found from the working folder of now.
            relative: How the params name it, where that leads from the working folder, which may
                have been moved since.
            noted: What was recorded of it, or of folders above it, to see where it was.
            here: The working folder of the run, where a step may have changed it since.
        """
        path = os.path.normpath(path)
        if relative is None:
            return cls(path=path, here=here)
        parts = [each for each in os.path.normpath(relative).split(os.sep) if each not in _DOTS]
        base = path.removesuffix(os.sep.join(parts)).rstrip(os.sep) or os.sep
        for each in noted:
            before = _before(each, path, parts)
            if before is not None:
                return cls(path=path, moved=(before, base), here=here)
        return cls(path=path, here=here)

    def now(self, noted: object) -> str:
        """Return where a recorded path leads now.

        Raises:
            ValueError: It is no absolute path.
        """
        path = text(noted)
        if not os.path.isabs(path) or ".." in re.split(r"[/\\]", path):
            raise ValueError("it is no absolute path, or leads elsewhere")
        path = os.path.normpath(path)
        if self.moved is not None and _within(path, self.moved[0]):
            before, after = self.moved
            path = os.path.normpath(f"{after}{os.sep}{path[len(before) :]}")
        if _within(path, self.path) or _within(self.path, path):
            return path
        # The same folder may have got another name.
        above, name = os.path.split(path)
        real, root = os.path.join(os.path.realpath(above), name), os.path.realpath(self.path)
        if _within(real, root):
            return f"{self.path}{real[len(root) :]}"
        return real if _within(root, real) else path

    def itself_or_above(self, noted: object) -> str:
        """Return a recorded path that is this folder, or one that holds it.

        Raises:
            ValueError: It is neither, or the working folder is in it, which the run has not made.
        """
        path = self.now(noted)
        if not _within(self.path, path):
            raise ValueError(f"it is neither {self.path} nor above it")
        if _within(self.here or os.getcwd(), path):
            raise ValueError("the run has not made it: the working folder is in it")
        return path

    def itself(self, noted: object) -> str:
        """Return a recorded path that is this folder.

        Raises:
            ValueError: It is another one.
        """
        path = self.now(noted)
        if path != self.path:
            raise ValueError(f"by the params of the run it is {self.path}")
        return path

    def key(self, noted: object) -> str:
        """Return a recorded path below this folder as a key.

        Raises:
            ValueError: It is this folder itself, or leads elsewhere.
        """
        path = self.now(noted)
        if path == self.path or not _within(path, self.path):
            raise ValueError(f"it leads out of {self.path}")
        return os.path.relpath(path, self.path).replace(os.sep, "/")

    def child(self, noted: object, pattern: str, run: str | None) -> str:
        """Return a recorded path right in this folder that is named after the run.

        Args:
            noted: The path.
            pattern: What its name is like; the group `run` is that of the run.
            run: The run; None where none is known, as in the test of a step.

        Raises:
            ValueError: It is another one, or a link.
        """
        path = self.now(noted)
        above, name = os.path.split(path)
        if above != self.path or not is_of_run(name, pattern, run):
            raise ValueError(f"it is not that of this run in {self.path}")
        if os.path.islink(path):
            raise ValueError("it is a link")
        return path


class Inside:
    """Tells which folders below a root lie in it, wherever symbolic links lead.

    Args:
        root: The root, which may be a link itself.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._real = os.path.realpath(root)
        self._known: set[str] = set()

    def holds(self, folder: str) -> bool:
        """Return whether a folder, named from the root, lies below it; the root does."""
        if not folder or folder in self._known:
            return True
        real = os.path.realpath(os.path.join(self._root, folder))
        if not _within(real, self._real):
            return False
        self._known.add(folder)
        return True

    def forget(self) -> None:
        """Look at each folder anew, since somebody may have put a link in its place."""
        self._known.clear()


class Notes:
    """The rollback data of a step, turned into checked values note by note.

    Args:
        data: The rollback data, as the journal has it.
        error: The class of the error that `refused` returns.
    """

    def __init__(self, data: object, error: type[ContainmentError] = ContainmentError) -> None:
        self._error = error
        self._kept: list[ContainmentError] = []
        self._count = 0
        self._data: Mapping[object, object] = {}
        if isinstance(data, Mapping):
            self._data = cast("Mapping[object, object]", data)
        else:
            self.refuse("rollback_data", data, "it has no notes")

    @property
    def refused(self) -> ContainmentError | None:
        """What did not pass, as one error; None where all has passed."""
        if self._count < 2:
            return self._kept[0] if self._kept else None
        first = self._kept[0]
        text = f"{first.message}, and {self._count - 1:,} more"
        return self._error(text, ways_out=first.ways_out)

    @property
    def refusals(self) -> list[str]:
        """One sentence for each value that did not pass, up to twenty."""
        return [each.message for each in self._kept]

    def check(self) -> None:
        """Do nothing where all has passed.

        Raises:
            ContainmentError: Something has not.
        """
        if self.refused is not None:
            raise self.refused

    def raw(self, name: str) -> Sequence[object]:
        """Return what was recorded under a name, unchecked."""
        return listed(self._data.get(name, ()))

    def all(self, name: str, check: Callable[[object], T], *, why: str | None = None) -> list[T]:
        """Return what `check` makes of the values under a name, of those that it does not refuse.

        Args:
            name: The name.
            check: Raises a ValueError that says why a value does not pass.
            why: The same in the words of a pack, where they are others.
        """
        value = self._data.get(name, ())
        if not isinstance(value, (list, tuple)):
            self.refuse(name, value, "it is no list")
        passed: list[T] = []
        for each in self.raw(name):
            try:
                passed.append(check(each))
            except ValueError as error:
                self.refuse(name, each, why or str(error))
        return passed

    def refuse(self, name: str, value: object, why: str) -> None:
        """Keep that a value under a name did not pass, and why."""
        self._count += 1
        if self._count <= _KEPT:
            self._kept.append(self._error.about_note(name, value, why))


_DOTS = ("", ".", "..")


def _before(noted: object, path: str, parts: Sequence[str]) -> str | None:
    """Return the folder from which the first of `parts` led when `noted` was recorded.

    None where nothing was moved: what it names is on the way to `path`, or is still there.
    """
    try:
        old = os.path.normpath(text(noted))
    except ValueError:
        return None
    if not os.path.isabs(old) or _within(path, old) or os.path.lexists(old):
        return None
    there = old.split(os.sep)
    for count in range(len(parts), 0 if parts else -1, -1):
        if there[len(there) - count :] == list(parts[:count]):
            return os.sep.join(there[: len(there) - count]) or os.sep
    return None


def _within(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))
