"""Reads and validates the project file, reporting all problems at once, with file and line."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import Problem
from handrail.frozen import replace
from handrail.settings.keys import below
from handrail.settings.lines import locate
from handrail.settings.project import foreign_project
from handrail.settings.sections.actions import check_chains, read_changes
from handrail.settings.sections.grants import read_grants
from handrail.settings.sections.local import read_local
from handrail.settings.sections.packs import Packs, read_packs
from handrail.settings.sections.required import read_required
from handrail.settings.table import TableReader
from handrail.settings.trust import Distrust, read_file
from handrail.settings.values import Choice, Settings, Value

if TYPE_CHECKING:
    from handrail.settings.changes import Changes

_SYNTAX = re.compile(r"(.*) \(at line (\d+), column \d+\)", re.DOTALL)


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
    import tomllib  # noqa: PLC0415 - only where there is a file

    try:
        text = raw.decode()
        table: object = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        reader.problem((), "is not UTF-8", code="settings-syntax", line=line)
    except tomllib.TOMLDecodeError as error:
        match = _SYNTAX.fullmatch(str(error))
        message, line = (match[1], int(match[2])) if match else (str(error), 0)
        if not match:
            message, line = message.replace(" (at end of document)", ", at its end"), _last(raw)
        reader.problem((), f"this is not TOML: {message}", code="settings-syntax", line=line)
    else:
        reader.places = locate(text)
        for key in reader.root:
            table = cast("dict[str, object]", table)[key]
        return table
    return None


def _last(raw: bytes) -> int:
    return max(1, raw.rstrip().count(b"\n") + 1)


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


def read_text(reader: TableReader, section: str, value: object) -> Value[str] | None:
    """Return the value of the only key in a section, or None if there is no valid one."""
    found: Value[str] | None = None
    for path, key, each in reader.fields((section,), value, section):
        text = reader.text(path, each)
        if text:
            found = Value(value=text, source=reader.source(path), key=f"{section}.{key}")
    return found


def read_locked(reader: TableReader, value: object) -> Value[bool]:
    """Read the key `locked`."""
    return Value(value=reader.flag(("locked",), value), source=reader.source(("locked",)))


def _read_project(reader: TableReader, value: object) -> Value[str] | None:
    found = read_text(reader, "project", value)
    if found is None or os.sep not in found.value:
        return found
    # A path would look like a project without a name, which journals identify by its folder.
    reader.problem(("project", "name"), "is a name, not a path")
    return None


def _read_workflows(reader: TableReader, value: object) -> Mapping[str, Changes]:
    workflows = read_changes(reader, "workflows", value)
    reader.problems += check_chains(workflows)
    return workflows


# For each section, the attribute of Settings and the function that reads it.
_READERS: Mapping[str, tuple[str, Callable[[TableReader, object], object]]] = {
    "grants": ("grants", read_grants),
    "actions": ("actions", lambda reader, value: read_changes(reader, "actions", value)),
    "workflows": ("workflows", _read_workflows),
    "local": ("local", read_local),
    "required": ("required", read_required),
    "journal": ("journal", lambda reader, value: read_text(reader, "journal", value)),
    "project": ("name", _read_project),
    "locked": ("locked", read_locked),
}
