"""Gives the cells of each row the names that are in the header."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import TypeAlias

from handrail_upload.metadata.sheet import Sheet
from handrail_upload.metadata.values import UnfitValueError, json_value

Rows: TypeAlias = Iterator[tuple[int, Sequence[object]]]


def records(sheet: Sheet, rows: Rows) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield line and values of each row; the first of the `rows` is the header."""
    line, header = next(rows, (1, ()))
    columns = _columns(sheet, header, line)
    for line, cells in rows:
        if len(cells) > len(columns):
            _check_surplus(sheet, columns, cells, line)
        yield line, dict(zip(columns, cells, strict=False))


def _columns(sheet: Sheet, header: Sequence[object], line: int) -> list[str]:
    names = [_name(sheet, cell, line) for cell in header]
    # Spreadsheets like to save a few columns with nothing in them.
    while names and not names[-1]:
        names.pop()
    if not names:
        raise sheet.error(
            "has no header", "write the names of the columns first, such as file,label", line=line
        )
    places: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if not name:
            raise sheet.error(
                f"column {number} has no name",
                "name it, or leave it out (pandas: to_csv(..., index=False))",
                line=line,
            )
        if name in places:
            raise sheet.error(
                f"the columns {places[name]} and {number} are both called {name!r}",
                "give each column a name of its own",
                line=line,
            )
        places[name] = number
    return names


def _name(sheet: Sheet, cell: object, line: int) -> str:
    try:
        value = json_value(cell)
    except UnfitValueError as error:
        raise sheet.error(f"a name {error.message}", error.way_out, line=line) from error
    return "" if value is None else str(value).strip()


def _check_surplus(
    sheet: Sheet, columns: Sequence[str], cells: Sequence[object], line: int
) -> None:
    for number, (column, cell) in enumerate(zip_longest(columns, cells), 1):
        if column is None and cell is not None:
            raise sheet.error(
                f"has {repr(cell)[:40]} in column {number}, but there are {len(columns)} columns",
                "name the column in the header",
                "or put text with delimiters in it between quotes",
                line=line,
            )
