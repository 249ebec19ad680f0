"""Converts values of the formats to JSON values that databases can store."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from handrail_upload.metadata.rows import JSONValue

_MOST_LEVELS = 64


class UnfitValueError(ValueError):
    """A value that JSON cannot hold, or a database cannot store.

    Attributes:
        message: The problem.
        way_out: The way out.
    """

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.message = message
        self.way_out = way_out


def json_value(value: object, level: int = 0) -> JSONValue:
    """Return `value` as a JSON type.

    Dates, times and datetimes become ISO 8601 text, and durations too (`PT1.5S`). Decimals become
    text, because a number would lose digits as soon as it is read as a float. NaN becomes None, as
    data frames use it for missing values.

    Args:
        value: From any of the formats.
        level: The depth of nesting.

    Raises:
        UnfitValueError: Bytes, infinity, text that cannot be stored, deep nesting, other types.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return text(value)
    if level > _MOST_LEVELS:
        raise UnfitValueError(f"is nested more than {_MOST_LEVELS} levels deep", "flatten it")
    if isinstance(value, Mapping):
        return _object(cast("Mapping[object, object]", value), level + 1)
    if isinstance(value, list | tuple):
        return _list(cast("Sequence[object]", value), level + 1)
    for types, convert in _CONVERSIONS:
        if isinstance(value, types):
            return convert(value)
    raise UnfitValueError(
        f"holds a value of the type {type(value).__name__}, which JSON does not have",
        "write it as text or as a number",
    )


def text(value: str) -> str:
    """Return `value`.

    Raises:
        UnfitValueError: The text cannot be stored everywhere.
    """
    if "\0" in value:
        raise UnfitValueError(
            "has text with a NUL character in it, which databases refuse",
            "save the file as UTF-8 (UTF-16 looks like this), or remove the character",
        )
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            found = ord(value[error.start])
            raise UnfitValueError(
                f"has text with half a character in it, \\u{found:04x}",
                "escapes of surrogates come in pairs, such as \\ud83d\\ude00",
            ) from error
    return value


def length(value: JSONValue) -> int:
    """Return the number of characters of `value`; a value without text counts as one."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(length(item) for item in value)
    if isinstance(value, dict):
        return sum(len(key) + length(item) for key, item in value.items())
    return 1


def _object(value: Mapping[object, object], level: int) -> JSONValue:
    return {text(str(key)): json_value(item, level) for key, item in value.items()}


def _list(value: Sequence[object], level: int) -> JSONValue:
    # pyarrow gives a map as a list of pairs, and nothing else as tuples.
    if value and all(isinstance(item, tuple) for item in value):
        pairs = cast("Sequence[tuple[object, object]]", value)
        names = {key for key, _ in pairs if isinstance(key, str | int)}
        if len(names) == len(pairs):
            return _object(dict(pairs), level)
    return [json_value(item, level) for item in value]


def _number(value: float) -> float | None:
    if math.isinf(value):
        raise UnfitValueError(
            "is infinite, and JSON has no number for that",
            "leave the cell empty, or write a finite number or text",
        )
    return None if math.isnan(value) else float(value)


def _duration(value: timedelta) -> str:
    seconds, rest = divmod(abs(value), timedelta(seconds=1))
    fraction = f".{rest.microseconds:06}".rstrip("0") if rest else ""
    return f"{'-' if value < timedelta(0) else ''}PT{seconds}{fraction}S"


def _bytes(_: object) -> JSONValue:
    raise UnfitValueError(
        "holds bytes, which JSON does not have",
        "leave the column out, or write the bytes as text (hexadecimal, Base64)",
    )


_CONVERSIONS: tuple[tuple[type | tuple[type, ...], Callable[[Any], JSONValue]], ...] = (
    (float, _number),
    ((datetime, date, time), lambda value: value.isoformat()),
    (timedelta, _duration),
    ((Decimal, UUID), str),
    ((bytes, bytearray, memoryview), _bytes),
)
