"""Reads the project file: known sections and types, every mistake at once, with file and line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from handrail.errors import Problem
from handrail.names import did_you_mean
from handrail.origin import Origin
from handrail.settings.lines import locate
from handrail.settings.names import normalised
from handrail.settings.project import Project
from handrail.settings.values import Value

Path = tuple[str | int, ...]

_GRANT = re.compile(r"(?P<verb>replace|remove) +(?P<pack>[^\s:]+) *: *(?P<step>\S+)")
_SYNTAX = re.compile(r"(.*) \(at line (\d+), column \d+\)", re.DOTALL)


@dataclass(slots=True, kw_only=True)
class ProjectFile:
    """What a project file says, as far as it can be used.

    Attributes:
        disable: Names under `packs.disable`.
        only: Names under `packs.only`, or None.
        packs: The table of each pack, by its normalised name.
        lines: Line of each key in the tables of packs, by the path from the name of the pack.
        grants: What each pack may do, by its normalised name.
        problems: What cannot be used.
    """

    disable: tuple[Value[str], ...] = ()
    only: Value[tuple[str, ...]] | None = None
    packs: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    grants: dict[str, tuple[Value[str], ...]] = field(
        default_factory=dict[str, tuple[Value[str], ...]]
    )
    problems: list[Problem] = field(default_factory=list[Problem])


def read_file(project: Project) -> ProjectFile:
    """Return what the file of `project` says, and what is wrong with it."""
    content = ProjectFile()
    if project.file is None:
        return content
    import tomllib  # noqa: PLC0415 - only where there is a file

    name = project.file.name
    try:
        text = project.file.read_bytes().decode()
        table: object = tomllib.loads(text)
    except OSError as error:
        _add(content, name, 0, f"cannot be read: {error.strerror or error}")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        _add(content, name, line, "is not UTF-8", code="settings-syntax")
    except tomllib.TOMLDecodeError as error:
        match = _SYNTAX.fullmatch(str(error))
        message, line = (match[1], int(match[2])) if match else (str(error), 0)
        if not match:
            message, line = message.replace(" (at end of document)", ", at its end"), _last(project)
        _add(content, name, line, f"this is not TOML: {message}", code="settings-syntax")
    else:
        for key in project.table:
            table = cast("dict[str, object]", table)[key]
        _Reading(content=content, name=name, root=project.table, places=locate(text)).top(table)
    return content


def _last(project: Project) -> int:
    assert project.file is not None
    return max(1, project.file.read_bytes().rstrip().count(b"\n") + 1)


def _add(
    content: ProjectFile,
    name: str,
    line: int,
    message: str,
    *ways_out: str,
    code: str = "bad-setting",
) -> None:
    origin = Origin(file=name, line=line)
    content.problems.append(
        Problem(
            code=code,
            message=f"{origin.place}: {message}",
            origins=(origin,),
            ways_out=tuple(way for way in ways_out if way),
        )
    )


@dataclass(slots=True, kw_only=True)
class _Reading:
    """One pass over the table that holds the settings.

    Attributes:
        content: What has been read so far.
        name: Name of the file.
        root: Path of the table in the file.
        places: Line of every path in the file.
    """

    content: ProjectFile
    name: str
    root: tuple[str, ...]
    places: Mapping[Path, int]

    def top(self, table: object) -> None:
        known: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "packs": self.packs,
            "grants": self.grants,
        }
        for key, value in self.table((), table).items():
            if key not in known:
                what = "section" if isinstance(value, dict) else "setting"
                shown = f"[{self.shown(key)}]" if isinstance(value, dict) else self.shown(key)
                self.unknown((key,), f"there is no {what} {shown}", key, known)
            else:
                known[key](self.table((key,), value))

    def packs(self, table: Mapping[str, Any]) -> None:
        for key, value in table.items():
            path = ("packs", key)
            if key == "disable":
                self.content.disable = self.names(path, value)
            elif key == "only":
                names = tuple(name.value for name in self.names(path, value))
                self.content.only = Value(value=names, source=self.source(path), key=".".join(path))
            elif isinstance(value, dict):
                self.pack(path, cast("dict[str, Any]", value))
            else:
                message = (
                    f"packs.{key} is {_kind(value)}; it has to be `disable`, `only`, "
                    "or the table of a pack"
                )
                self.unknown(path, message, key, ("disable", "only"))

    def pack(self, path: Path, table: dict[str, Any]) -> None:
        name = normalised(str(path[-1]))
        if name in self.content.packs:
            self.problem(path, f"[packs.{path[-1]}] is there twice, in different spellings")
        self.content.packs[name] = table
        start = (*self.root, *path)
        for place, line in self.places.items():
            if place[: len(start)] == start:
                self.content.lines[(name, *place[len(start) :])] = line

    def grants(self, table: Mapping[str, Any]) -> None:
        for key, value in table.items():
            path = ("grants", key)
            grants: list[Value[str]] = []
            for item in self.names(path, value):
                match = _GRANT.fullmatch(item.value.strip())
                if match is None:
                    self.problem(
                        path,
                        f"grants.{key}: {item.value!r} is not a grant",
                        'write "replace PACK:STEP" or "remove PACK:STEP"',
                        line=int(item.source.rpartition(":")[2]),
                    )
                    continue
                grant = f"{match['verb']} {normalised(match['pack'])}:{match['step']}"
                grants.append(Value(value=grant, source=item.source, key=".".join(path)))
            name = normalised(key)
            self.content.grants[name] = (*self.content.grants.get(name, ()), *grants)

    def names(self, path: Path, value: object) -> tuple[Value[str], ...]:
        """Return the strings of a list, each with its own line."""
        key = ".".join(map(str, path))
        if not isinstance(value, list):
            message = f"{key} is {_kind(value)}; it has to be a list of strings"
            self.problem(path, message, f'{key} = ["{value}"]' if isinstance(value, str) else "")
            return ()
        found: list[Value[str]] = []
        for number, item in enumerate(cast("list[object]", value)):
            place = (*path, number)
            if isinstance(item, str) and item.strip():
                found.append(Value(value=item, source=self.source(place), key=key))
            else:
                what = "empty" if isinstance(item, str) else _kind(item)
                self.problem(place, f"item {number + 1} of {key} is {what}; it has to be a string")
        return tuple(found)

    def table(self, path: Path, value: object) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        shown = self.shown(*path)
        self.problem(path, f"{shown} is {_kind(value)}; it has to be a table, [{shown}]")
        return {}

    def unknown(self, path: Path, message: str, key: str, known: Any) -> None:
        hint = did_you_mean(key, known) or f"known here: {', '.join(sorted(known))}"
        _add(self.content, self.name, self.line(path), message, hint, code="unknown-setting")

    def problem(self, path: Path, message: str, *ways_out: str, line: int = 0) -> None:
        _add(self.content, self.name, line or self.line(path), message, *ways_out)

    def shown(self, *path: str | int) -> str:
        return ".".join(map(str, (*self.root, *path)))

    def line(self, path: Path) -> int:
        place: Path = (*self.root, *path)
        while place and place not in self.places:
            place = place[:-1]
        return self.places.get(place, 0)

    def source(self, path: Path) -> str:
        return f"{self.name}:{self.line(path)}"


def _kind(value: object) -> str:
    if value is True or value is False:
        return str(value).lower()
    names: dict[type, str] = {
        str: "a string",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), f"a {type(value).__name__}")
