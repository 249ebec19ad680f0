"""Reads `[packs]`: the enabled and disabled packs, and the settings of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from handrail.settings.names import normalised
from handrail.settings.table import Path, TableReader, type_of
from handrail.settings.values import Value

SWITCHES = ("disable", "only")


@dataclass(slots=True, kw_only=True)
class Packs:
    """The contents of `[packs]`.

    Attributes:
        disable: Names in `packs.disable`.
        only: Names in `packs.only`, or None.
        tables: The table of each pack, by its normalised name.
        lines: Line of each key in those tables, by its path from the pack's name.
    """

    disable: tuple[Value[str], ...] = ()
    only: Value[tuple[str, ...]] | None = None
    tables: dict[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    lines: dict[Path, int] = field(default_factory=dict[Path, int])


def read_packs(reader: TableReader, value: object, *, switches: bool = True) -> Packs:
    """Return the contents of the section; if not `switches`, only settings of packs are allowed."""
    found = Packs()
    for key, each in reader.table(("packs",), value).items():
        path = ("packs", key)
        if key in SWITCHES and not switches:
            hint = "the project decides which packs are on; a policy says which are required"
            reader.unknown(path, key, each, (), hint)
        elif key == "disable":
            found.disable = reader.names(path, each)
        elif key == "only":
            names = tuple(name.value for name in reader.names(path, each))
            found.only = Value(value=names, source=reader.source(path), key=".".join(path))
        elif isinstance(each, dict):
            _read_table(reader, path, cast("dict[str, Any]", each), found)
        else:
            allowed = "`disable`, `only`, or the table of a pack" if switches else "a table"
            message = f"packs.{key} is {type_of(each)}; it has to be {allowed}"
            hint = _near(key) if switches else ""
            reader.problem(path, message, hint, code="unknown-setting")
    return found


def _near(key: str) -> str:
    from handrail.suggest import did_you_mean  # noqa: PLC0415 - only for a mistake

    return did_you_mean(key, SWITCHES) or f"known here: {', '.join(SWITCHES)}"


def _read_table(reader: TableReader, path: Path, table: dict[str, Any], found: Packs) -> None:
    name = normalised(str(path[-1]))
    if name in found.tables:
        reader.problem(path, f"[packs.{path[-1]}] is there twice, in different spellings")
    found.tables[name] = table
    for place, line in reader.lines(path).items():
        found.lines[(name, *place)] = line
