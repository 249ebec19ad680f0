"""Reads and writes `handrail.lock`: TOML with one line per step, for readable diffs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from handrail.atomic import replace_file
from handrail.builtin.project.lock.model import Key, LockedAction, LockedPack, LockedStep
from handrail.builtin.project.toml import TomlError, parse_toml
from handrail.errors import LockError, describe
from handrail.frozen import as_json, from_json, names_of
from handrail.origin import Origin
from handrail.suggest import did_you_mean
from handrail.trust import read_file

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
            lines.append(f"params = {_toml(list(action.params))}\n")
        lines += [_rows("packs", action.packs), _rows("steps", action.steps)]
    return "".join(lines)


def _rows(key: str, rows: Sequence[LockedPack | LockedStep]) -> str:
    return f"{key} = [\n{''.join(f'  {_row(row)},' + chr(10) for row in rows)}]\n"


def _row(value: LockedPack | LockedStep) -> str:
    """Return the fields of a value that are set, on one line."""
    given = {name: each for name, each in as_json(value).items() if each not in (None, [])}
    return f"{{ {', '.join(f'{name} = {_toml(each)}' for name, each in given.items())} }}"


def _toml(value: str | int | list[str]) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return _text(value) if isinstance(value, str) else str(value)


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
    tables: object = document.get("actions", [])
    if not isinstance(tables, list):
        raise _damaged("has actions that are no tables")
    seen: set[Key] = set()
    for number, table in enumerate(cast("list[object]", tables), 1):
        action = _action(table, f"action {number}")
        if action.key in seen:
            raise _damaged(f"has {action.name} twice")
        seen.add(action.key)
        yield action


def _action(table: object, where: str) -> LockedAction:
    if isinstance(table, dict):
        _known(cast("dict[str, Any]", table), names_of(LockedAction), where)
    try:
        action = from_json(LockedAction, table)
    except (TypeError, ValueError) as error:
        raise _damaged(f"has an {where} that cannot be read: {describe(error)}") from error
    lanes = [(step.group, step.lane) for step in action.steps]
    if any((group is None) != (lane is None) or (lane or 0) < 0 for group, lane in lanes):
        raise _damaged(f"has a group without a lane in action {action.name}")
    return action


def _known(table: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in keys:
            hint = did_you_mean(key, keys)
            raise _damaged(f"has an unknown key, {key} in {where}{f': {hint}' if hint else ''}")


def _damaged(what: str, line: int = 0) -> LockError:
    return LockError(
        f"{LOCK_FILE} {what}",
        origin=Origin(file=LOCK_FILE, line=line),
        ways_out=(
            f"get it back from version control:  git checkout {LOCK_FILE}",
            f"or write it again:  rm {LOCK_FILE}; handrail lock",
        ),
    )
