"""Parses TOML; every file of ours that is TOML is parsed here."""

from __future__ import annotations

from typing import Any, cast

MOST_NESTED = 100
"""Levels of tables and lists in a file; more are refused, because Python recurses over them."""


class TomlError(ValueError):
    """A text is not TOML, not UTF-8, or nested too deeply; its message begins with a verb.

    Attributes:
        line: The line of the error, from 1; 0 if unknown.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


def parse_toml(raw: bytes) -> dict[str, Any]:
    """Return the document in `raw`.

    Raises:
        TomlError: It is none.
    """
    import tomllib  # noqa: PLC0415 - slow to import, and many calls have no file

    try:
        document = tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise TomlError("is not UTF-8", raw[: error.start].count(b"\n") + 1) from None
    except tomllib.TOMLDecodeError as error:
        # Such as `Invalid value (at line 3, column 5)`.
        message, _, place = str(error).rpartition(" (at line ")
        if message:
            raise TomlError(f"is not TOML: {message}", int(place.partition(",")[0])) from None
        message = str(error).replace(" (at end of document)", ", at its end")
        last = max(1, raw.rstrip().count(b"\n") + 1)
        raise TomlError(f"is not TOML: {message}", last) from None
    except RecursionError:
        raise TomlError(_NESTED) from None
    if is_deep(document):
        raise TomlError(_NESTED)
    return document


_NESTED = f"is nested too deeply: at most {MOST_NESTED} levels"


def is_deep(value: object) -> bool:
    """Return whether lists and dicts in `value` are nested more than `MOST_NESTED` levels deep."""
    level = [value]
    for _ in range(MOST_NESTED):
        inside: list[object] = []
        for each in level:
            if isinstance(each, dict):
                inside += cast("dict[object, object]", each).values()
            elif isinstance(each, list):
                inside += cast("list[object]", each)
        if not inside:
            return False
        level = inside
    return any(isinstance(each, dict | list) for each in level)
