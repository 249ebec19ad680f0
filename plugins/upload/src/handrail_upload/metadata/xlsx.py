"""Reads the first sheet of an Excel workbook, without evaluating anything."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import islice
from typing import IO, Any, BinaryIO
from xml.parsers import expat

from handrail_upload.errors import MetadataError
from handrail_upload.metadata.sheet import Sheet

# https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
_MOST_ROWS = 1_048_576
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_CHUNK = 64 * 1024
_BATCH = 256
_SAVE = "save it as .xlsx in a spreadsheet, or as .csv"

# Exceptions that openpyxl raises for files that are not workbooks.
_BROKEN = (
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    expat.ExpatError,
    zipfile.BadZipFile,
    zlib.error,
)


def cells(sheet: Sheet, file: BinaryIO) -> Iterator[tuple[int, Sequence[object]]]:
    """Yield number and cells of each row that is not blank; empty cells are None.

    A formula is the text that is in the cell, such as `=A1+B1`. The format is ECMA-376.
    """
    load_workbook = _openpyxl(sheet)
    _check_archive(sheet, file)
    try:
        with _no_warnings():
            workbook = load_workbook(file, read_only=True, keep_links=False)
        worksheet = workbook.worksheets[0] if workbook.worksheets else None
    except _BROKEN as error:
        raise _no_workbook(sheet, error) from error
    if worksheet is None:
        raise sheet.error("has no sheet with cells", "put the table into the first sheet")
    # The dimensions in the file may be wrong.
    worksheet.reset_dimensions()
    rows = worksheet.iter_rows(values_only=True)
    for number, row in enumerate(_in_batches(sheet, rows), 1):
        if number > _MOST_ROWS:
            raise sheet.error(f"has more than {_MOST_ROWS:,} rows, as no workbook may", _SAVE)
        found = [_content(value) for value in row]
        if any(value is not None for value in found):
            yield number, found


def _in_batches(sheet: Sheet, rows: Iterator[tuple[object, ...]]) -> Iterator[tuple[object, ...]]:
    while True:
        try:
            with _no_warnings():
                batch = list(islice(rows, _BATCH))
        except _BROKEN as error:
            raise _no_workbook(sheet, error) from error
        if not batch:
            return
        yield from batch


@contextmanager
def _no_warnings() -> Generator[None, None, None]:
    """Keep openpyxl from warning of styles and extensions, which do not matter here.

    Filters are shared by all threads, so this must not stay open while other code runs.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _openpyxl(sheet: Sheet) -> Any:
    try:
        return import_module("openpyxl").load_workbook
    except ImportError as error:
        raise sheet.error(
            "reading .xlsx needs openpyxl, which is not installed",
            "pip install 'handrail-upload[xlsx]'",
            "or save the sheet as .csv",
        ) from error


def _content(value: Any) -> object:
    if value == "":
        return None
    # Formulas of several cells are objects: ArrayFormula has a text, DataTableFormula a range.
    if type(value).__module__.startswith("openpyxl."):
        return str(getattr(value, "text", None) or f"=TABLE({getattr(value, 'ref', '')})")
    return value


def _check_archive(sheet: Sheet, file: BinaryIO) -> None:
    """Check that a file is an archive, and not too large once it is unpacked."""
    start = file.read(len(_OLE))
    file.seek(0)
    if start == _OLE:
        raise sheet.error("is an old .xls workbook, or has a password", _SAVE)
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > sheet.limits.max_bytes:
                raise sheet.exceeds("max_bytes", f"has {size:,} bytes when it is unpacked")
            for entry in archive.infolist():
                with archive.open(entry) as part:
                    _check_no_doctype(sheet, entry.filename, part)
    except MetadataError:
        raise
    except _BROKEN as error:
        raise _no_workbook(sheet, error) from error
    file.seek(0)


def _check_no_doctype(sheet: Sheet, name: str, part: IO[bytes]) -> None:
    """Refuse entities, which may grow without end; the standard has none in workbooks."""
    parser = expat.ParserCreate()
    seen: list[str] = []

    def refuse(*_: object) -> None:
        raise sheet.error(f"{name} in it declares a document type, as no workbook may", _SAVE)

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda tag, _: seen.append(tag)
    # Parts other than XML, such as a picture, are never parsed.
    with suppress(expat.ExpatError):
        while not seen and (chunk := part.read(_CHUNK)):
            parser.Parse(chunk)


def _no_workbook(sheet: Sheet, error: BaseException) -> MetadataError:
    first = (str(error).splitlines() or [""])[0]
    said = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return sheet.error(f"is not a workbook that can be read: {said}", _SAVE)
