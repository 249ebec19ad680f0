"""Containment: an undo touches only the places where the run worked.

A journal may be damaged or untrusted. So each recorded value is checked before anything is deleted,
changed or restored; a rejected value is reported and ignored. Links in place of folders are checked
by the store, at the time of each operation: the undo itself may restore links.
"""

from __future__ import annotations

import ntpath
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, cast

from handrail.frozen import frozen
from handrail_storage.errors import ContainmentError, first_of

__all__ = [
    "PLAIN",
    "Folder",
    "Inside",
    "Notes",
    "below",
    "folders_of",
    "is_of_run",
    "key",
    "listed",
    "mapping",
    "mark_of_run",
    "plain_name",
    "plainly_below",
    "text",
]

PLAIN = "[0-9A-Za-z][0-9A-Za-z._-]*"
"""The name of a run, as a regular expression."""

# Files in a target during a run, named after the run.
_BOOKKEEPING = (
    r"(?i)\.handrail(-reach|-target|-(probe-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?"
)

_KEPT = 20  # Errors that are kept; a journal may have a million rejected values.

T = TypeVar("T")


def text(value: object) -> str:
    """Check that a value is a text that can name a file or an object, and return it.

    Raises:
        ValueError: The value is not a text, is empty, or has characters that no name has.
    """
    if not isinstance(value, str):
        raise ValueError("it is no text")
    if not value or "\0" in value:
        raise ValueError("it is empty" if not value else "there is a NUL in it")
    try:
        if not value.isascii():
            os.fsencode(value)
    except UnicodeEncodeError:
        raise ValueError("it is no Unicode") from None
    return value


def plain_name(
    value: object, error: type[ContainmentError] = ContainmentError, pattern: str = PLAIN
) -> str:
    """Check the name of a run, which becomes part of file names, and return it.

    Args:
        value: The name.
        error: The class of the error that is raised.
        pattern: Regular expression for names of runs.

    Raises:
        ContainmentError: The name does not match the pattern; raises the given class.
    """
    if isinstance(value, str) and re.fullmatch(pattern, value):
        return value
    raise error.about_run(value)


def is_of_run(name: str, pattern: str, run: str | None) -> bool:
    """Return whether a name belongs to a run.

    Args:
        name: The name.
        pattern: Regular expression for the name; its group `run` is the run.
        run: The run; None if unknown, as in the test of a step.
    """
    found = re.fullmatch(pattern, name)
    return found is not None and found["run"] == (run or found["run"])


def below(value: object) -> str:
    """Return a key below a target, which may be reserved for Handrail.

    Raises:
        ValueError: The key leads out of the target, or a part of it is empty.
    """
    name = text(value)
    parts = name.split("/")
    if name[0] == "/" or ".." in parts:
        raise ValueError("it leads out of the target")
    if "" in parts or "." in parts:
        raise ValueError("it is no key of an object: a part of it is empty")
    return name


def plainly_below(names: Iterable[str]) -> bool:
    """Return whether `below` accepts many names; looks at all at once, and may wrongly deny it."""
    joined = f"/{'/'.join(names)}/"
    if any(odd in joined for odd in ("//", "/./", "/../", "\0")):
        return False
    try:
        os.fsencode(joined)
    except UnicodeEncodeError:
        return False
    return True


def key(value: object) -> str:
    """Check a key of a file or folder below a target, and return it.

    Raises:
        ValueError: The key leads out of the target, or to Handrail's own files there.
    """
    name = text(value)
    if name[0] in "/\\" or ntpath.isabs(name) or os.path.splitdrive(name)[0]:
        raise ValueError("it is absolute")
    if ".." in re.split(r"[/\\]", name):
        raise ValueError("it leads out of the target")
    if any(map(re.compile(_BOOKKEEPING).fullmatch, below(name).split("/"))):
        raise ValueError("Handrail keeps that for itself")
    return name


def mark_of_run(value: object, run: str | None) -> str:
    """Check a mark of objects, `<run>/<step>`, and return it.

    Args:
        value: The mark.
        run: The run; None if unknown, as in the test of a step.

    Raises:
        ValueError: The mark is that of another run.
    """
    mark = text(value)
    if not is_of_run(mark, rf"(?P<run>{PLAIN})/.+", run):
        raise ValueError("it is not the mark of this run")
    return mark


def folders_of(paths: Iterable[object]) -> Iterator[str]:
    """Yield the folder of each path; values that are not text are ignored."""
    yield from (os.path.dirname(path) for path in paths if isinstance(path, str))


def listed(value: object) -> Sequence[object]:
    """Return a list or tuple unchanged; an empty one for anything else."""
    return cast("Sequence[object]", value) if isinstance(value, (list, tuple)) else ()


def mapping(value: object, *names: str) -> tuple[object, ...]:
    """Return the values that a mapping has under these names.

    Raises:
        ValueError: The value is not a mapping, or lacks a name.
    """
    if not isinstance(value, Mapping):
        raise ValueError(f"it has no {names[0]}")
    found = cast("Mapping[object, object]", value)
    for name in names:
        if name not in found:
            raise ValueError(f"it has no {name}")
    return tuple(found[name] for name in names)


@frozen
class Folder:
    """A folder of a run, at its current path.

    Attributes:
        path: The folder; absolute.
        moved: The former and the current path of a folder on the way to it, if it was moved.
        here: The working folder of the run; None for the current one.
    """

    path: str
    moved: tuple[str, str] | None = None
    here: str | None = None

    @classmethod
    def of(
        cls, path: str, relative: str | None, noted: Iterable[object], *, here: str | None = None
    ) -> Folder:
        """Return the folder for a path in the params of a run.

        Args:
            path: The path of the folder from the current working folder.
            relative: Its path in the params, if that is relative to the working folder, which may
                have been moved since.
            noted: The recorded paths of it, or of folders above it, to find its former path.
            here: The working folder of the run, if a step may have changed it since.
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
        """Return the current path of a recorded one.

        Raises:
            ValueError: The path is not absolute.
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
        """Return a recorded path, which has to be this folder or one above it.

        Raises:
            ValueError: The path is another one, or contains the working folder, which existed
                before.
        """
        path = self.now(noted)
        if not _within(self.path, path):
            raise ValueError(f"it is neither {self.path} nor above it")
        if _within(self.here or os.getcwd(), path):
            raise ValueError("the run has not made it: the working folder is in it")
        return path

    def itself(self, noted: object) -> str:
        """Return a recorded path, which has to be this folder.

        Raises:
            ValueError: The path is another one.
        """
        path = self.now(noted)
        if path != self.path:
            raise ValueError(f"by the params of the run it is {self.path}")
        return path

    def key(self, noted: object) -> str:
        """Return a recorded path below this folder as a key.

        Raises:
            ValueError: The path is this folder itself, or leads elsewhere.
        """
        path = self.now(noted)
        if path == self.path or not _within(path, self.path):
            raise ValueError(f"it leads out of {self.path}")
        return os.path.relpath(path, self.path).replace(os.sep, "/")

    def child(self, noted: object, pattern: str, run: str | None) -> str:
        """Return a recorded path directly in this folder that is named after the run.

        Args:
            noted: The path.
            pattern: The pattern of its name; the group `run` is that of the run.
            run: The run; None if unknown, as in the test of a step.

        Raises:
            ValueError: The path is another one, or a link.
        """
        path = self.now(noted)
        above, name = os.path.split(path)
        if above != self.path or not is_of_run(name, pattern, run):
            raise ValueError(f"it is not that of this run in {self.path}")
        if os.path.islink(path):
            raise ValueError("it is a link")
        return path


class Inside:
    """Finds out which folders below a root are inside it, following symbolic links.

    Args:
        root: The root, which may be a link itself.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._real = os.path.realpath(root)
        self._known: set[str] = set()

    def holds(self, folder: str) -> bool:
        """Return whether a folder, relative to the root, is below it; True for the root."""
        if not folder or folder in self._known:
            return True
        real = os.path.realpath(os.path.join(self._root, folder))
        if not _within(real, self._real):
            return False
        self._known.add(folder)
        return True

    def forget(self) -> None:
        """Check each folder again, since it may have been replaced by a link."""
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
        """The error for the rejected values; None if there are none."""
        return first_of(self._kept, self._count)

    @property
    def refusals(self) -> list[str]:
        """One sentence for each rejected value, up to twenty."""
        return [each.message for each in self._kept]

    def check(self) -> None:
        """Do nothing if no value was rejected.

        Raises:
            ContainmentError: A value was rejected.
        """
        if self.refused is not None:
            raise self.refused

    def raw(self, name: str) -> Sequence[object]:
        """Return the values recorded under a name, unchecked."""
        return listed(self._data.get(name, ()))

    def all(self, name: str, check: Callable[[object], T]) -> list[T]:
        """Return the results of `check` for the values under a name, without rejected ones.

        Args:
            name: The name.
            check: Raises a ValueError with the reason to reject a value.
        """
        value = self._data.get(name, ())
        if not isinstance(value, (list, tuple)):
            self.refuse(name, value, "it is no list")
        passed: list[T] = []
        for each in self.raw(name):
            try:
                passed.append(check(each))
            except ValueError as error:
                self.refuse(name, each, str(error))
        return passed

    def refuse(self, name: str, value: object, why: str) -> None:
        """Record a rejected value under a name, with the reason."""
        self._count += 1
        if self._count <= _KEPT:
            self._kept.append(self._error.about(f"note '{name}'", value, why))


_DOTS = ("", ".", "..")


def _before(noted: object, path: str, parts: Sequence[str]) -> str | None:
    """Return the folder from which the first of `parts` led when `noted` was recorded.

    None if nothing was moved: the recorded path is on the way to `path`, or still exists.
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
