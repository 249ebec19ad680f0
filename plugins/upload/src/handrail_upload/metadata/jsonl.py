"""Reads JSON lines: one object on each line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from handrail_upload.metadata.sheet import Sheet
from handrail_upload.metadata.text import TextLines

_WAY_OUT = 'write one object on each line, such as {"file": "a.jpg", "label": "cat"}'


class _RepeatedKeyError(ValueError):
    pass


def records(sheet: Sheet, file: BinaryIO) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield line and object of each line that is not blank."""
    lines = TextLines(sheet=sheet, file=file, newline="\n")
    lines.start()
    is_empty = True
    for text in lines:
        if text.strip():
            is_empty = False
            yield lines.line, _object(sheet, text, lines.line)
        lines.start()
    if is_empty:
        raise sheet.error("has blank lines only", _WAY_OUT)


def _object(sheet: Sheet, text: str, line: int) -> dict[str, object]:
    try:
        value: Any = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        place = f"character {error.pos + 1}"
        raise sheet.error(f"is not JSON: {error.msg} ({place})", _WAY_OUT, line=line) from error
    except _RepeatedKeyError as error:
        raise sheet.error(str(error), "give each value a name of its own", line=line) from error
    except RecursionError as error:
        raise sheet.error("is nested too deeply", "flatten it", line=line) from error
    except ValueError as error:  # Integers of thousands of digits.
        raise sheet.error(f"cannot be read: {error}", "write it as text", line=line) from error
    if not isinstance(value, dict):
        raise sheet.error(f"is {_kind(value)}, not an object", _WAY_OUT, line=line)
    return value  # pyright: ignore[reportUnknownVariableType] - keys of JSON are strings


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RepeatedKeyError(f"has {twice!r} twice in one object")
    return found


def _kind(value: object) -> str:
    kinds: dict[type, str] = {list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")
