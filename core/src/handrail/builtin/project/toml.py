"""Parses TOML, and finds its lines; every file of ours that is TOML is parsed here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import count
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


def leaves(
    values: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield path and value of each leaf in nested mappings; an empty mapping is a leaf."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(cast("dict[str, Any]", value), (*path, key))
        else:
            yield (*path, key), value


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


Path = tuple[str | int, ...]

# Compiled on use, because many calls have no file.
_TOKEN = r"""
      \"\"\"(?:\\.|[^\\])*?\"{3,5} | '''.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*'
    | \#[^\n]* | \n | [\[\]{}=,.] | [^\s\[\]{}=,.\#"']+
    """


class _Reader:
    """Walks over the tokens and records the line of each path.

    Args:
        tokens: Each with its line; the last one is empty.
    """

    def __init__(self, tokens: list[tuple[str, int]]) -> None:
        self.tokens = tokens
        self.at = 0
        self.lines: dict[Path, int] = {}
        self.counts: dict[Path, int] = {}  # The elements in each array of tables so far.

    def peek(self, *skipped: str) -> str:
        while self.tokens[self.at][0] in skipped:
            self.at += 1
        return self.tokens[self.at][0]

    def take(self) -> tuple[str, int]:
        token = self.tokens[self.at]
        self.at = min(self.at + 1, len(self.tokens) - 1)
        return token

    def document(self) -> None:
        table: Path = ()
        while token := self.peek("\n"):
            if token == "[":
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> Path:
        """Read the header of a table, or of an element of an array of tables."""
        _, line = self.take()
        is_array = self.peek() == "["
        self.peek("[")
        *parents, last = self.keys()
        self.peek("]")
        path: Path = ()
        for key in parents:
            path = (*path, key)
            self.lines.setdefault(path, line)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        path = (*path, last)
        if is_array:
            number = self.counts.get(path, 0)
            self.counts[path] = number + 1
            self.lines.setdefault(path, line)
            path = (*path, number)
        # A table's header may follow its subtables; it is the better line.
        self.lines[path] = line
        return path

    def keys(self) -> list[str]:
        keys = [_plain(self.take()[0])]
        while self.peek() == ".":
            self.take()
            keys.append(_plain(self.take()[0]))
        return keys

    def pair(self, path: Path) -> None:
        line = self.tokens[self.at][1]
        for key in self.keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.take()
        self.value(path)

    def value(self, path: Path) -> None:
        if self.peek() == "[":
            self.take()
            for number in count():
                if self.peek("\n", ",") in ("]", ""):
                    break
                self.lines[(*path, number)] = self.tokens[self.at][1]
                self.value((*path, number))
        elif self.peek() == "{":
            self.take()
            while self.peek("\n", ",") not in ("}", ""):
                self.pair(path)
        else:
            # Numbers and dates may consist of several tokens, such as `1.5`.
            while self.peek() not in ("\n", "", ",", "]", "}"):
                self.take()
            return
        self.take()


def locate(text: str) -> dict[Path, int]:
    """Return the one-based line of each key, table and list item, which `tomllib` does not report.

    A path is a tuple of keys, with indices for the items of a list.

    Args:
        text: It was accepted by `tomllib`, so it is only split into tokens, not validated.
    """
    reader = _Reader([*_tokens(text), ("", 0)])
    reader.document()
    return reader.lines


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in re.finditer(_TOKEN, text, re.VERBOSE | re.DOTALL):
        if match[0][0] != "#":
            yield match[0], line
        line += match[0].count("\n")


def _plain(key: str) -> str:
    if key[:1] == "'":
        return key[1:-1]
    if key[:1] == '"':
        if "\\" in key:
            return next(iter(parse_toml(f"{key} = 0".encode())))
        return key[1:-1]
    return key
