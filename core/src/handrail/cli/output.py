"""Tables and colour for people, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TextIO

SCHEMA = 1
WIDTH = 100

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


def colour_wanted(stream: TextIO) -> bool:
    """Return whether to use colour: a terminal, unless NO_COLOR; FORCE_COLOR wins over a pipe."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class Console:
    """Results go to standard output, everything about how they come to be to standard error."""

    def __init__(self) -> None:
        self.out: TextIO = sys.stdout
        self.err: TextIO = sys.stderr
        self._colour = {id(each): colour_wanted(each) for each in (self.out, self.err)}

    def style(self, text: str, *styles: str, err: bool = False) -> str:
        """Return `text` in the given styles, where the stream shows them."""
        if not styles or not self._colour[id(self.err if err else self.out)]:
            return text
        codes = ";".join(_STYLES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def print(self, text: str = "") -> None:
        """Write a line of the result; once the reader has left, as `| head` does, write nothing."""
        try:
            _write(self.out, text + "\n")
            self.out.flush()
        except BrokenPipeError:
            # Nothing may be left to be written at exit either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.out.fileno())

    def note(self, text: str = "") -> None:
        """Write a line about progress, or an error."""
        _write(self.err, text + "\n")

    def json(self, document: Mapping[str, Any]) -> None:
        """Write one JSON object, with its schema, as the result."""
        self.print(to_json({"schema": SCHEMA, **document}, indent=2))

    def json_line(self, document: Mapping[str, Any]) -> None:
        """Write one JSON object on one line, with its schema."""
        self.print(to_json({"schema": SCHEMA, **document}))


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))


def to_json(document: Any, *, indent: int | None = None) -> str:
    """Return `document` as JSON; what JSON does not know becomes text."""
    return json.dumps(document, ensure_ascii=True, default=_plain, indent=indent)


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    if isinstance(value, set | frozenset | tuple):
        return list(value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else str(value)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, limit: int = WIDTH) -> list[str]:
    """Return lines with the columns lined up; the widest texts give way in long lines."""
    cells = [list(head), *(list(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    spare = limit - sum(widths) - 2 * (len(head) - 1)
    while spare < 0:
        widest = max(range(len(head) - 1), key=lambda column: widths[column], default=0)
        if widths[widest] <= 12:
            break
        widths[widest] -= 1
        spare += 1
    return [
        "  ".join(
            _fit(text, width) if column < len(head) - 1 else text
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"


def plural(count: int, noun: str) -> str:
    """Return `1 step` or `3 steps`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def seconds(took: float) -> str:
    """Return a duration as people write it: `0.4s`, `32s`, `4m 10s`."""
    if took < 10:
        return f"{took:.1f}s"
    minutes, rest = divmod(round(took), 60)
    return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"


def percent(share: float) -> str:
    """Return a share of 1 as whole percent: `26 %`."""
    return f"{round(share * 100)} %"
