"""Reads the table of a specification: known keys and types, every mistake at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from itertools import combinations
from typing import Any, cast

from handrail.frozen import record
from handrail.suggest import did_you_mean
from handrail_upload.errors import SpecificationError
from handrail_upload.specification.roles import FileRole
from handrail_upload.specification.sizes import UNITS, bytes_of

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*", re.ASCII)
_EXTENSION = re.compile(r"(\.[^\s./\\*?]+)+")
_EXAMPLE = '[files.image] with extensions = [".jpg"]'
_MOST_BYTES = 2**63 - 1


@record
class Content:
    """The usable content of a table.

    Attributes:
        name: Of the collection, or None.
        roles: In the order of the table.
        problems: The mistakes, each with a way out, which may be empty.
    """

    name: str | None = None
    roles: list[FileRole] = field(default_factory=list[FileRole])
    problems: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def error(self, source: str) -> SpecificationError:
        """Return one error for all problems of the `source`."""
        if len(self.problems) == 1:
            message, way_out = self.problems[0]
            return SpecificationError(f"{source}: {message}", ways_out=(way_out,))
        lines = (f"{message}; {way}" if way else message for message, way in self.problems)
        return SpecificationError(f"{source} has {len(self.problems)} problems", ways_out=lines)

    def add(self, message: str, way_out: str = "") -> None:
        """Note a problem."""
        self.problems.append((message, way_out))


def read_table(table: Mapping[str, object]) -> Content:
    """Parse `table`; return its content with all mistakes."""
    content = Content()
    _known(content, "", table, ("name", "files"))
    name = table.get("name")
    if isinstance(name, str) and name.strip():
        content.name = name
    elif name is not None:
        what = "empty" if isinstance(name, str) else _kind(name)
        content.add(f"name is {what}; it has to be text", 'write it as name = "photos"')
    for key, value in _table(content, "files", table.get("files", {})).items():
        _role(content, key, value)
    if not content.roles and not content.problems:
        content.add("there are no roles", f"describe one: {_EXAMPLE}")
    for first, second in combinations(content.roles, 2):
        if first.home == second.home and first.overlaps(second):
            content.add(
                f"files.{first.name} and files.{second.name} share the folder {first.home!r}, and "
                "nothing tells their files apart",
                "give each a folder, a suffix or extensions of its own",
            )
    return content


def _role(content: Content, name: str, value: object) -> None:
    path = f"files.{name}"
    if not _NAME.fullmatch(name):
        way_out = "letters, digits, _ and - make a name"
        content.add(f"{name!r} is no name of a role", way_out)
    table = _table(content, path, value)
    _known(content, path, table, _READERS)
    # A key with a problem is None, too; the problem is on the list.
    read = {
        key: reader(content, f"{path}.{key}", table[key])
        for key, reader in _READERS.items()
        if key in table
    }
    role = FileRole(name=name, **{key: found for key, found in read.items() if found is not None})
    if role.min_size is not None and role.max_size is not None and role.min_size > role.max_size:
        content.add(f"{path}.min_size is more than max_size, so that no file fits")
    content.roles.append(role)


def _known(content: Content, path: str, table: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in table:
        if key not in known:
            shown = f"{path}.{key}" if path else key
            hint = did_you_mean(key, known) or f"known here: {', '.join(known)}"
            content.add(f"there is no key {shown}", hint)


def _table(content: Content, path: str, value: object) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return cast("Mapping[str, Any]", value)
    content.add(f"{path} is {_kind(value)}; it has to be a table", f"such as {_EXAMPLE}")
    return {}


def _boolean(content: Content, path: str, value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    content.add(f"{path} is {_kind(value)}; it has to be true or false")
    return None


def _size(content: Content, path: str, value: object) -> int | None:
    size = bytes_of(value) if isinstance(value, str) else value
    if isinstance(size, int) and not isinstance(size, bool) and 0 <= size <= _MOST_BYTES:
        return size
    shown = repr(value) if type(value) in (str, int) else _kind(value)
    content.add(f"{path} is {shown}, which is no size", f'write bytes, or "20 MB"; units: {UNITS}')
    return None


def _extensions(content: Content, path: str, value: object) -> frozenset[str] | None:
    items = cast("list[object]", value) if isinstance(value, list) else []
    if not items:
        what = "empty" if isinstance(value, list) else _kind(value)
        content.add(
            f"{path} is {what}; it has to be a list of extensions",
            'such as [".jpg", ".png"]; leave it out to allow any',
        )
        return None
    found: set[str] = set()
    for item in items:
        extension = f".{item.lower().removeprefix('.')}" if isinstance(item, str) else ""
        if _EXTENSION.fullmatch(extension):
            found.add(extension)
        else:
            shown = repr(item) if isinstance(item, str) else _kind(item)
            content.add(f"{path} has {shown}, which is no extension", 'such as ".jpg"')
    return frozenset(found)


def _folder(content: Content, path: str, value: object) -> str | None:
    if isinstance(value, str) and value.strip() and value not in (".", "..") and "/" not in value:
        return value
    shown = repr(value) if isinstance(value, str) else _kind(value)
    content.add(f"{path} is {shown}; it has to be one folder", 'such as "images"')
    return None


def _suffix(content: Content, path: str, value: object) -> str | None:
    if isinstance(value, str) and "/" not in value:
        return value
    shown = repr(value) if isinstance(value, str) else _kind(value)
    content.add(f"{path} is {shown}; it has to be the end of a stem", 'such as "_left"')
    return None


_READERS: dict[str, Callable[[Content, str, object], Any]] = {
    "required": _boolean,
    "extensions": _extensions,
    "min_size": _size,
    "max_size": _size,
    "folder": _folder,
    "suffix": _suffix,
}


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    kinds: dict[type, str] = {
        str: "text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
        type(None): "null",
    }
    return kinds.get(type(value), f"a {type(value).__name__}")
