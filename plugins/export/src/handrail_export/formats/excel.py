"""Excel workbooks with one sheet."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from handrail_export.errors import FormatError
from handrail_export.formats.format import RowFormat

if TYPE_CHECKING:
    from handrail_export.rows import Column, Rows

_MOST_ROWS = (1 << 20) - 1  # And one for the names of the columns.
_MOST_COLUMNS = 1 << 14
_MOST_CHARACTERS = 32767
_MOST_DIGITS = 15
_EXACT = 10**_MOST_DIGITS
_FIRST_DAY = datetime.date(1900, 3, 1)  # Before it, Excel counts a day that there never was.


class ExcelFormat(RowFormat):
    """An Excel workbook with one sheet, and the names of the columns in its first row.

    Excel keeps 15 digits of a whole or decimal number, and days from March 1900 on. What it would
    change is text.
    """

    ending: ClassVar[str] = ".xlsx"

    def check(self, columns: Sequence[Column]) -> None:
        if len(columns) > _MOST_COLUMNS:
            raise FormatError(
                f"a sheet of Excel has at most {_MOST_COLUMNS:,} columns, and there are"
                f" {len(columns):,}",
                ways_out=("choose some of them: --column", "or another format: --format parquet"),
            )
        _openpyxl()

    def write(self, rows: Rows, path: Path, partition_by: Sequence[str] = ()) -> int:
        openpyxl = _openpyxl()
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("rows")
        cell: Callable[..., Any] = import_module("openpyxl.cell").WriteOnlyCell
        names = [each.name for each in rows.columns]
        count = 0
        try:
            sheet.append([_cell(cell, sheet, name, name) for name in names])
            for batch in rows.batches("cells"):
                count += batch.num_rows
                if count > _MOST_ROWS:
                    raise FormatError(
                        f"a sheet of Excel has at most {_MOST_ROWS:,} rows, and there are more",
                        ways_out=("another format: --format parquet", "or fewer rows: --where"),
                    )
                for row in zip(*map(_values, batch.columns, names), strict=True):
                    sheet.append(
                        [
                            _cell(cell, sheet, value, name)
                            for name, value in zip(names, row, strict=True)
                        ]
                    )
        finally:
            sheet.close()  # Else the file in which it waits would stay.
        with open(path, "xb") as file:
            book.save(file)
        return count


def _openpyxl() -> Any:
    try:
        return import_module("openpyxl")
    except ImportError as error:
        raise FormatError(
            "what writes Excel workbooks is not installed: openpyxl",
            ways_out=("pip install 'handrail-export[xlsx]'",),
        ) from error


def _values(column: Any, name: str) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError) as error:
        raise FormatError(
            f"the column {name} has a time that Excel cannot have: {error}",
            ways_out=("take it as text, in --query: CAST(column AS VARCHAR)",),
        ) from error
    return values


def _cell(make: Callable[..., Any], sheet: Any, value: Any, name: str) -> Any:
    """Return a cell of a value; text where Excel would change it."""
    value = _kept(value)
    if isinstance(value, float) and float(f"{value:.16g}") != value:
        exact = make(sheet, value=repr(value))
        exact.data_type = "n"  # Written as it is, and not with the 16 digits of openpyxl.
        return exact
    if not isinstance(value, str):
        return value
    if len(value.encode("utf-16-le")) // 2 > _MOST_CHARACTERS:
        raise FormatError(
            f"a text in the column {name} has more than the {_MOST_CHARACTERS:,} characters of a"
            " cell of Excel",
            ways_out=("another format: --format parquet",),
        )
    try:
        made = make(sheet, value=value)
    except import_module("openpyxl.utils.exceptions").IllegalCharacterError as error:
        raise FormatError(
            f"a text in the column {name} has a control character, which Excel does not take",
            ways_out=("another format: --format parquet",),
        ) from error
    made.data_type = "s"  # Else a text that begins with = would be a formula.
    return made


def _kept(value: Any) -> Any:
    """Return a value that Excel keeps, or else its text."""
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if abs(value) < _EXACT else str(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return value if len(value.as_tuple().digits) <= _MOST_DIGITS else str(value)
        case datetime.datetime():
            exact = value.date() >= _FIRST_DAY and value.microsecond % 1000 == 0
            return value if exact else value.isoformat(" ")
        case datetime.date():
            return value if value >= _FIRST_DAY else value.isoformat()
        case datetime.time():
            return value if value.microsecond % 1000 == 0 else value.isoformat()
        case _:
            return str(value)
