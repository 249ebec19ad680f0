"""Finds the line of every key and list item in a TOML text, which `tomllib` does not report.

The text was accepted by `tomllib`, so it is only split into tokens, not validated.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import field

from handrail.frozen import record

Path = tuple[str | int, ...]

_TOKEN = re.compile(
    r"""
      (?P<text>\"\"\"(?:\\.|[^\\])*?\"{3,5} | '''.*?'{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*')
    | (?P<comment>\#[^\n]*)
    | (?P<newline>\n)
    | (?P<mark>[\[\]{}=,.])
    | (?P<bare>[^\s\[\]{}=,.\#"']+)
    """,
    re.VERBOSE | re.DOTALL,
)


@record
class _Reader:
    """Walks over the tokens and records the line of each path.

    Attributes:
        lines: One-based line of each path.
        counts: The number of elements in each array of tables so far.
    """

    tokens: list[tuple[str, str, int]]
    at: int = 0
    lines: dict[Path, int] = field(default_factory=dict[Path, int])
    counts: dict[Path, int] = field(default_factory=dict[Path, int])

    def peek(self) -> tuple[str, str, int]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "", 0)

    def take(self) -> tuple[str, str, int]:
        token = self.peek()
        self.at += 1
        return token

    def skip(self, *kinds: str) -> None:
        while self.peek()[0] in kinds:
            self.at += 1

    def document(self) -> None:
        table: Path = ()
        while True:
            self.skip("newline", "comment")
            kind, text, _ = self.peek()
            if kind == "end":
                return
            if text == "[":
                table = self.header()
            else:
                self.pair(table)

    def header(self) -> Path:
        line = self.take()[2]
        is_array = self.peek()[1] == "["
        if is_array:
            self.take()
        keys = self.keys()
        while self.peek()[0] not in ("newline", "end"):
            self.take()
        return self.open_table(keys, line, is_array=is_array)

    def open_table(self, keys: list[str], line: int, *, is_array: bool) -> Path:
        path: Path = ()
        for key in keys[:-1]:
            path = (*path, key)
            self.lines.setdefault(path, line)
            if path in self.counts:
                path = (*path, self.counts[path] - 1)
        path = (*path, keys[-1])
        if is_array:
            number = self.counts.get(path, 0)
            self.counts[path] = number + 1
            self.lines.setdefault(path, line)
            path = (*path, number)
            self.lines[path] = line
        else:
            # A table's header may follow its subtables; it is the better line.
            self.lines[path] = line
        return path

    def keys(self) -> list[str]:
        keys = [_plain(self.take()[1])]
        while self.peek()[1] == ".":
            self.take()
            keys.append(_plain(self.take()[1]))
        return keys

    def pair(self, table: Path) -> None:
        line = self.peek()[2]
        path = table
        for key in self.keys():
            path = (*path, key)
            self.lines.setdefault(path, line)
        self.take()
        self.value(path)

    def value(self, path: Path) -> None:
        kind, text, _ = self.peek()
        if text == "[" and kind == "mark":
            self.array(path)
        elif text == "{" and kind == "mark":
            self.inline(path)
        else:
            # Numbers and dates may consist of several tokens, such as `1.5`.
            while kind not in ("newline", "comment", "end") and text not in (",", "]", "}"):
                self.take()
                kind, text, _ = self.peek()

    def array(self, path: Path) -> None:
        self.take()
        number = 0
        while True:
            self.skip("newline", "comment")
            kind, text, line = self.peek()
            if text == "]" or kind == "end":
                self.take()
                return
            if text == ",":
                self.take()
                continue
            self.lines[(*path, number)] = line
            self.value((*path, number))
            number += 1

    def inline(self, path: Path) -> None:
        self.take()
        while True:
            self.skip("newline", "comment")
            kind, text, _ = self.peek()
            if text == "}" or kind == "end":
                self.take()
                return
            if text == ",":
                self.take()
                continue
            self.pair(path)


def locate(text: str) -> dict[Path, int]:
    """Return the one-based line of each key, table and list item in a valid TOML `text`.

    A path is a tuple of keys, with indices for the items of a list.
    """
    reader = _Reader(tokens=list(_tokens(text)))
    reader.document()
    return reader.lines


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        kind = str(match.lastgroup)
        yield kind, match.group(), line
        line += match.group().count("\n")


def _plain(key: str) -> str:
    if key[:1] == "'":
        return key[1:-1]
    if key[:1] == '"':
        if "\\" in key:
            return next(iter(tomllib.loads(f"{key} = 0")))
        return key[1:-1]
    return key
