"""Reads the project file: known sections and types, every mistake at once, with file and line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

from handrail.errors import Problem
from handrail.frozen import replace
from handrail.settings.keys import below
from handrail.settings.lines import locate
from handrail.settings.project import foreign_project
from handrail.settings.sections.actions import check_chains, read_changes
from handrail.settings.sections.grants import read_grants
from handrail.settings.sections.journal import read_journal
from handrail.settings.sections.local import read_local
from handrail.settings.sections.packs import Packs, read_packs
from handrail.settings.sections.required import read_required
from handrail.settings.table import TableReader
from handrail.settings.trust import Distrust, read_file
from handrail.settings.values import Choice, Settings, Value

_SYNTAX = re.compile(r"(.*) \(at line (\d+), column \d+\)", re.DOTALL)


def with_file(settings: Settings, file: Path, problems: list[Problem]) -> Settings:
    """Return `settings` with what the project file says; what cannot be used is a problem more."""
    reader = TableReader(name=file.name, root=settings.project.table, problems=problems)
    read = contents(reader, file)
    if read is None:
        return settings
    raw, distrusted = read
    if distrusted is not None:  # It was exchanged since it was found.
        problems.append(foreign_project(distrusted))
        return settings
    table = parsed(reader, raw)
    return settings if table is None else _with_sections(settings, reader, table)


def contents(reader: TableReader, file: Path) -> tuple[bytes, Distrust | None] | None:
    """Return what a file of settings holds and why not to use it; None where it cannot be read."""
    try:
        return read_file(file)
    except OSError as error:
        reader.problem((), f"cannot be read: {error.strerror or error}")
        return None


def parsed(reader: TableReader, raw: bytes) -> object:
    """Return the table of `raw` that holds the settings, and note its lines; None without one."""
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
        match key:
            case "packs":
                packs = read_packs(reader, value)
                found |= {"packs": packs.tables, "lines": packs.lines}
            case "grants":
                found["grants"] = read_grants(reader, value)
            case "actions":
                found["actions"] = read_changes(reader, "actions", value)
            case "workflows":
                found["workflows"] = workflows = read_changes(reader, "workflows", value)
                reader.problems += check_chains(workflows)
            case "local":
                found["local"] = read_local(reader, value)
            case "required":
                found["required"] = read_required(reader, value)
            case "journal":
                found["journal"] = read_journal(reader, value)
            case "locked":
                found["locked"] = read_locked(reader, value)
            case _:
                reader.unknown((key,), key, value, below())
    own = Choice(disable=packs.disable, only=packs.only)
    return replace(settings, choices=(*settings.choices, own), **found)


def read_locked(reader: TableReader, value: object) -> Value[bool]:
    """Read the key `locked`."""
    return Value(value=reader.flag(("locked",), value), source=reader.source(("locked",)))
