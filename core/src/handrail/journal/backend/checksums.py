"""Checksums of rows: CRC-32 of a row's place and text.

They cover what is written once, not what SQL changes in place, such as states, leases and times.
They find damage; they are no protection against forgery.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

# Columns of a run that are written once; the plan has a checksum of its own, because it is long and
# not always read.
_OF_RUN = ("action", "params", "packs", "cwd", "core_version", "opened", "project")


def of_run(values: Mapping[str, Any]) -> int:
    """Return the checksum of a run's own row, without its plan."""
    return crc32("\0".join([f"run\0{values['uid']}", *(f"{values[x]}" for x in _OF_RUN)]).encode())


def of_plan(uid: str, plan: str) -> int:
    """Return the checksum of the plan of the run `uid`."""
    return crc32(f"plan\0{uid}\0{plan}".encode())


def of_attempt(uid: str, step: str, n: int, result: str | None) -> int:
    """Return the checksum of an attempt in the run `uid`."""
    return crc32(f"attempt\0{uid}\0{step}\0{n}\0{result or ''}".encode())


def of_note(uid: str, step: str, n: int, seq: int, key: str, values: str) -> int:
    """Return the checksum of a note in the run `uid`."""
    return crc32(f"note\0{uid}\0{step}\0{n}\0{seq}\0{key}\0{values}".encode())


def of_chunk(
    uid: str,
    step: str,
    n: int,
    number: int,
    part: int,
    first: int,
    count: int,
    digest: int,
    head: str | None,
    items: str | None,
) -> int:
    """Return the checksum of what is written once of a chunk in the run `uid`."""
    place = f"chunk\0{uid}\0{step}\0{n}\0{number}\0{part}\0{first}\0{count}\0{digest}"
    return crc32(f"{place}\0{head or ''}\0{items or ''}".encode())


def of_outcome(
    uid: str, step: str, n: int, number: int, failed: int, results: str | None, errors: str | None
) -> int:
    """Return the checksum of what the items of a chunk in the run `uid` returned."""
    place = f"outcome\0{uid}\0{step}\0{n}\0{number}\0{failed}"
    return crc32(f"{place}\0{results or ''}\0{errors or ''}".encode())


def of_item_note(
    uid: str, step: str, n: int, number: int, attempt: int, item: int, key: str, values: str
) -> int:
    """Return the checksum of a note of an item in the run `uid`."""
    place = f"item_note\0{uid}\0{step}\0{n}\0{number}\0{attempt}\0{item}"
    return crc32(f"{place}\0{key}\0{values}".encode())


def of_field(uid: str, boundary: int, name: str, value: str, step: str | None = None) -> int:
    """Return the checksum of the value of a context field in the run `uid`."""
    of_step = "" if step is None else f"\0{step}"
    return crc32(f"field\0{uid}\0{boundary}\0{name}\0{value}{of_step}".encode())


def of_observation(uid: str, step: str, n: int, kind: str, name: str, part: int, value: str) -> int:
    """Return the checksum of what a step in the run `uid` said."""
    place = f"observation\0{uid}\0{step}\0{n}\0{kind}\0{name}\0{part}"
    return crc32(f"{place}\0{value}".encode())
