"""The contents of `handrail.lock`, read and written: one line per step, for readable diffs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from handrail import Origin
from handrail.atomic import replace_file
from handrail.builtin.project.project import LOCK_FILE
from handrail.builtin.project.toml import TomlError, parse_toml
from handrail.errors import LockError, describe
from handrail.frozen import as_json, from_json, frozen, names_of
from handrail.trust import read_file

if TYPE_CHECKING:
    pass

SCHEMA = 1

_HEAD = """\
# Written by `handrail lock`: commit it, and do not edit it. Where it lies, an action runs only with
# the steps, layers and packs that are here. `handrail lock --check` tells what has changed.
"""

Key = tuple[str, str | None]  # The name of an action, and its pack.


@frozen
class LockName:
    """The name of an action in a lock.

    Attributes:
        name: Such as `upload`, or `flows.py:nightly` with a path relative to the project's folder.
        pack: The pack that provides it; None for the project's own code.
        called: The name that the user gave, if different.
    """

    name: str
    pack: str | None
    called: str = ""

    @property
    def key(self) -> Key:
        """The key of the action in a lock."""
        return self.name, self.pack

    @property
    def shown(self) -> str:
        """The name for display."""
        return self.called or self.name


@frozen
class LockedStep:
    """A step of a locked plan.

    Attributes:
        name: Its name.
        pack: The pack that provides it; None for the project's own code.
        layers: The layers around it, outermost first, as `pack:layer` or `layer`.
        group: The group in which it stands, or None.
        lane: The number of its lane in that group, from 0, or None.
    """

    name: str
    pack: str | None = None
    layers: tuple[str, ...] = ()
    group: str | None = None
    lane: int | None = None


@frozen
class LockedPack:
    """A pack that contributed to a locked plan, or was consulted for it.

    Attributes:
        id: Normalised distribution name.
        version: Its version.
        record: `sha256:` and a digest of its RECORD, `editable`, or `missing` without a RECORD.
    """

    id: str
    version: str
    record: str = "missing"

    @property
    def is_pinned(self) -> bool:
        """Whether the lock detects changed files under the same version."""
        return self.record.startswith("sha256:")

    def __str__(self) -> str:
        return f"{self.id} {self.version}" if self.version else self.id


@frozen
class LockedAction:
    """The plan of one action in a lock.

    Attributes:
        name: The action's name: `upload`, or `flows.py:nightly` in the project.
        pack: The pack that provides it; None for the project's own code.
        params: The params that were given when the plan was locked, as `key=value`.
        packs: The packs involved in the plan, sorted by id.
        steps: The steps in order.
    """

    name: str
    pack: str | None = None
    params: tuple[str, ...] = ()
    packs: tuple[LockedPack, ...] = ()
    steps: tuple[LockedStep, ...] = ()

    @property
    def key(self) -> Key:
        """The key of the action in a lock."""
        return self.name, self.pack


@frozen
class _Lock:
    schema: int
    actions: tuple[LockedAction, ...] = ()


def find(actions: Sequence[LockedAction], key: Key) -> LockedAction | None:
    """Return the action with `key`, or None."""
    return next((each for each in actions if each.key == key), None)


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
        schema = document.get("schema")
        if isinstance(schema, int) and schema > SCHEMA:
            raise LockError(
                f"{LOCK_FILE} was written by a newer Handrail (schema {schema}, this one knows "
                f"{SCHEMA})",
                origin=Origin(file=LOCK_FILE),
                ways_out=("upgrade this one:  pip install --upgrade handrail",),
            )
        actions = from_json(_Lock, document).actions
    except TomlError as error:
        raise _damaged(str(error), error.line) from error
    except (TypeError, ValueError) as error:
        raise _damaged(f"cannot be read: {describe(error)}") from error
    # A misspelt list of packs would else be an empty one, which holds none of them.
    unknown = {*document} - {*names_of(_Lock)}
    for table in document.get("actions", ()):
        unknown |= {*table} - {*names_of(LockedAction)}
    if unknown:
        raise _damaged(f"has unknown keys: {', '.join(sorted(unknown))}")
    keys = [action.key for action in actions]
    for action in actions:
        if keys.count(action.key) > 1:
            raise _damaged(f"has {action.name} twice")
    return actions


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


def _damaged(what: str, line: int = 0) -> LockError:
    return LockError(
        f"{LOCK_FILE} {what}",
        origin=Origin(file=LOCK_FILE, line=line),
        ways_out=(
            f"get it back from version control:  git checkout {LOCK_FILE}",
            f"or write it again:  rm {LOCK_FILE}; handrail lock",
        ),
    )
