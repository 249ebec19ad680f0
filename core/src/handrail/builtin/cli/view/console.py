"""The two output streams of a command: lines and colour for people, valid JSON for programs."""

from __future__ import annotations

import errno
import io
import json
import math
import os
import re
import select
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, TextIO, cast

from handrail.redact import KNOWN, mask_values, shown_text

SCHEMA = 1

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}
_MARKS = str.maketrans(dict(zip("✓✗↶◂○▸└┌│·…█░\N{SET MINUS}", "+x<<o>`,|-~#./", strict=True)))
# Stands for the escape sequence of a style until it is written. No other text can have it.
_MARK = "".join(chr(0xF0000 + byte) for byte in os.urandom(8))
_STYLE = _MARK + "([0-9;]+)m"


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


def terminal_columns(stream: TextIO | None, default: int = 80) -> int:
    """Return the width of a terminal: COLUMNS if it is set, and `default` if nobody knows it."""
    return terminal_size(stream, default)[0]


def terminal_size(stream: TextIO | None, columns: int = 80, rows: int = 24) -> tuple[int, int]:
    """Return the width and the height of a terminal: COLUMNS and LINES if they are set.

    Like `shutil.get_terminal_size`, whose import is slow.

    Args:
        stream: The stream of the terminal.
        columns: The width if nobody knows it.
        rows: The height if nobody knows it.
    """
    try:
        known = os.get_terminal_size(1 if stream is None else stream.fileno())
    except (OSError, ValueError):
        known = os.terminal_size((0, 0))
    given = [os.environ.get(name, "") for name in ("COLUMNS", "LINES")]
    wide, high = (int(text) if text.isdecimal() else 0 for text in given)
    return wide or known.columns or columns, high or known.lines or rows


class Console:
    """Writes results to standard output, and everything else to standard error.

    Nothing reaches a terminal raw but the styles of `style`, the ends of lines and what moves the
    cursor; any other character that could control it is spelled out. Known secrets, and the
    passwords of URLs, are hidden.

    What cannot be written is dropped, also of what steps print: a run has to go on without it.

    Attributes:
        structured: Whether standard error gets one JSON object a line, as with `--progress json`.
    """

    def __init__(self) -> None:
        _fill_descriptors()
        self._before = sys.stdout, sys.stderr
        self.out = sys.stdout = _opened(sys.stdout)
        self.err = sys.stderr = _opened(sys.stderr)
        self.structured = False
        self._colour = {id(each): colour_wanted(each) for each in (self.out, self.err)}
        self._marks = {id(each): _takes_marks(each) for each in (self.out, self.err)}

    @property
    def lost(self) -> str | None:
        """The error if standard output could not be written.

        None otherwise, or if its reader has left, as `| head` does.
        """
        raw = _raw_of(self.out)
        return raw.lost if isinstance(raw, _Lasting) else None

    @property
    def read(self) -> bool:
        """Whether somebody may still read standard output; not once its reader has left."""
        raw = _raw_of(self.out)
        return not (isinstance(raw, _Lasting) and raw.left)

    def style(self, text: str, *styles: str, err: bool = False) -> str:
        """Return `text` in the given styles, where the stream shows them.

        Only for a line of this console, which turns its marks into colour. A mark has a width, so a
        text is laid out before it is styled.
        """
        if not styles or not self._colour[id(self.err if err else self.out)]:
            return text
        codes = ";".join(_STYLES[style] for style in styles)
        return f"{_MARK}{codes}m{text}{_MARK}0m"

    def print(self, line: str = "") -> None:
        """Write a line of the result, or nothing if standard output is closed."""
        self._print(shown_line(line))

    def note(self, line: str = "") -> None:
        """Write a line about progress, or an error."""
        if self.structured:
            self.json_note({"event": "Note", "text": line})
        else:
            self.write_err(shown_line(line) + "\n")

    def redraw(self, line: str, *, last: bool = False) -> None:
        """Put a line in place of the one that the cursor of standard error is in.

        Args:
            line: The line, which has to fit into the terminal.
            last: Whether the cursor goes on to the next line.
        """
        self.write_err(f"\r\x1b[K{shown_line(line)}" + "\n" * last)

    def write_err(self, text: str) -> None:
        """Write a text to standard error as it is."""
        self._write(self.err, text)

    def flush(self) -> None:
        """Flush the output of steps, so that `lost` is known."""
        self.out.flush()
        self.err.flush()

    def leave(self) -> None:
        """Put the standard streams back, for the program that goes on."""
        hand_over(self.out, self._before[0])
        hand_over(self.err, self._before[1])
        sys.stdout, sys.stderr = self._before

    def json(self, document: Mapping[str, Any]) -> None:
        """Write one JSON object, with its schema, as the result."""
        self._print(_json_text(document, indent=2))

    def json_line(self, document: Mapping[str, Any]) -> None:
        """Write one JSON object on one line, with its schema."""
        self._print(_json_text(document))

    def _print(self, text: str) -> None:
        self._write(self.out, text + "\n")

    def json_note(self, document: Mapping[str, Any]) -> None:
        """Write one JSON object on one line to standard error, with its schema."""
        self.write_err(_json_text(document) + "\n")

    def _write(self, stream: TextIO, text: str) -> None:
        if not self._marks[id(stream)]:
            text = text.translate(_MARKS)
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


def _json_text(document: Mapping[str, Any], indent: int | None = None) -> str:
    """Return a document with its schema as JSON, without known secrets."""
    text = to_json({"schema": SCHEMA, **document}, indent=indent)
    if KNOWN(text) == text:
        return text
    return to_json(mask_values(json.loads(text), KNOWN), indent=indent)


def shown_line(line: str) -> str:
    """Return a line as it is written: harmful characters spelled out, and marks as styles."""
    text = shown_text(line, one_line=True)
    return re.sub(_STYLE, "\x1b[\\1m", text) if _MARK in text else text


def unstyled(line: str) -> str:
    """Return a line without its styles."""
    return re.sub(_STYLE, "", line) if _MARK in line else line


class _Lasting(io.FileIO):
    """The file of a stream to which anything can be written, always: what it does not take is lost.

    Args:
        stream: The stream.

    Attributes:
        left: Whether its reader has left.
        lost: The error if it could not be written otherwise.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream.fileno(), "w", closefd=False)
        self.left = False
        self.lost: str | None = None
        self._stream = stream  # It would close the file with its end.

    def write(self, data: Any) -> int:
        """Write, or drop what cannot be written, and all that comes later."""
        try:
            while (count := super().write(data)) is None:
                select.select((), (self,), ())  # A pipe that does not block is full.
        except OSError as error:
            self.left = error.errno == errno.EPIPE
            self.lost = None if self.left else error.strerror or str(error)
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())  # For processes that a step starts, too.
            os.close(nowhere)
            return memoryview(data).nbytes
        return count


def _raw_of(stream: TextIO) -> object:
    buffer = getattr(stream, "buffer", None)
    return getattr(buffer, "raw", buffer)


def _fill_descriptors() -> None:
    """Let standard descriptors that are closed lead nowhere, here and in processes to come.

    The next file would get them otherwise, and what is printed.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def _opened(stream: TextIO | None) -> TextIO:
    """Return a stream whose writes do not fail, for the same file if there is one."""
    if stream is None or stream.closed:  # It is None if it was closed before the program began.
        return open(os.devnull, "w", encoding="utf-8")
    raw = _raw_of(stream)
    if type(raw) is not io.FileIO:
        return stream  # It has no file, as in a test.
    text = cast("io.TextIOWrapper[Any]", stream)
    with suppress(OSError):
        stream.flush()
    lasting = _Lasting(stream)
    opened = io.TextIOWrapper(
        lasting if raw is text.buffer else io.BufferedWriter(lasting),
        text.encoding,
        text.errors,
        line_buffering=text.line_buffering,
        write_through=text.write_through,
    )
    hand_over(stream, opened)
    return opened


def hand_over(before: TextIO, after: TextIO) -> None:
    """Let the handlers of `logging` that write to one stream write to another."""
    logging = sys.modules.get("logging")
    if logging is None:
        return
    named = list(logging.root.manager.loggerDict.values())
    for logger in (logging.root, *named):
        for handler in getattr(logger, "handlers", ()):
            if isinstance(handler, logging.StreamHandler) and handler.stream is before:
                handler.setStream(after)


def _takes_marks(stream: TextIO) -> bool:
    try:
        "✓·█".encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


_DEEPEST = 50  # Levels of a document that are written out.


def to_json(document: Any, *, indent: int | None = None) -> str:
    """Return `document` as valid JSON; unknown types become text."""
    try:
        return json.dumps(document, default=_known, indent=indent, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return json.dumps(_cleaned(document, ()), indent=indent, allow_nan=False)


def _cleaned(value: Any, around: tuple[int, ...]) -> Any:
    """Return `value`, inside those `around` it, without values that JSON lacks."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if id(value) in around or len(around) == _DEEPEST:
        return "..."
    within = (*around, id(value))
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {_key(key): _cleaned(each, within) for key, each in items}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(each, within) for each in cast("list[object]", value)]
    return _cleaned(_known(value), within)


def _key(key: object) -> str:
    return key if isinstance(key, str) else _text(key)


def _known(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[object, object]", value))
    if isinstance(value, set | frozenset | tuple):
        return list(cast("set[object]", value))
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        try:
            return dump(mode="json")
        except Exception:  # noqa: BLE001 - third-party code may raise anything
            return _text(value)
    return _text(value)


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - third-party code may raise anything
        return f"<{type(value).__name__}>"
