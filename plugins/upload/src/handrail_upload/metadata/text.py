"""Reads text files: CSV and TSV, whose values stay text, and JSON lines."""

from __future__ import annotations

import csv
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any, BinaryIO

from handrail_upload.metadata.sheet import Sheet

_WAY_OUT = 'write one object on each line, such as {"file": "a.jpg", "label": "cat"}'


class _RepeatedKeyError(ValueError):
    pass


def cells(sheet: Sheet, file: BinaryIO) -> Iterator[tuple[int, Sequence[str | None]]]:
    """Yield line and cells of each row of CSV that is not blank; empty cells are None.

    The format is RFC 4180, with any kind of line ends: `007` and `=1+1` stay as they are.
    """
    is_header = True
    with _lines(sheet, file, newline="") as lines:
        reader = csv.reader(lines, delimiter=sheet.delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader, None)
            except csv.Error as error:
                raise sheet.error(
                    f"is not a row of {sheet.delimiter!r} separated values: {error}",
                    'close each quote, and write one inside of quotes twice: "a 5"" pipe"',
                    line=line,
                ) from error
            if row is None:
                return
            if is_header and row:
                _check_delimiter(sheet, row, line)
            if any(row):
                is_header = False
                yield line, [cell or None for cell in row]


def _check_delimiter(sheet: Sheet, header: Sequence[str], line: int) -> None:
    """Refuse a header that is one column because something else separates them."""
    for other in (",", ";", "\t", "|"):
        if len(header) == 1 and other in header[0] and other != sheet.delimiter:
            raise sheet.error(
                f"has one column, {header[0]!r}; {other!r} seems to separate them, "
                f"not {sheet.delimiter!r}",
                f"say so: SheetMetadata(delimiter={other!r})",
                f"or save the file with {sheet.delimiter!r} between the columns",
                line=line,
            )


def objects(sheet: Sheet, file: BinaryIO) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield line and object of each line of JSON that is not blank."""
    is_empty = True
    with _lines(sheet, file, newline="\n") as lines:
        for line, text in enumerate(lines, 1):
            if text.strip():
                is_empty = False
                yield line, _object(sheet, text, line)
    if is_empty:
        raise sheet.error("has blank lines only", _WAY_OUT)


def _object(sheet: Sheet, text: str, line: int) -> dict[str, object]:
    try:
        value: Any = json.loads(text, object_pairs_hook=unique)
    except _RepeatedKeyError as error:
        raise sheet.error(str(error), "give each value a name of its own", line=line) from error
    except RecursionError as error:
        raise sheet.error("is nested too deeply", "flatten it", line=line) from error
    except ValueError as error:  # Also of integers of thousands of digits.
        said = str(error)
        if isinstance(error, json.JSONDecodeError):  # Whose lines are those of the text alone.
            said = f"{error.msg} (character {error.pos + 1})"
        raise sheet.error(f"is not JSON: {said}", _WAY_OUT, line=line) from error
    if not isinstance(value, dict):
        raise sheet.error("is not an object", _WAY_OUT, line=line)
    return value  # pyright: ignore[reportUnknownVariableType] - keys of JSON are strings


def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object of JSON; a ValueError names a key that it has twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _RepeatedKeyError(f"has {twice!r} twice in one object")
    return found


@contextmanager
def _lines(sheet: Sheet, file: BinaryIO, newline: str) -> Generator[TextIOWrapper]:
    """Open a UTF-8 file, with or without a byte order mark, as text."""
    wrapper = TextIOWrapper(file, encoding="utf-8-sig", newline=newline)
    try:
        yield wrapper
    except UnicodeDecodeError:
        # The error counts within the part that was being read.
        try:
            sheet.path.read_bytes().decode()
        except UnicodeDecodeError as error:
            before = error.object[: error.start]
            like = (
                "it looks like UTF-16: " if error.object[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
            )
            raise sheet.error(
                f"is not UTF-8: there is the byte 0x{error.object[error.start]:02x} at offset "
                f"{error.start:,}",
                f"{like}save it as UTF-8; spreadsheets call that 'CSV UTF-8'",
                line=before.count(b"\n") + 1,
            ) from error
        raise
    finally:
        if not file.closed:
            wrapper.detach()  # It would close the file, which is not its own.
