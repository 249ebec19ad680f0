"""Reads sheets of Excel workbooks as Arrow files, a part at a time; needs openpyxl."""

from __future__ import annotations

import datetime
import re
import tempfile
import warnings
import zipfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO
from xml.parsers import expat

from handrail.frozen import frozen

__all__ = [
    "ExcelError",
    "ExcelSizeError",
    "Sheet",
    "load_workbook",
    "read_rows",
    "split_address",
    "write_sheet",
]

MOST_BYTES = 256 << 20  # Of an unpacked workbook.
# https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3
_MOST_ROWS = 1_048_576
_OLE = bytes.fromhex("d0cf11e0a1b11ae1")
_SAVE = "save it as .xlsx, without a password, or the sheet as .csv"

_CELLS = 1 << 18  # In a batch, but no more rows than the next.
_ROWS = 1 << 16
_BLOCK = 1 << 16
_BATCH = 256  # Rows that are read at a time.
_WHOLE = range(-(1 << 63), 1 << 63)
_MIDNIGHT = datetime.time()
_ADDRESS = re.compile(r"(?is)(?P<place>.*\.xls[xm])#(?P<sheet>.+)")
_FORMULA = re.compile(rb"<(?:\w+:)?f[\s/>]")
# By the exact type, as a bool is an int, and a datetime a date.
_KINDS: Mapping[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a text",
    datetime.datetime: "a date",
    datetime.date: "a date",
    datetime.time: "a time",
    datetime.timedelta: "a duration",
}


class ExcelError(ValueError):
    """A workbook cannot be read, has no such sheet, or a cell does not fit its column.

    Attributes:
        message: The problem, with the cell.
        ways_out: What to do about it; one line each.
    """

    def __init__(self, message: str, *, ways_out: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.ways_out = tuple(ways_out)


class ExcelSizeError(ExcelError):
    """A workbook is larger than allowed once it is unpacked."""


@frozen
class Sheet:
    """A sheet that was read.

    Attributes:
        name: Its name.
        others: The names of the other sheets of its workbook.
        rows: Number of rows below that with the names.
    """

    name: str
    others: tuple[str, ...]
    rows: int


def split_address(address: str) -> tuple[str, str | None]:
    """Return the place of a workbook, and the sheet that `book.xlsx#Orders` names, or None."""
    found = _ADDRESS.fullmatch(address)
    return (found["place"], found["sheet"]) if found else (address, None)


def load_workbook(file: BinaryIO, *, data_only: bool, most_bytes: int = MOST_BYTES) -> Any:
    """Return a workbook of openpyxl whose rows are read one at a time; nothing is evaluated.

    Args:
        file: The workbook, which has to stay open.
        data_only: Whether a formula is its result; else it is its text.
        most_bytes: How large it may be once it is unpacked.

    Raises:
        ExcelSizeError: It is larger.
        ExcelError: It is no workbook, or declares entities.
        ImportError: openpyxl is not installed.
    """
    load = import_module("openpyxl").load_workbook
    try:
        _check_archive(file, most_bytes)
        file.seek(0)
        with _no_warnings():
            return load(file, read_only=True, data_only=data_only, keep_links=False)
    except ExcelError:
        raise
    except Exception as error:  # Whatever is in a file that is no workbook.
        raise ExcelError(
            f"it is no Excel workbook, or only a part of one: {_said(error)}", ways_out=(_SAVE,)
        ) from error


def read_rows(sheet: Any, *, values_only: bool = False) -> Iterator[Sequence[Any]]:
    """Yield the cells of each row, also of those beyond the size that a sheet claims to have.

    Args:
        sheet: A sheet of a workbook of `load_workbook`.
        values_only: Whether to yield the values in place of the cells.

    Raises:
        ExcelError: The sheet is broken, or has more rows than a workbook may.
    """
    sheet.reset_dimensions()
    rows: Iterator[Sequence[Any]] = sheet.iter_rows(values_only=values_only)
    count = 0
    while True:
        try:
            with _no_warnings():
                batch = list(islice(rows, _BATCH))
        except Exception as error:  # Whatever is in a sheet that is broken.
            raise ExcelError(
                f"the sheet {sheet.title} is broken: {_said(error)}", ways_out=(_SAVE,)
            ) from error
        count += len(batch)
        if count > _MOST_ROWS:
            raise ExcelError(f"it has more than {_MOST_ROWS:,} rows, as no workbook may")
        if not batch:
            return
        yield from batch


@contextmanager
def _no_warnings() -> Generator[None]:
    """Keep openpyxl from warning of styles and extensions, which do not matter here.

    Filters are shared by all threads, so this must not stay open while other code runs.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _check_archive(file: BinaryIO, most_bytes: int) -> None:
    """Check that a file is an archive that is not too large, before anything is unpacked."""
    file.seek(0)
    if file.read(len(_OLE)) == _OLE:
        raise ExcelError("it is an old .xls workbook, or has a password", ways_out=(_SAVE,))
    with zipfile.ZipFile(file) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        if size > most_bytes:
            raise ExcelSizeError(
                f"it has {size:,} bytes when it is unpacked; {most_bytes:,} are allowed",
                ways_out=("save the sheet as .csv",),
            )
        for entry in archive.infolist():
            with archive.open(entry) as part:
                _check_no_doctype(entry.filename, part)


def _check_no_doctype(name: str, part: IO[bytes]) -> None:
    """Refuse entities, which may grow without end; the standard has none in workbooks."""
    parser = expat.ParserCreate()
    seen: list[str] = []

    def refuse(*_: object) -> None:
        raise ExcelError(
            f"{name} in it declares a document type, as no workbook may", ways_out=(_SAVE,)
        )

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda tag, _: seen.append(tag)
    # Parts other than XML, such as a picture, are never parsed.
    with suppress(expat.ExpatError):
        while not seen and (chunk := part.read(_BLOCK)):
            parser.Parse(chunk)


def write_sheet(
    book: Path | BinaryIO, target: Path, *, sheet: str | None = None, text: bool = False
) -> Sheet:
    """Write the rows of a sheet to a new Arrow file.

    The first row with values has the names of the columns; empty rows are left out, and empty texts
    are missing values. Numbers are whole if all of a column are, and times are dates if all are at
    midnight. Only some rows, and the distinct texts of the workbook, are in memory, and about 150
    bytes for each row of what openpyxl has read.

    Args:
        book: The workbook, as a file or opened.
        target: The Arrow file.
        sheet: The name of the sheet; the first one by default.
        text: Whether all values become text, whatever they are.

    Raises:
        ExcelError: The workbook cannot be read, is too large, or a cell does not fit its column.
        ImportError: openpyxl is not installed.
        OSError: A file cannot be read or written.
    """
    with _opened(book) as opened:
        names, rows = _find(opened, sheet)
        table = _Table(names[0], text=text)
        with tempfile.TemporaryDirectory(prefix="sheet-", dir=target.parent) as folder:
            parts = [
                _write(Path(folder, f"{number}.arrow"), batch.schema, (batch,))
                for number, batch in enumerate(table.batches(rows))
            ]
            schema = table.schema()
            _write(target, schema, (_cast(batch, schema) for batch in _read(parts)))
    return Sheet(name=names[0], others=names[1:], rows=table.rows)


@contextmanager
def _opened(book: Path | BinaryIO) -> Generator[BinaryIO]:
    if not isinstance(book, Path):
        yield book
        return
    with book.open("rb") as file:
        yield file


def _find(file: BinaryIO, wanted: str | None) -> tuple[tuple[str, ...], Iterator[Sequence[Any]]]:
    """Return the names of all sheets, the wanted one first, and its rows of cells."""
    book = load_workbook(file, data_only=True)
    names = [each.title for each in book.worksheets]
    name = names[0] if wanted is None and names else wanted
    if name not in names:
        there = f"sheets: {', '.join(names)}" if names else "it has no sheets with cells"
        raise ExcelError(f"it has no sheet {wanted}", ways_out=(there,))
    rows = read_rows(book[name])
    if _has_formulas(file):
        written = load_workbook(file, data_only=False)[name]
        rows = _with_results(rows, read_rows(written))
    return (str(name), *(each for each in names if each != name)), rows


def _has_formulas(file: BinaryIO) -> bool:
    """Return whether a sheet of the workbook has a formula."""
    with zipfile.ZipFile(file) as book:
        for name in book.namelist():
            if not name.startswith("xl/worksheets/"):
                continue
            with book.open(name) as sheet:
                before = b""
                while block := sheet.read(_BLOCK):
                    if _FORMULA.search(before + block):
                        return True
                    before = block[-100:]
    return False


def _with_results(
    values: Iterator[Sequence[Any]], formulas: Iterator[Sequence[Any]]
) -> Iterator[Sequence[Any]]:
    """Yield rows of values; a formula without one is an error, and not an empty cell."""
    for row, written in zip(values, formulas, strict=True):
        for cell, formula in zip(row, written, strict=True):
            # A result that is an empty text has a type, and no value.
            if formula.data_type == "f" and cell.value is None and cell.data_type != "str":
                raise ExcelError(
                    f"{cell.coordinate} has a formula whose result is not in the file",
                    ways_out=("open it in Excel or LibreOffice, and save it",),
                )
        yield row


class _Column:
    """The values of a column, and what is known of all of them so far."""

    def __init__(self, name: str, *, text: bool) -> None:
        self.name = name
        self.values: list[Any] = []
        self._text = text
        self._kind = "a text" if text else ""
        self._first = ""  # The first cell of that kind.
        self._whole = self._dates = True  # Of all values.
        self._whole_part = True  # Of those that wait.

    def add(self, cell: Any) -> None:
        """Add the value of a cell.

        Raises:
            ExcelError: It is an error, or of another kind than those before it.
        """
        value = cell.value
        if self._text:
            self.values.append(_text(value))
            return
        if value is None or value == "":
            self.values.append(None)
            return
        kind = _KINDS[type(value)]
        if cell.data_type == "e":
            raise ExcelError(
                f"{cell.coordinate} is an error: {value}", ways_out=("mend or empty the cell",)
            )
        if not self._kind:
            self._kind, self._first = kind, cell.coordinate
        elif kind != self._kind:
            raise ExcelError(
                f"the column {self.name} has {self._kind} in {self._first}, and {kind} in "
                f"{cell.coordinate}: {_shown(value)}",
                ways_out=("mend or empty the cell",),
            )
        if kind == "a number":
            if type(value) is float or value not in _WHOLE:
                self._whole = self._whole_part = False
        elif kind == "a date" and type(value) is datetime.datetime:
            self._dates = self._dates and value.time() == _MIDNIGHT
        self.values.append(value)

    def take(self) -> Any:
        """Return the values as an Arrow array, of a type that they have so far; forget them."""
        pa = import_module("pyarrow")
        values, self.values = self.values, []
        kind: Any = self._type(whole=self._whole_part, dates=False)
        if kind == pa.float64():
            values = [None if each is None else float(each) for each in values]
        self._whole_part = True
        return pa.array(values, kind)

    def type(self) -> Any:
        """Return the Arrow type of all values."""
        return self._type(whole=self._whole, dates=self._dates)

    def _type(self, *, whole: bool, dates: bool) -> Any:
        pa = import_module("pyarrow")
        match self._kind:
            case "a boolean":
                return pa.bool_()
            case "a number":
                return pa.int64() if whole else pa.float64()
            case "a date":
                return pa.date32() if dates else pa.timestamp("us")
            case "a time":
                return pa.time64("us")
            case "a duration":
                return pa.duration("us")
            case _:
                return pa.string()


class _Table:
    """Makes batches of the rows of a sheet."""

    def __init__(self, sheet: str, *, text: bool) -> None:
        self.rows = 0
        self._sheet = sheet
        self._text = text
        self._columns: dict[int, _Column] = {}
        self._waiting = 0

    def batches(self, rows: Iterator[Sequence[Any]]) -> Iterator[Any]:
        """Yield the rows as batches, each of the types that its values have so far.

        Raises:
            ExcelError: A column has no name or one that is taken, or a cell does not fit.
        """
        filled = (row for row in rows if any(each.value not in (None, "") for each in row))
        head = next(filled, None)
        if head is None:
            raise ExcelError(f"the sheet {self._sheet} is empty, without even the names of columns")
        self._name(head)
        most = max(1, min(_ROWS, _CELLS // len(self._columns)))
        for row in filled:
            self._add(row)
            if self._waiting == most:
                yield self._take()
        if self._waiting:
            yield self._take()

    def schema(self) -> Any:
        """Return the Arrow schema of all rows."""
        pa = import_module("pyarrow")
        return pa.schema([(each.name, each.type()) for each in self._columns.values()])

    def _name(self, head: Sequence[Any]) -> None:
        cells: dict[str, str] = {}
        for place, cell in enumerate(head):
            name = _text(cell.value)
            if not name:
                continue
            if name in cells:
                raise ExcelError(
                    f"two columns are called {name}: {cells[name]} and {cell.coordinate}",
                    ways_out=("give each a name of its own",),
                )
            cells[name] = cell.coordinate
            self._columns[place] = _Column(name, text=self._text)

    def _add(self, row: Sequence[Any]) -> None:
        width, columns = len(row), self._columns
        for place, column in columns.items():
            if place < width:
                column.add(row[place])
            else:
                column.values.append(None)
        for place, cell in enumerate(row):
            if cell.value is not None and place not in columns:
                raise ExcelError(
                    f"{cell.coordinate} has a value, and its column has no name in the first row",
                    ways_out=("give it a name", "or have nothing but the table in the sheet"),
                )
        self.rows += 1
        self._waiting += 1

    def _take(self) -> Any:
        pa = import_module("pyarrow")
        self._waiting = 0
        names = [each.name for each in self._columns.values()]
        return pa.record_batch([each.take() for each in self._columns.values()], names=names)


def _write(path: Path, schema: Any, batches: Any) -> Path:
    ipc = import_module("pyarrow.ipc")
    with path.open("xb") as file, ipc.new_file(file, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return path


def _read(paths: Sequence[Path]) -> Iterator[Any]:
    ipc = import_module("pyarrow.ipc")
    for path in paths:
        with path.open("rb") as file:
            reader = ipc.open_file(file)
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


def _cast(batch: Any, schema: Any) -> Any:
    pa = import_module("pyarrow")
    # Whole numbers may lose digits where others have fractions, as they have in Excel.
    columns = [
        column.cast(field.type, safe=False)
        for column, field in zip(batch.columns, schema, strict=True)
    ]
    return pa.record_batch(columns, schema=schema)


def _text(value: object) -> str | None:
    """Return the text of a value; dates without a time, as Excel shows them."""
    match value:
        case None | "":
            return None
        case bool():
            return str(value).lower()
        case datetime.datetime():
            return str(value.date()) if value.time() == _MIDNIGHT else str(value)
        case _:
            return str(value)


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
