"""Reads and validates the project file, reporting all problems at once, with file and line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from handrail.builtin.project.choices import Choice
from handrail.builtin.project.keys import below
from handrail.builtin.project.lines import locate
from handrail.builtin.project.project import foreign_project
from handrail.builtin.project.sections import (
    Packs,
    read_changes,
    read_flag,
    read_grants,
    read_local,
    read_packs,
    read_project,
    read_required,
    read_text,
    read_workflows,
)
from handrail.builtin.project.settings import Settings
from handrail.builtin.project.table import TableReader
from handrail.builtin.project.toml import TomlError, parse_toml
from handrail.errors import Problem
from handrail.frozen import replace
from handrail.trust import Distrust, read_file


def with_file(settings: Settings, file: Path, problems: list[Problem]) -> Settings:
    """Return `settings` with the values of the project file; problems are added to the list."""
    reader = TableReader(name=file.name, root=settings.project.table, problems=problems)
    read = contents(reader, file)
    if read is None:
        return settings
    raw, distrusted = read
    if distrusted is not None:  # The file was replaced after it was found.
        problems.append(foreign_project(distrusted))
        return settings
    table = parsed(reader, raw)
    return settings if table is None else _with_sections(settings, reader, table)


def contents(reader: TableReader, file: Path) -> tuple[bytes, Distrust | None] | None:
    """Return the contents of a settings file and why not to trust it; None if it is unreadable."""
    try:
        return read_file(file)
    except OSError as error:
        reader.problem((), f"cannot be read: {error.strerror or error}")
        return None


def parsed(reader: TableReader, raw: bytes) -> object:
    """Return the settings table in `raw`, recording line numbers in `reader`; None if missing."""
    try:
        table: object = parse_toml(raw)
    except TomlError as error:
        reader.problem((), str(error), code="settings-syntax", line=error.line)
        return None
    reader.places = locate(raw.decode())
    for key in reader.root:
        table = cast("dict[str, object]", table)[key]
    return table


def _with_sections(settings: Settings, reader: TableReader, table: object) -> Settings:
    found: dict[str, Any] = {}
    packs = Packs()
    for key, value in reader.table((), table).items():
        if key == "packs":
            packs = read_packs(reader, value)
            found |= {"packs": packs.tables, "lines": packs.lines}
        elif key in _READERS:
            attribute, read = _READERS[key]
            found[attribute] = read(reader, value)
        else:
            reader.unknown((key,), key, value, below())
    own = Choice(disable=packs.disable, only=packs.only)
    return replace(settings, choices=(*settings.choices, own), **found)


# For each section, the attribute of Settings and the function that reads it.
_READERS: Mapping[str, tuple[str, Callable[[TableReader, object], object]]] = {
    "grants": ("grants", read_grants),
    "actions": ("actions", lambda reader, value: read_changes(reader, "actions", value)),
    "workflows": ("workflows", read_workflows),
    "local": ("local", read_local),
    "required": ("required", read_required),
    "journal": ("journal", lambda reader, value: read_text(reader, "journal", value)),
    "executor": ("executor", lambda reader, value: read_text(reader, "executor", value)),
    "project": ("name", read_project),
    "locked": ("locked", lambda reader, value: read_flag(reader, "locked", value)),
    "strict_results": (
        "strict_results",
        lambda reader, value: read_flag(reader, "strict_results", value),
    ),
}
