"""SettingsFile: a project file or a policy, of which every value has a line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, TypeGuard

from handrail import Origin
from handrail.builtin.project.keys import KEYS, TYPES, Key, Keys
from handrail.builtin.project.toml import Path, TomlError, locate, parse_toml
from handrail.errors import Problem
from handrail.frozen import record
from handrail.packs import Value, normalised
from handrail.suggest import did_you_mean


@record
class SettingsFile:
    """The settings in one file, and the problems found in them.

    Attributes:
        name: Name of the file.
        root: Path of the settings table in the file.
        keys: The keys that it may have.
        owner: The policy to which the file belongs; for the project, an empty origin.
        problems: The problems found so far.
        wrong: The first two keys of the path of each of them.
        lines: Line of every path below the root; packs have their normalised names.
        sections: What is in the file and has the right types.
    """

    name: str
    root: tuple[str, ...] = ()
    keys: Keys = field(default_factory=lambda: Keys(KEYS))
    owner: Origin = Origin()
    problems: list[Problem] = field(default_factory=list[Problem])
    wrong: set[Path] = field(default_factory=set[Path])
    lines: Mapping[Path, int] = field(default_factory=dict[Path, int])
    sections: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def read(self, raw: bytes) -> None:
        """Find lines and sections in the contents of the file; leave out what has a problem."""
        try:
            table: Any = parse_toml(raw)
        except TomlError as error:
            self.problem((), str(error), code="settings-syntax", line=error.line)
            return
        depth = len(self.root)
        found = locate(raw.decode())
        self.lines = {
            path[depth:]: line for path, line in found.items() if path[:depth] == self.root
        }
        for key in self.root:
            table = table[key]
        self._check((), table, ())
        sections = {} if () in self.wrong else self._correct((), table)
        if "packs" in sections:
            sections["packs"] = self._normalised(sections["packs"])
        self.sections = sections

    def _correct(self, path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values in a table that have no problem, down to the second level."""
        return {
            key: self._correct((key,), value) if is_table(value) and not path else value
            for key, value in table.items()
            if (*path, key) not in self.wrong
        }

    def _normalised(self, packs: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in packs.items():
            if normalised(key) in found:
                message = f"[packs.{key}] is there twice, in different spellings"
                self.problem(("packs", key), message)
            found[normalised(key)] = value
        self.lines = {
            (path[0], normalised(str(path[1])), *path[2:])
            if path[:1] == ("packs",) and path[1:]
            else path: line
            for path, line in self.lines.items()
        }
        return found

    def _check(self, path: Path, value: object, key: Key) -> None:
        """Add a problem for each value at or below a path that has not the type of its key."""
        kind = self.keys.types[key]
        types, of_items = TYPES.get(kind, ((object,), ()))
        if not _is_one_of(value, types):
            article = "a " if kind.startswith(("list", "table")) else ""
            self.problem(path, f"{self.shown(path)} has to be {article}{kind}")
        elif is_list(value) and of_items:
            for number, item in enumerate(value):
                self._check_item((*path, number), item, key, of_items)
        elif is_table(value):
            self._check_table(path, value, key)

    def _check_item(self, path: Path, item: object, key: Key, types: tuple[type, ...]) -> None:
        if not _is_one_of(item, types):
            wanted = " or ".join(_NAMES[each] for each in types)
            self.problem(path, f"{self.shown(path)} has to be {wanted}")
        elif is_list(item):
            for number, each in enumerate(item):
                self._check_item((*path, number), each, key, (str, dict))
        elif is_table(item):
            self._check_table(path, item, key)

    def _check_table(self, path: Path, table: Mapping[str, object], key: Key) -> None:
        known = self.keys.of(key, table)
        others = next((each for name, each in known.items() if name.isupper()), None)
        is_open = not known or key[-2:] == ("wrap", "STEP")  # Others are options, or for a pack.
        for name, value in table.items():
            below = known.get(name, others)
            if below is not None:
                self._check((*path, name), value, below)
            elif not is_open:
                self.unknown((*path, name), known)

    def unknown(self, path: Path, known: Mapping[str, Key]) -> None:
        """Add a problem for an unknown key, with a similar known key as the way out."""
        listed = sorted(known)
        hint = did_you_mean(str(path[-1]), listed) or f"known here: {', '.join(listed)}"
        self.problem(path, f"there is no setting {self.shown(path)}", hint, code="unknown-setting")

    def problem(
        self, path: Path, message: str, *ways_out: str, code: str = "bad-setting", line: int = 0
    ) -> None:
        """Add a problem at `path`."""
        origin = self.origin(path, line)
        of = f" of {origin.owner}" if origin.pack else ""
        self.wrong.add(path[:2])
        self.problems.append(
            Problem(
                code=code,
                message=f"{origin.place}{of}: {message}",
                origins=(origin,),
                ways_out=ways_out,
            )
        )

    def shown(self, path: Path) -> str:
        """Return a path as it is written in this file, such as `packs.disable`."""
        return ".".join(map(str, (*self.root, *path)))

    def origin(self, path: Path, line: int = 0) -> Origin:
        """Return the origin of a path, or of its nearest existing parent: file, line and policy."""
        while path and path not in self.lines:
            path = path[:-1]
        line = line or self.lines.get(path, 0)
        return Origin(pack=self.owner.pack, version=self.owner.version, file=self.name, line=line)

    def source(self, path: Path) -> str:
        """Return `file:line` of `path`, preceded by the policy, if any."""
        return self.origin(path).source

    def value(self, *path: str) -> Value[Any] | None:
        """Return the value at a path with its source, or None."""
        found: Any = self.sections
        for key in path:
            if key not in found:
                return None
            found = found[key]
        return Value(value=found, source=self.source(path), key=".".join(path))

    def names(self, *path: str) -> tuple[Value[str], ...]:
        """Return the texts of the list at a path, each with its source; none if it is missing."""
        found = self.value(*path)
        return tuple(
            Value(value=text, source=self.source((*path, number)), key=".".join(path))
            for number, text in enumerate(() if found is None else found.value)
        )


_NAMES: Mapping[type, str] = {str: "text", dict: "a table", list: "a list"}


def is_table(value: object) -> TypeGuard[dict[str, Any]]:
    """Return whether a value is a table."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Return whether a value is a list."""
    return isinstance(value, list)


def _is_one_of(value: object, types: tuple[type, ...]) -> bool:
    return isinstance(value, types) and not (isinstance(value, str) and not value.strip())
