"""SheetMetadata: reads a sheet of any known format, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

from handrail.frozen import frozen
from handrail.suggest import did_you_mean
from handrail_upload.metadata import table, xlsx
from handrail_upload.metadata.rows import JSONValue, Row
from handrail_upload.metadata.sheet import Sheet
from handrail_upload.metadata.text import cells, objects
from handrail_upload.metadata.values import UnfitValueError, json_value, text

KEYS = ("file", "filename", "file_name", "path", "name")

_Record = dict[str, object]
_Read = Callable[[Sheet, BinaryIO], Iterator[tuple[int, _Record]]]


@frozen
class _Format:
    read: _Read
    counts: Literal["line", "row"]
    delimiter: str = ","
    keeps_null: bool = False


def _as_table(cells: Callable[[Sheet, BinaryIO], table.Rows]) -> _Read:
    return lambda sheet, file: table.records(sheet, cells(sheet, file))


_CSV = _as_table(cells)
_FORMATS = {
    ".csv": _Format(read=_CSV, counts="line"),
    ".tsv": _Format(read=_CSV, counts="line", delimiter="\t"),
    ".jsonl": _Format(read=objects, counts="line", keeps_null=True),
    ".ndjson": _Format(read=objects, counts="line", keeps_null=True),
    ".xlsx": _Format(read=_as_table(xlsx.cells), counts="row"),
}
_NONE = _Format(read=_CSV, counts="row")


@frozen
class SheetMetadata:
    """Reads CSV, TSV, JSONL and XLSX by extension, with bounded memory.

    Values have JSON types. Empty cells of CSV and XLSX are left out; a null in JSONL stays None.
    CSV has text only, so `007` stays `007`. Dates and times are ISO 8601 text, formulas the text in
    the cell, such as `=A1+B1`; nothing is evaluated.

    Attributes:
        key: Column with the names of the files. None takes the first existing column of `file`,
            `filename`, `file_name`, `path` and `name`, in any case, or else the first column.
        delimiter: Character between the columns; None for a comma in .csv and a tab in .tsv.
        max_bytes: Size of the file, and of the unpacked content of XLSX.
    """

    key: str | None = None
    delimiter: str | None = None
    max_bytes: int = 256 * 1024 * 1024

    def rows(self, path: Path) -> Iterator[Row]:
        """Return the rows of the sheet at `path`, in its order, one at a time.

        A name may occur twice: detecting that would need all of them in memory.

        Raises:
            MetadataError: The file cannot be read, is too large, or is malformed. Errors of the
                file as a whole are raised at once, others when their row is read.
        """
        known = _FORMATS.get(path.suffix.lower(), _NONE)
        sheet = Sheet(
            path=path,
            counts=known.counts,
            delimiter=self.delimiter or known.delimiter,
            keeps_null=known.keeps_null,
            max_bytes=self.max_bytes,
        )
        sheet.check(_FORMATS)
        return self._rows(sheet, known.read)

    def _rows(self, sheet: Sheet, read: _Read) -> Iterator[Row]:
        key: str | None = None
        try:
            with sheet.path.open("rb") as file:
                for line, record in read(sheet, file):
                    if key is None:
                        key = self._key(sheet, record)
                    yield _row(sheet, key, record, line)
        except OSError as error:
            raise sheet.error(f"cannot be read: {error.strerror or error}") from error

    def _key(self, sheet: Sheet, record: _Record) -> str:
        columns = list(record)
        if self.key is not None:
            if self.key in record:
                return self.key
            raise sheet.error(
                f"there is no column {self.key!r}, which is to have the names of the files",
                did_you_mean(self.key, columns) or f"columns: {_listed(columns)}",
            )
        by_folded = {column.casefold(): column for column in reversed(columns)}
        for candidate in KEYS:
            if candidate in by_folded:
                return by_folded[candidate]
        if not columns:
            raise sheet.error("begins with an object that has no values")
        _check_header(sheet, columns[0], record[columns[0]])
        return columns[0]


def _check_header(sheet: Sheet, column: str, first: object) -> None:
    """Check that a table has a header, since the first file would be lost otherwise."""
    extension = PurePosixPath(column).suffix
    if extension and isinstance(first, str) and PurePosixPath(first).suffix == extension:
        raise sheet.error(
            f"the header is missing: {column!r} looks like a file, not like the name of a column",
            "write the names of the columns first, such as file,label",
            f"or, if that is its name: SheetMetadata(key={column!r})",
        )


def _row(sheet: Sheet, key: str, record: _Record, line: int) -> Row:
    name = _name(sheet, key, record.get(key), line)
    values: dict[str, JSONValue] = {}
    for column, cell in record.items():
        if column == key:
            continue
        try:
            value = json_value(cell)
            if value is not None or sheet.keeps_null:
                values[text(column)] = value
        except UnfitValueError as error:
            raise sheet.error(error.message, error.way_out, line=line, column=column) from error
    return Row(name=name, values=values, line=line)


def _name(sheet: Sheet, key: str, value: object, line: int) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # Spreadsheets make numbers of names such as 17.
    if value is None or (isinstance(value, str) and not value.strip()):
        raise sheet.error(
            "no file is named here", "name it, or remove the row", line=line, column=key
        )
    if not isinstance(value, str):
        raise sheet.error(
            f"is no name of a file: {repr(value)[:40]}",
            "if another column has the names, say which: SheetMetadata(key=...)",
            line=line,
            column=key,
        )
    if sheet.path.suffix.lower() == ".xlsx" and value.startswith("="):
        raise sheet.error(
            f"is a formula, {value[:40]!r}, and formulas are not evaluated",
            "copy the column and paste it as values",
            line=line,
            column=key,
        )
    try:
        return text(value)
    except UnfitValueError as error:
        raise sheet.error(error.message, error.way_out, line=line, column=key) from error


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
