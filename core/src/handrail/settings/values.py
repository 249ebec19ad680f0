"""Settings as values that know where they came from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, TypeVar, cast

from handrail.settings.project import Project

T = TypeVar("T")

_SECRET = re.compile(r"password|passwd|secret|token|credential|api[-_]?key", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Value(Generic[T]):
    """A setting and its source.

    Attributes:
        value: What it is set to.
        source: A flag (`--no-pack`), a variable (`HANDRAIL_NO_PACKS`), a place in a file
            (`handrail.toml:9`), or `default`.
        key: Dotted key in the file, such as `packs.disable`; empty for flags and variables.
    """

    value: T
    source: str
    key: str = ""

    @property
    def why(self) -> str:
        """The source with the key, as `handrail.toml:9  packs.disable`."""
        return f"{self.source}  {self.key}" if self.key else self.source


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """What the command line says.

    Attributes:
        no_packs: Packs to leave out, from `--no-pack`.
        only_packs: The only packs to use, from `--only-packs`; None for no such limit.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one source says about which packs are on.

    Attributes:
        disable: Names of packs that are off.
        only: Names of the only packs that are on, or None when it does not say.
    """

    disable: tuple[Value[str], ...] = ()
    only: Value[tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every setting, with its source.

    Attributes:
        project: The folder and file that the project's settings are from.
        choices: Which packs are on, the strongest source first: flags, variables, project.
        packs: The settings of each pack, by the name in the file, normalised; the values may be
            nested mappings and lists of plain TOML values.
        lines: Line in the project file of each key of `packs`, by the path to it.
        grants: What each pack may do to the steps of others, such as `remove acme-scan:scan`.
    """

    project: Project
    choices: tuple[Choice, ...] = ()
    packs: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: MappingProxyType({}))
    lines: Mapping[tuple[str | int, ...], int] = field(default_factory=lambda: MappingProxyType({}))
    grants: Mapping[str, tuple[Value[str], ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    def source_of(self, *path: str | int) -> str:
        """Return `file:line` of a pack's setting; of what holds it when it is not there."""
        while path and path not in self.lines:
            path = path[:-1]
        if not path or self.project.file is None:
            return self.project.file.name if self.project.file is not None else "default"
        return f"{self.project.file.name}:{self.lines[path]}"

    def rows(self) -> list[tuple[str, object, str]]:
        """Return `(key, value, source)` for everything, the keys as in the project file.

        Values of keys that look like secrets are left out.
        """
        rows = [*self._disabled(), *self._only()]
        for pack, table in sorted(self.packs.items()):
            rows += self._flat((pack,), table)
        for pack, grants in sorted(self.grants.items()):
            rows += [(f"grants.{pack}", grant.value, grant.source) for grant in grants]
        return rows

    def _disabled(self) -> Iterator[tuple[str, object, str]]:
        by_source: dict[str, list[str]] = {}
        for choice in self.choices:
            for name in choice.disable:
                by_source.setdefault(name.source, []).append(name.value)
        for source, names in (by_source or {"default": []}).items():
            yield "packs.disable", names, source

    def _only(self) -> Iterator[tuple[str, object, str]]:
        for choice in self.choices:
            if choice.only is not None:
                yield "packs.only", list(choice.only.value), choice.only.source
                return
        yield "packs.only", None, "default"

    def _flat(
        self, path: tuple[str, ...], table: Mapping[str, Any]
    ) -> Iterator[tuple[str, object, str]]:
        for key, value in table.items():
            here = (*path, key)
            if isinstance(value, dict) and value:
                yield from self._flat(here, cast("dict[str, Any]", value))
            else:
                yield f"packs.{'.'.join(here)}", _shown(key, value), self.source_of(*here)


def _shown(key: str, value: Any) -> Any:
    """Return `value` without what looks like a secret."""
    if _SECRET.search(key):
        return "(hidden)"
    if isinstance(value, list):
        return [_shown("", item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, dict):
        table = cast("Mapping[str, Any]", value)
        return {name: _shown(name, item) for name, item in table.items()}
    return value
