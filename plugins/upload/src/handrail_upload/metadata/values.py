"""Converts values of the formats to JSON values that databases can store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import cast

from handrail_upload.metadata.rows import JSONValue

_MOST_LEVELS = 64
_MICROSECOND = timedelta(microseconds=1)


class UnfitValueError(ValueError):
    """A value that JSON cannot hold, or a database cannot store; with the way out."""

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.way_out = way_out


def json_value(value: object, level: int = 0) -> JSONValue:
    """Return `value` as a JSON type.

    Dates, times and datetimes become ISO 8601 text, and durations too (`PT1.5S`). NaN becomes None.

    Args:
        value: From any of the formats.
        level: The depth of nesting.

    Raises:
        UnfitValueError: Infinity, text that cannot be stored, deep nesting, other types.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return text(value)
    if level > _MOST_LEVELS:
        raise UnfitValueError(f"is nested more than {_MOST_LEVELS} levels deep", "flatten it")
    if isinstance(value, Mapping):
        given = cast("Mapping[str, object]", value)
        return {text(key): json_value(item, level + 1) for key, item in given.items()}
    if isinstance(value, list):
        return [json_value(item, level + 1) for item in cast("Sequence[object]", value)]
    if isinstance(value, float):
        if math.isinf(value):
            raise UnfitValueError(
                "is infinite, and JSON has no number for that",
                "leave the cell empty, or write a finite number or text",
            )
        return None if math.isnan(value) else value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        # Not as a float, whose text is cut after six digits.
        seconds = f"{Decimal(abs(value) // _MICROSECOND).scaleb(-6):f}".rstrip("0").rstrip(".")
        return f"{'-' if value < timedelta(0) else ''}PT{seconds}S"
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
