"""Finds the line of every key and list item in a TOML text, which `tomllib` does not report.

The text was accepted by `tomllib`, so it is only split into tokens, not validated.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import field
from itertools import count

from handrail.frozen import record

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""
      \"\"\"(?:\\.|[^\\])*?\"{3,5} | '''.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*'
    | \#[^\n]* | \n | [\[\]{}=,.] | [^\s\[\]{}=,.\#"']+
    """,
    re.VERBOSE | re.DOTALL,
)


@record
class _Reader:
    """Walks over the tokens and records the line of each path.

    Attributes:
        tokens: Each with its line; the last one is empty.
        lines: One-based line of each path.
        counts: The number of elements in each array of tables so far.
    """

    tokens: list[tuple[str, int]]
    at: int = 0
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    counts: dict[Path, int] = field(default_factory=dict[Path, int])

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
    """Return the one-based line of each key, table and list item in a valid TOML `text`.

    A path is a tuple of keys, with indices for the items of a list.
    """
    reader = _Reader(tokens=[*_tokens(text), ("", 0)])
    reader.document()
    return reader.lines


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        if match[0][0] != "#":
            yield match[0], line
        line += match[0].count("\n")


def _plain(key: str) -> str:
    if key[:1] == "'":
        return key[1:-1]
    if key[:1] == '"':
        if "\\" in key:
            return next(iter(tomllib.loads(f"{key} = 0")))
        return key[1:-1]
    return key
