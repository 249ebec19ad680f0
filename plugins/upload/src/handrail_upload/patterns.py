"""Patterns: the names that patterns of a .gitignore file fit, in linear time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, groupby
from typing import Any

from handrail_upload.errors import SourceError

_TOKEN = re.compile(
    r"\\(?P<escaped>.)|(?P<star>\*+)|(?P<one>\?)"
    r"|\[(?P<negated>[!^]?+)(?P<set>]?+(?:\\.|[^]\\])*)]|(?P<plain>[^[\\])",
    re.DOTALL,
)
_IN_SET = re.compile(r"\\?(?P<first>.)(?:-\\?(?P<last>.))?", re.DOTALL)

Rule = tuple[Callable[[str], Any], bool, bool]
"""Whether a path fits a line, if it is taken or left then, and if it has to be a folder."""


class Patterns:
    """The patterns of a .gitignore file; the last one that fits a name decides.

    A regular expression with many stars may try for minutes how to divide a name among them. The
    ones here take the first place where the text between two stars fits and never go back: any
    later place leaves less for the rest.

    Raises:
        SourceError: A pattern means nothing.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._rules = [rule for line in lines for rule in _rules(line)][::-1]
        self._folder, self._above = "", False

    def fit(self, path: str, *, is_folder: bool = False) -> bool:
        """Return whether a path fits, or, if no pattern is about it, a folder above it."""
        for fits, taken, folders_only in self._rules:
            if (is_folder or not folders_only) and fits(path):
                return taken
        folder = path.rpartition("/")[0]
        if folder != self._folder:  # Files come folder by folder.
            self._folder, self._above = folder, self._fit_above(folder)
        return self._above

    def _fit_above(self, folder: str) -> bool:
        folders = list(accumulate(folder.split("/"), "{}/{}".format)) if folder else []
        return next((taken for fits, taken, _ in self._rules if any(map(fits, folders))), False)


def _rules(line: str) -> Iterator[Rule]:
    text = re.sub(r"(?<!\\) +$", "", line)
    if not text or text[0] == "#" or text == "/":
        return
    negated = text[0] == "!"
    given = text[negated:]
    path = given.removesuffix("/")
    segments = path.removeprefix("/").split("/") if "/" in path else ["**", path]
    try:
        yield re.compile(_path(segments), re.DOTALL).fullmatch, not negated, path != given
    except ValueError as error:
        raise SourceError(
            f"a pattern is wrong: {line}: {error}",
            ways_out=("patterns are those of .gitignore files, such as *.jpg or raw/**",),
        ) from None


def _path(segments: list[str]) -> str:
    """Return the regular expression of a path, as parts between which any folders may stand."""
    parts = [
        (any_folders, "" if any_folders else "/".join(map(_segment, part)))
        for any_folders, part in groupby(segments, lambda each: each == "*" * max(2, len(each)))
    ]
    found = ""
    for place, (any_folders, part) in enumerate(parts):
        below = "(?:[^/]+/)*?" if place else ""
        if any_folders:
            found += "/.+" if place and place == len(parts) - 1 else ""
        elif place < len(parts) - 2:
            found += f"(?>{below}{part}/)"
        else:
            found += f"{below}{part}"
    return found or ".+"


def _segment(text: str) -> str:
    """Return the regular expression of the name of a file or folder."""
    tokens = list(_TOKEN.finditer(text))
    if not text:
        raise ValueError("it has an empty name")
    if sum(len(token[0]) for token in tokens) < len(text):
        raise ValueError("a [ is never closed, or a name ends in \\")
    parts = [""]
    for token in tokens:
        if token["star"]:
            parts.append("")
        elif token["one"]:
            parts[-1] += "[^/]"
        elif token["set"] is not None:
            parts[-1] += _set(token["set"], negated=bool(token["negated"]))
        else:
            parts[-1] += re.escape(token["escaped"] or token["plain"])
    first, *between = parts
    if not between:
        return first
    *between, last = between
    return f"{first}{''.join(f'(?>[^/]*?{part})' for part in between)}[^/]*{last}"


def _set(text: str, *, negated: bool) -> str:
    if "[:" in text:
        raise ValueError("classes such as [:digit:] are not known; write 0-9")
    found = "/" if negated else "\0"  # No path has a NUL.
    for first, last in _IN_SET.findall(text):
        if first <= (last or first):
            found += re.escape(first) + (last and f"-{re.escape(last)}")
    return f"[^{found}]" if negated else f"(?!/)[{found}]"
