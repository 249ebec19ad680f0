"""SheetMetadata: reads a sheet of any known format, row by row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from handrail.frozen import frozen
from handrail.suggest import did_you_mean
from handrail_upload.metadata.formats import FORMATS
from handrail_upload.metadata.rows import JSONValue, Row
from handrail_upload.metadata.sheet import Sheet
from handrail_upload.metadata.values import UnfitValueError, json_value, text

KEYS = ("file", "filename", "file_name", "path", "name")


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
        by_extension = "\t" if path.suffix.lower() == ".tsv" else ","
        delimiter = self.delimiter or by_extension
        sheet = Sheet(path=path, delimiter=delimiter, max_bytes=self.max_bytes)
        sheet.check(FORMATS)
        return self._rows(sheet)

    def _rows(self, sheet: Sheet) -> Iterator[Row]:
        key: str | None = None
        try:
            with sheet.path.open("rb") as file:
                for line, record in FORMATS[sheet.extension](sheet, file):
                    key = self._key(sheet, record) if key is None else key
                    yield _row(sheet, key, record, line)
        except OSError as error:
            raise sheet.error(f"cannot be read: {error.strerror or error}") from error

    def _key(self, sheet: Sheet, record: Mapping[str, object]) -> str:
        columns = list(record)
        if self.key is not None:
            if self.key in record:
                return self.key
            listed = ", ".join([*columns[:12], *["..."] * (len(columns) > 12)])
            raise sheet.error(
                f"there is no column {self.key!r}, which is to have the names of the files",
                did_you_mean(self.key, columns) or f"columns: {listed}",
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


def _row(sheet: Sheet, key: str, record: Mapping[str, object], line: int) -> Row:
    keeps_null = sheet.extension in (".jsonl", ".ndjson")
    values: dict[str, JSONValue] = {}
    column = key
    try:
        name = text(_name(sheet, key, record.get(key), line))
        for column, cell in record.items():
            value = None if column == key else json_value(cell)
            if column != key and (value is not None or keeps_null):
                values[text(column)] = value
    except UnfitValueError as error:
        raise sheet.error(str(error), error.way_out, line=line, column=column) from error
    return Row(name=name, values=values, line=line)


def _name(sheet: Sheet, key: str, value: object, line: int) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)  # Spreadsheets make numbers of names such as 17.
    if value is None or (isinstance(value, str) and not value.strip()):
        problem = "no file is named here", "name it, or remove the row"
    elif not isinstance(value, str):
        way_out = "if another column has the names, say which: SheetMetadata(key=...)"
        problem = f"is no name of a file: {repr(value)[:40]}", way_out
    elif sheet.extension == ".xlsx" and value.startswith("="):
        what = f"is a formula, {value[:40]!r}, and formulas are not evaluated"
        problem = what, "copy the column and paste it as values"
    else:
        return value
    raise sheet.error(*problem, line=line, column=key)
