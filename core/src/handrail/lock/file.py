"""Reads and writes `handrail.lock`: TOML with one line per step, for readable diffs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from handrail.errors import LockError
from handrail.lock.model import LockedAction, LockedPack, LockedStep
from handrail.origin import Origin
from handrail.settings.atomic import replace_file
from handrail.settings.toml import TomlError, parse_toml
from handrail.settings.trust import read_file
from handrail.suggest import did_you_mean

LOCK_FILE = "handrail.lock"
SCHEMA = 1

_HEAD = """\
# Written by `handrail lock`: commit it, and do not edit it. Where it lies, an action runs only with
# the steps, layers and packs that are here. `handrail lock --check` tells what has changed.
"""


def read_lock(folder: Path) -> tuple[LockedAction, ...] | None:
    """Return the locked actions of the project in `folder`, or None if there is no lock.

    Raises:
        LockError: The file cannot be read or trusted, is damaged, or was written by a newer
            Handrail.
    """
    try:
        raw, distrusted = read_file(folder / LOCK_FILE)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _damaged(f"cannot be read: {error.strerror or error}") from error
    if distrusted is not None:
        raise LockError(distrusted.message, ways_out=distrusted.ways_out)
    return parse_lock(raw)


def parse_lock(raw: bytes) -> tuple[LockedAction, ...]:
    """Return the actions in `raw`, the contents of a lock.

    Raises:
        LockError: The lock is damaged, or was written by a newer Handrail.
    """
    try:
        document = parse_toml(raw)
    except TomlError as error:
        raise _damaged(str(error), error.line) from error
    return tuple(_actions(document))


def write_lock(folder: Path, actions: Sequence[LockedAction]) -> None:
    """Write the lock of the project in `folder` atomically.

    Raises:
        LockError: The file cannot be written.
    """
    try:
        replace_file(folder / LOCK_FILE, lock_text(actions).encode())
    except OSError as error:
        raise LockError(
            f"{LOCK_FILE} cannot be written: {error.strerror or error}",
            origin=Origin(file=str(folder / LOCK_FILE)),
        ) from error


def lock_text(actions: Sequence[LockedAction], *, head: str = _HEAD) -> str:
    """Return the contents of a lock: the comment `head`, then `actions` sorted by name."""
    lines = [head, f"schema = {SCHEMA}\n"]
    for action in sorted(actions, key=lambda each: (each.name, each.pack or "")):
        lines.append(f"\n[[actions]]\nname = {_text(action.name)}\n")
        if action.pack is not None:
            lines.append(f"pack = {_text(action.pack)}\n")
        if action.params:
            lines.append(f"params = [{', '.join(map(_text, action.params))}]\n")
        lines.append(_rows("packs", [_pack_row(pack) for pack in action.packs]))
        lines.append(_rows("steps", [_step_row(step) for step in action.steps]))
    return "".join(lines)


def _rows(key: str, rows: list[str]) -> str:
    return f"{key} = [\n{''.join(f'  {row},' + chr(10) for row in rows)}]\n"


def _pack_row(pack: LockedPack) -> str:
    return (
        f"{{ id = {_text(pack.id)}, version = {_text(pack.version)}, "
        f"record = {_text(pack.record)} }}"
    )


def _step_row(step: LockedStep) -> str:
    parts = [f"name = {_text(step.name)}"]
    if step.pack is not None:
        parts.append(f"pack = {_text(step.pack)}")
    if step.layers:
        parts.append(f"layers = [{', '.join(map(_text, step.layers))}]")
    if step.group is not None:
        parts.append(f"group = {_text(step.group)}, lane = {step.lane}")
    return f"{{ {', '.join(parts)} }}"


def _text(value: str) -> str:
    """Return a TOML string: JSON with two more characters escaped."""
    whole = value.encode("utf-8", "backslashreplace").decode()
    return json.dumps(whole, ensure_ascii=False).replace("\x7f", "\\u007f")


def _actions(document: Mapping[str, Any]) -> Iterator[LockedAction]:
    schema = document.get("schema")
    if not isinstance(schema, int) or isinstance(schema, bool):
        raise _damaged("has no schema")
    if schema > SCHEMA:
        raise LockError(
            f"{LOCK_FILE} was written by a newer Handrail (schema {schema}, this one knows "
            f"{SCHEMA})",
            origin=Origin(file=LOCK_FILE),
            ways_out=("upgrade this one:  pip install --upgrade handrail",),
        )
    _known(document, ("schema", "actions"), LOCK_FILE)
    seen: set[tuple[str, str | None]] = set()
    for number, table in enumerate(_tables(document, "actions", LOCK_FILE), 1):
        action = _action(table, f"action {number}")
        if (action.name, action.pack) in seen:
            raise _damaged(f"has {action.name} twice")
        seen.add((action.name, action.pack))
        yield action


def _action(table: Mapping[str, Any], where: str) -> LockedAction:
    name = _string(table, "name", where)
    where = f"action {name}"
    _known(table, ("name", "pack", "params", "packs", "steps"), where)
    return LockedAction(
        name=name,
        pack=_string(table, "pack", where) if "pack" in table else None,
        params=_strings(table, "params", where),
        packs=tuple(
            LockedPack(**{key: _string(each, key, where) for key in ("id", "version", "record")})
            for each in _tables(table, "packs", where)
        ),
        steps=tuple(
            LockedStep(
                name=_string(each, "name", where),
                pack=_string(each, "pack", where) if "pack" in each else None,
                layers=_strings(each, "layers", where),
                group=_string(each, "group", where) if "group" in each else None,
                lane=_number(each, "lane", where) if "group" in each else None,
            )
            for each in _tables(table, "steps", where)
        ),
    )


def _known(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in keys:
            hint = did_you_mean(key, keys)
            raise _damaged(f"has an unknown key, {key} in {where}{f': {hint}' if hint else ''}")


def _string(table: Mapping[str, Any], key: str, where: str) -> str:
    value: object = table.get(key)
    if not isinstance(value, str):
        raise _damaged(f"has no {key} in {where}")
    return value


def _number(table: Mapping[str, Any], key: str, where: str) -> int:
    value: object = table.get(key)
    if type(value) is not int or value < 0:
        raise _damaged(f"has no {key} in {where}")
    return value


def _strings(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value: object = table.get(key, [])
    if isinstance(value, list):
        listed = cast("list[object]", value)
        found = tuple(each for each in listed if isinstance(each, str))
        if len(found) == len(listed):
            return found
    raise _damaged(f"has {key} in {where} that are not strings")


def _tables(table: Mapping[str, Any], key: str, where: str) -> list[Mapping[str, Any]]:
    value: object = table.get(key, [])
    if isinstance(value, list):
        listed = cast("list[object]", value)
        found = [cast("Mapping[str, Any]", each) for each in listed if isinstance(each, dict)]
        if len(found) == len(listed):
            return found
    raise _damaged(f"has {key} in {where} that are not tables")


def _damaged(what: str, line: int = 0) -> LockError:
    return LockError(
        f"{LOCK_FILE} {what}",
        origin=Origin(file=LOCK_FILE, line=line),
        ways_out=(
            f"get it back from version control:  git checkout {LOCK_FILE}",
            f"or write it again:  rm {LOCK_FILE}; handrail lock",
        ),
    )
