"""Snapshots of the world outside, and the differences between two of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatch
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

_LONGEST = 60  # Characters of a value that are shown.


def folder(path: str | os.PathLike[str], *, ignore: Sequence[str] = ()) -> Callable[[], Any]:
    """Return a function that describes all that is in a folder, for `check_undo`.

    It returns a dict from relative name to a description: type, size and digest of a file, target
    of a link. The folder itself is included, as `.`; a missing one is an empty dict.

    Args:
        path: The folder, or a file.
        ignore: Patterns of relative names to leave out, such as `*.log`.
    """
    place = Path(path)

    def world() -> dict[str, str]:
        return {
            name: description
            for name, description in _described(place)
            if not any(fnmatch(name, pattern) for pattern in ignore)
        }

    return world


def _described(place: Path) -> Iterator[tuple[str, str]]:
    if not os.path.lexists(place):
        return
    yield ".", _description(place)
    if place.is_symlink() or not place.is_dir():
        return
    for top, folders, files in os.walk(place):
        for name in sorted((*folders, *files)):
            inner = Path(top, name)
            yield inner.relative_to(place).as_posix(), _description(inner)


def _description(place: Path) -> str:
    if place.is_symlink():
        return f"link to {os.readlink(place)}"
    if place.is_dir():
        return "folder"
    if not place.is_file():
        return "neither file nor folder"
    content = place.read_bytes()
    return f"file of {len(content)} bytes, sha256 {sha256(content).hexdigest()[:12]}"


def differences(before: object, after: object) -> tuple[str, ...]:
    """Return one line for each addition, removal and change; none for equal worlds."""
    if _equal(before, after):
        return ()
    changed = f"changed  {_shown(before)} -> {_shown(after)}"
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return tuple(
            _of_mappings(
                cast("Mapping[object, object]", before), cast("Mapping[object, object]", after)
            )
        )
    if isinstance(before, AbstractSet) and isinstance(after, AbstractSet):
        old, new = cast("AbstractSet[object]", before), cast("AbstractSet[object]", after)
        return (
            *(f"added    {_shown(each)}" for each in sorted(new - old, key=repr)),
            *(f"gone     {_shown(each)}" for each in sorted(old - new, key=repr)),
        )
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return tuple(_of_lists(cast("list[object]", before), cast("list[object]", after)))
    return (changed,)


def _of_mappings(before: Mapping[object, object], after: Mapping[object, object]) -> Iterator[str]:
    for key in after:
        if key not in before:
            yield f"added    {_name(key)}  {_shown(after[key])}"
    for key in before:
        if key not in after:
            yield f"gone     {_name(key)}  {_shown(before[key])}"
    for key in before:
        if key in after and not _equal(before[key], after[key]):
            yield f"changed  {_name(key)}  {_shown(before[key])} -> {_shown(after[key])}"


def _of_lists(before: Sequence[object], after: Sequence[object]) -> Iterator[str]:
    added = [each for each in after if each not in before]
    gone = [each for each in before if each not in after]
    yield from (f"added    {_shown(each)}" for each in added)
    yield from (f"gone     {_shown(each)}" for each in gone)
    if not added and not gone:
        yield f"changed  {_shown(before)} -> {_shown(after)}"


def _equal(one: object, other: object) -> bool:
    return one is other or bool(one == other)


def _name(key: object) -> str:
    return key if isinstance(key, str) else repr(key)


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
