"""Reads the formats of sheets: CSV and TSV, whose values stay text, JSON lines, and Excel."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from io import TextIOWrapper
from typing import Any, BinaryIO

from handrail_upload.metadata.sheet import Sheet
from handrail_upload.metadata.values import UnfitValueError, json_value

_WAY_OUT = 'write one object on each line, such as {"file": "a.jpg", "label": "cat"}'

Records = Iterator[tuple[int, dict[str, object]]]
"""The line, or row, and the values by column of each row."""

Cells = Iterator[tuple[int, Sequence[object]]]
"""The line, or row, and the cells of each row that is not blank; empty cells are None."""


def _of_text(sheet: Sheet, file: BinaryIO) -> Cells:
    """Read RFC 4180, with any kind of line ends: `007` and `=1+1` stay as they are."""
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


def _of_workbook(sheet: Sheet, file: BinaryIO) -> Cells:
    """Read the first sheet of ECMA-376; a formula is the text in the cell, such as `=A1+B1`."""
    try:
        from handrail_arrow.excel import (  # noqa: PLC0415 - of an extra
            ExcelError,
            ExcelSizeError,
            load_workbook,
            read_rows,
        )

        import_module("openpyxl")
    except ImportError as error:
        raise sheet.error(
            f"reading .xlsx needs {error.name}, which is not installed",
            "pip install 'handrail-upload[xlsx]'",
            "or save the sheet as .csv",
        ) from error
    try:
        book = load_workbook(file, data_only=False, most_bytes=sheet.max_bytes)
        if not book.worksheets:
            raise sheet.error("has no sheet with cells", "put the table into the first sheet")
        for number, row in enumerate(read_rows(book.worksheets[0], values_only=True), 1):
            found = [_content(value) for value in row]
            if any(value is not None for value in found):
                yield number, found
    except ExcelSizeError as error:
        raise sheet.too_large(error.message.partition(";")[0]) from error
    except ExcelError as error:
        raise sheet.error(error.message, *error.ways_out) from error


def _content(value: Any) -> object:
    # Formulas of several cells are objects: ArrayFormula has a text, DataTableFormula a range.
    if type(value).__module__.startswith("openpyxl."):
        return str(getattr(value, "text", None) or f"=TABLE({getattr(value, 'ref', '')})")
    return None if value == "" else value


def _as_table(cells: Callable[[Sheet, BinaryIO], Cells]) -> Callable[[Sheet, BinaryIO], Records]:
    """Return a reader that gives the cells of each row the names that are in the first one."""

    def records(sheet: Sheet, file: BinaryIO) -> Records:
        rows = cells(sheet, file)
        line, header = next(rows, (1, ()))
        columns = _columns(sheet, header, line)
        for line, row in rows:
            for number, cell in enumerate(row[len(columns) :], len(columns) + 1):
                if cell is not None:
                    raise sheet.error(
                        f"has {repr(cell)[:40]} in column {number}, but there are {len(columns)} "
                        "columns",
                        "name the column in the header",
                        "or put text with delimiters in it between quotes",
                        line=line,
                    )
            yield line, dict(zip(columns, row, strict=False))

    return records


def _columns(sheet: Sheet, header: Sequence[object], line: int) -> list[str]:
    try:
        values = [json_value(cell) for cell in header]
    except UnfitValueError as error:
        raise sheet.error(f"a name {error}", error.way_out, line=line) from error
    names = ["" if value is None else str(value).strip() for value in values]
    # Spreadsheets like to save a few columns with nothing in them.
    while names and not names[-1]:
        names.pop()
    if not names:
        raise sheet.error(
            "has no header", "write the names of the columns first, such as file,label", line=line
        )
    for number, name in enumerate(names, 1):
        if not name:
            raise sheet.error(
                f"column {number} has no name",
                "name it, or leave it out (pandas: to_csv(..., index=False))",
                line=line,
            )
        if (first := names.index(name) + 1) < number:
            raise sheet.error(
                f"the columns {first} and {number} are both called {name!r}",
                "give each column a name of its own",
                line=line,
            )
    return names


def _of_json_lines(sheet: Sheet, file: BinaryIO) -> Records:
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
    except RecursionError as error:
        raise sheet.error("is nested too deeply", "flatten it", line=line) from error
    except UnfitValueError as error:
        raise sheet.error(str(error), error.way_out, line=line) from error
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
        raise UnfitValueError(f"has {twice!r} twice in one object", "give each value its own name")
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
            content, start = error.object, error.start
            is_16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
            raise sheet.error(
                f"is not UTF-8: there is the byte 0x{content[start]:02x} at offset {start:,}",
                f"{'it looks like UTF-16: ' if is_16 else ''}save it as UTF-8; spreadsheets call "
                "that 'CSV UTF-8'",
                line=content[:start].count(b"\n") + 1,
            ) from error
        raise
    finally:
        if not file.closed:
            wrapper.detach()  # It would close the file, which is not its own.


FORMATS: dict[str, Callable[[Sheet, BinaryIO], Records]] = {
    **dict.fromkeys((".csv", ".tsv"), _as_table(_of_text)),
    **dict.fromkeys((".jsonl", ".ndjson"), _of_json_lines),
    ".xlsx": _as_table(_of_workbook),
}
"""Readers of the formats, by the extension of the file."""
