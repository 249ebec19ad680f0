"""Reads and validates tables of a TOML file, reporting each problem with file and line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Any, cast

from handrail import Origin
from handrail.builtin.project.keys import below
from handrail.errors import Problem
from handrail.frozen import record
from handrail.origin import UNKNOWN
from handrail.packs.configuration import Value
from handrail.suggest import did_you_mean

Path = tuple[str | int, ...]
Table = Mapping[str, Any]


@record
class TableReader:
    """Reads the settings in one file and collects its problems.

    Attributes:
        name: Name of the file.
        root: Path of the settings table in the file.
        places: Line of every path in the file.
        owner: The policy to which the file belongs; for the project, an empty origin.
        problems: The problems found so far.
    """

    name: str
    root: tuple[str, ...] = ()
    places: Mapping[Path, int] = field(default_factory=dict[Path, int])
    owner: Origin = UNKNOWN
    problems: list[Problem] = field(default_factory=list[Problem])

    def fields(self, path: Path, value: object, prefix: str, **hints: str) -> Iterator[Any]:
        """Yield path, key and value of each known key in a table; add problems for the others.

        Args:
            path: Path of the table.
            value: The value at the path.
            prefix: The dotted key of the table in `settings.keys`.
            **hints: Ways out for keys that users may expect here.
        """
        known = below(prefix)
        for key, each in self.table(path, value).items():
            if key in known:
                yield (*path, key), key, each
            else:
                self.unknown((*path, key), key, each, known, hints.get(key, ""))

    def table(self, path: Path, value: object) -> Table:
        """Return `value` if it is a table; otherwise add a problem and return an empty one."""
        if isinstance(value, dict):
            return cast("dict[str, Any]", value)
        shown = self.shown(*path)
        self.problem(path, f"{shown} is {type_of(value)}; it has to be a table, [{shown}]")
        return {}

    def items(self, path: Path, value: object, what: str, hint: str = "") -> list[object]:
        """Return `value` if it is a list; otherwise add a problem and return an empty one."""
        if isinstance(value, list):
            return cast("list[object]", value)
        key = dotted(path)
        self.problem(path, f"{key} is {type_of(value)}; it has to be a list of {what}", hint)
        return []

    def names(self, path: Path, value: object) -> tuple[Value[str], ...]:
        """Return the strings of a list, each with its source line."""
        key = dotted(path)
        hint = f'{key} = ["{value}"]' if isinstance(value, str) else ""
        found: list[Value[str]] = []
        for number, item in enumerate(self.items(path, value, "strings", hint)):
            place = (*path, number)
            if isinstance(item, str) and item.strip():
                found.append(Value(value=item, source=self.source(place), key=key))
            else:
                what = "empty" if isinstance(item, str) else type_of(item)
                self.problem(place, f"item {number + 1} of {key} is {what}; it has to be a string")
        return tuple(found)

    def text(self, path: Path, value: object) -> str:
        """Return `value` if it is a string; otherwise add a problem and return an empty one."""
        if isinstance(value, str) and value.strip():
            return value.strip()
        what = "empty" if isinstance(value, str) else type_of(value)
        self.problem(path, f"{dotted(path)} is {what}; it has to be a string")
        return ""

    def flag(self, path: Path, value: object) -> bool:
        """Return `value` if it is a boolean; otherwise add a problem and return False."""
        if not isinstance(value, bool):
            self.problem(path, f"{dotted(path)} is {type_of(value)}; it has to be true or false")
        return value is True

    def unknown(
        self, path: Path, key: str, value: object, known: Iterable[str], hint: str = ""
    ) -> None:
        """Add a problem for an unknown key, with a similar known key as the way out."""
        listed = sorted(known)
        is_section = isinstance(value, dict) and len(path) == 1
        shown = f"[{self.shown(*path)}]" if is_section else self.shown(*path)
        hint = hint or did_you_mean(key, listed) or f"known here: {', '.join(listed)}"
        message = f"there is no {'section' if is_section else 'setting'} {shown}"
        self.problem(path, message, hint, code="unknown-setting")

    def problem(
        self, path: Path, message: str, *ways_out: str, code: str = "bad-setting", line: int = 0
    ) -> None:
        """Add a problem at `path`."""
        origin = self.origin(path)
        if line:
            origin = self._at(line)
        of = f" of {origin.owner}" if origin.pack else ""
        self.problems.append(
            Problem(
                code=code,
                message=f"{origin.place}{of}: {message}",
                origins=(origin,),
                ways_out=tuple(way for way in ways_out if way),
            )
        )

    def shown(self, *path: str | int) -> str:
        """Return a path as it is written in this file."""
        return dotted((*self.root, *path))

    def line(self, path: Path) -> int:
        """Return the line of `path`, or of its nearest existing parent."""
        place: Path = (*self.root, *path)
        while place and place not in self.places:
            place = place[:-1]
        return self.places.get(place, 0)

    def lines(self, path: Path) -> dict[Path, int]:
        """Return the lines of all paths below `path`, by the path relative to it."""
        start = (*self.root, *path)
        return {
            place[len(start) :]: line
            for place, line in self.places.items()
            if place[: len(start)] == start
        }

    def origin(self, path: Path) -> Origin:
        """Return the origin of `path`: file, line and policy."""
        return self._at(self.line(path))

    def source(self, path: Path) -> str:
        """Return `file:line` of `path`, preceded by the policy, if any."""
        return self.origin(path).source

    def _at(self, line: int) -> Origin:
        return Origin(pack=self.owner.pack, version=self.owner.version, file=self.name, line=line)


def dotted(path: Path) -> str:
    """Return a path as a dotted key, such as `packs.disable`."""
    return ".".join(map(str, path))


def type_of(value: object) -> str:
    """Return a description of the type of `value`, with an article."""
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
