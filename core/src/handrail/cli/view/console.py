"""The two output streams of a command: lines and colour for people, JSON for programs."""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, TextIO

SCHEMA = 1

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_MARKS = str.maketrans(dict(zip("✓✗↶○▸└·…█░", "+x<o>`-~#.", strict=True)))
# Control characters, which may come from a file name or an error; colour is allowed.
_CONTROL = r"\x1b(?!\[[0-9;]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]"


def colour_wanted(stream: TextIO) -> bool:
    """Return whether to use colour: a terminal, unless NO_COLOR; FORCE_COLOR wins over a pipe."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return moves(stream)


def moves(stream: TextIO) -> bool:
    """Return whether the stream is a terminal on which the cursor can be moved."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def terminal_columns(stream: TextIO) -> int:
    """Return the width of a terminal: COLUMNS if it is set, and 80 if nobody knows it."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


class Console:
    """Writes results to standard output, and everything else to standard error.

    Attributes:
        structured: Whether standard error gets one JSON object a line, as with `--progress json`.
        lost: The error if standard output cannot be written; None otherwise, or if its reader has
            left, as `| head` does.
    """

    def __init__(self) -> None:
        # A stream that was closed before the program began is None.
        self.out = sys.stdout = _opened(sys.stdout)
        self.err = sys.stderr = _opened(sys.stderr)
        self.structured = False
        self.lost: str | None = None
        self._colour = {id(each): colour_wanted(each) for each in (self.out, self.err)}
        self._marks = {id(each): _takes_marks(each) for each in (self.out, self.err)}

    def style(self, text: str, *styles: str, err: bool = False) -> str:
        """Return `text` in the given styles, where the stream shows them."""
        if not styles or not self._colour[id(self.err if err else self.out)]:
            return text
        codes = ";".join(_STYLES[style] for style in styles)
        return f"\x1b[{codes}m{text}\x1b[0m"

    def print(self, text: str = "") -> None:
        """Write a line of the result, or nothing if standard output is closed."""
        try:
            self._write(self.out, (visible(text) if self.out.isatty() else text) + "\n")
            self.out.flush()
        except OSError as error:
            if error.errno != errno.EPIPE:
                self.lost = error.strerror or str(error)
            drop(self.out)

    def note(self, text: str = "") -> None:
        """Write a line about progress, or an error."""
        if self.structured:
            self.json_note({"event": "Note", "text": text})
        else:
            self.draw(visible(text) + "\n")

    def draw(self, text: str) -> None:
        """Write to standard error verbatim; an error is ignored, so that the run continues."""
        try:
            self._write(self.err, text)
            self.err.flush()
        except OSError:
            drop(self.err)

    def flush(self) -> None:
        """Flush the output of steps, so that nothing can fail at exit."""
        for stream in (self.out, self.err):
            try:
                stream.flush()
            except OSError as error:
                if stream is self.out and error.errno != errno.EPIPE:
                    self.lost = error.strerror or str(error)
                drop(stream)

    def json(self, document: Mapping[str, Any]) -> None:
        """Write one JSON object, with its schema, as the result."""
        from handrail.cli.view.json_text import to_json  # noqa: PLC0415 - only for JSON

        self.print(to_json({"schema": SCHEMA, **document}, indent=2))

    def json_line(self, document: Mapping[str, Any]) -> None:
        """Write one JSON object on one line, with its schema."""
        from handrail.cli.view.json_text import to_json  # noqa: PLC0415 - only for JSON

        self.print(to_json({"schema": SCHEMA, **document}))

    def json_note(self, document: Mapping[str, Any]) -> None:
        """Write one JSON object on one line to standard error, with its schema."""
        from handrail.cli.view.json_text import to_json  # noqa: PLC0415 - only for JSON

        self.draw(to_json({"schema": SCHEMA, **document}) + "\n")

    def _write(self, stream: TextIO, text: str) -> None:
        if not self._marks[id(stream)]:
            text = text.translate(_MARKS)
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))


def visible(text: str) -> str:
    """Return `text` with its control characters, but for line ends and colour, spelled out."""
    return re.sub(_CONTROL, lambda found: ascii(found.group())[1:-1], text)


def drop(stream: TextIO) -> None:
    """Discard later writes to `stream`, including those at exit."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):
        return  # It has no file descriptor, as in a test.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _opened(stream: TextIO | None) -> TextIO:
    if stream is not None and not stream.closed:
        return stream
    return open(os.devnull, "w", encoding="utf-8")


def _takes_marks(stream: TextIO) -> bool:
    try:
        "✓·█".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
