"""Reads the first sheet of an Excel workbook, without evaluating anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, BinaryIO

from handrail_upload.metadata.sheet import Sheet


def cells(sheet: Sheet, file: BinaryIO) -> Iterator[tuple[int, Sequence[object]]]:
    """Yield number and cells of each row that is not blank; empty cells are None.

    A formula is the text that is in the cell, such as `=A1+B1`. The format is ECMA-376.
    """
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
    if value == "":
        return None
    # Formulas of several cells are objects: ArrayFormula has a text, DataTableFormula a range.
    if type(value).__module__.startswith("openpyxl."):
        return str(getattr(value, "text", None) or f"=TABLE({getattr(value, 'ref', '')})")
    return value
