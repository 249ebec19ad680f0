"""Reads a table out of one file, of any format that people have tables in, piece by piece."""

from __future__ import annotations

import csv as csv_module
import gzip
import io
import re
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from handrail.frozen import frozen
from handrail_train.data.source import split_sheet
from handrail_train.data.spool import BATCH
from handrail_train.errors import DataError
from handrail_train.names import cut, some_of

_LEADING_ZERO = re.compile(r"0\d+")
_LOOKED_AT = 1 << 20  # Bytes that are looked at for numbers with leading zeros.
_IN_UTF8 = "save it as text in UTF-8"
_BLOCK = 32 << 20  # Bytes of a text file that are read at once.
_BUFFER = 1 << 20  # Bytes of a column of a Parquet file that are read at once.

# The content of a file: where it is, itself, or the file opened.
Content = Path | bytes | IO[bytes]


@frozen
class Part:
    """The part of a file that is read.

    Attributes:
        columns: Only these, where that spares work; None for all.
        texts: Columns of a text file whose values are texts, whatever they look like.
        sheet: The name of a sheet; None for the first one.
    """

    columns: Sequence[str] | None = None
    texts: Sequence[str] = ()
    sheet: str | None = None


_Reader = Callable[[Content, Part], Iterator[Any]]


def format_of(name: str) -> str | None:
    """Return the format of a file by its name; None for one that is no table."""
    lower = split_sheet(name)[0].lower().removesuffix(".gz")
    return next((kind for ending, kind in _FORMATS.items() if lower.endswith(ending)), None)


def read_tables(
    content: Content,
    name: str,
    columns: Sequence[str] | None = None,
    texts: Sequence[str] = (),
) -> Iterator[Any]:
    """Yield the rows of a file as Arrow tables, of which each fits into memory; at least one.

    In a text file, numbers with leading zeros, such as postal codes, are texts.

    Args:
        content: The file, or its content.
        name: Its name, with the ending that tells its format, and the sheet: `book.xlsx#Orders`.
        columns: Only these, where that spares work.
        texts: Columns of a text file whose values are texts, whatever they look like.

    Raises:
        DataError: The file does not exist, cannot be read, or is not a table.
    """
    pa = import_module("pyarrow")
    if isinstance(content, Path) and not content.is_file():
        what = "is no file" if content.exists() else "is not there"
        raise DataError(f"{name} {what}", ways_out=("give a file with a table",))
    kind, rows = format_of(name) or "CSV", 0
    part = Part(columns=columns, texts=texts, sheet=split_sheet(name)[1])
    try:
        if name.lower().endswith(".gz"):
            content = _unpacked(content, kind)
        for table in _READERS[kind](content, part):
            _check_names(table.column_names, name)
            yield table
            rows += table.num_rows
    except DataError:
        raise
    except (pa.ArrowException, OSError, EOFError, ValueError, zlib.error) as error:
        after = f", after {rows:,} rows" if rows else ""
        raise DataError(
            f"{name} cannot be read as {kind}{after}: {cut(_said(error), 160)}",
            ways_out=getattr(error, "ways_out", ()) or (_way_out(content, kind, error),),
        ) from error


def _check_names(names: Sequence[str], file: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{file} has the column {some_of(map(repr, twice))} more than once",
            ways_out=("give each column a name of its own",),
        )


def _unpacked(content: Content, kind: str) -> Content:
    """Return what is in a gzip file: opened if it can be read from front to back."""
    packed = io.BytesIO(content) if isinstance(content, bytes) else content
    file = cast("IO[bytes]", gzip.open(packed))  # noqa: SIM115 - it is read by others
    if kind in _TEXTS:
        return file
    with file:
        return file.read()


def _said(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.object[error.start]:#04x} of a name is not UTF-8"
    return str(error)


def _way_out(content: Content, kind: str, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "give whoever trains the right to read it"
    if kind not in _TEXTS:
        return f"check that it is {kind}, and whole"
    if isinstance(error, UnicodeDecodeError) or b"\0" in _head(content, 1024):
        return _IN_UTF8
    if kind == "JSON Lines":
        return "check that each line is one JSON object"
    return "check that it is a table, with one header line and as many values in each"


def _head(content: Content, size: int) -> bytes:
    if isinstance(content, bytes):
        return content[:size]
    try:
        with _opened(content) as file:
            file.seek(0)
            return file.read(size)
    except (OSError, EOFError, zlib.error):
        return b""


@contextmanager
def _opened(content: Content) -> Generator[IO[bytes]]:
    """Open a file, if it is not yet."""
    if isinstance(content, Path):
        with content.open("rb") as file:
            yield file
    else:
        yield io.BytesIO(content) if isinstance(content, bytes) else content


def _given(content: Content) -> Any:
    """Return what pyarrow reads from."""
    if isinstance(content, bytes):
        return import_module("pyarrow").BufferReader(content)
    if not isinstance(content, Path):
        content.seek(0)
    return content


def _blocks(content: Content, *, quoted: bool) -> Iterator[bytes]:
    """Yield a text file in blocks that end with a row; one block if it is small.

    Args:
        content: The file.
        quoted: Whether there may be ends of lines between quotation marks, which end no row.
    """
    with _opened(content) as file:
        file.seek(0)
        rest, is_first = b"", True
        while len(some := file.read(_BLOCK)) == _BLOCK:
            block = rest + some
            end = _last_end(block, quoted=quoted)
            if end:
                yield block[:end]
                is_first = False
            rest = block[end:]
        if rest or some or is_first:
            yield rest + some


def _last_end(block: bytes, *, quoted: bool) -> int:
    """Return the place after the last row that is whole; 0 if there is none."""
    marks = block.count(b'"') if quoted else 0
    end = stop = len(block)
    while (end := block.rfind(b"\n", 0, end)) >= 0:
        if quoted:
            marks -= block.count(b'"', end, stop)
            stop = end
        if marks % 2 == 0:
            return end + 1
    return 0


def _delimited(delimiter: str) -> _Reader:
    def read(content: Content, part: Part) -> Iterator[Any]:
        named = [*part.texts, *_with_leading_zeros(content, delimiter)]
        types = dict.fromkeys(named, import_module("pyarrow").string())
        types |= _types(content, delimiter, types)
        yield from _csv_blocks(content, delimiter, types)

    return read


def _types(content: Content, delimiter: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return types for the columns of a file that take all its values; none if it is one block."""
    pa, found = import_module("pyarrow"), dict[str, Any]()
    with _opened(content) as file:
        file.seek(0)
        if len(file.read(_BLOCK)) < _BLOCK:
            return found
    try:
        for table in _csv_blocks(content, delimiter, known):
            for field in table.schema:
                found[field.name] = _fitting(found.get(field.name, field.type), field.type)
    except pa.ArrowInvalid:
        pass  # Reading it tells, and at which row.
    return found


def _fitting(one: Any, other: Any) -> Any:
    """Return a type that takes the values of both, as if they had been one block."""
    pa, types = import_module("pyarrow"), import_module("pyarrow.types")
    if one == other or types.is_null(other):
        return one
    if types.is_null(one):
        return other
    if {one, other} == {pa.int64(), pa.float64()}:
        return pa.float64()
    dates = (pa.date32(), pa.timestamp("s"), pa.timestamp("ns"))
    if one in dates and other in dates:
        return max(one, other, key=dates.index)
    return pa.string()


def _csv_blocks(content: Content, delimiter: str, types: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the blocks of a CSV file as tables."""
    csv, names = import_module("pyarrow.csv"), list[str]()

    def parsed(block: bytes, *, use_threads: bool) -> Any:
        return csv.read_csv(
            _given(block),
            read_options=csv.ReadOptions(
                block_size=len(block) + 1, column_names=names or None, use_threads=use_threads
            ),
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(strings_can_be_null=True, column_types=types),
        )

    for block in _blocks(content, quoted=True):
        try:
            table = parsed(block, use_threads=True)
        except import_module("pyarrow").ArrowInvalid:
            table = parsed(block, use_threads=False)  # Only this reports the row of the error.
        names = table.column_names
        yield table


def _with_leading_zeros(content: Content, delimiter: str) -> list[str]:
    """Return the columns in whose first rows a number has a leading zero."""
    text = _head(content, _LOOKED_AT).decode("utf-8-sig", errors="replace")
    rows = csv_module.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    found: set[int] = set()
    try:
        head: list[str] = next(rows, list[str]())
        for row in rows:
            found.update(n for n, value in enumerate(row) if _LEADING_ZERO.fullmatch(value))
    except csv_module.Error:  # pyarrow says what is wrong.
        return []
    return [name for place, name in enumerate(head) if place in found]


def _json_lines(content: Content, part: Part) -> Iterator[Any]:
    json = import_module("pyarrow.json")
    for block in _blocks(content, quoted=False):
        options = json.ReadOptions(block_size=len(block) + 1)
        yield json.read_json(_given(block), read_options=options)


def _parquet(content: Content, part: Part) -> Iterator[Any]:
    pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    # With a buffer before it, all of the file would be in memory.
    options = {"buffer_size": _BUFFER, "pre_buffer": False}
    with parquet.ParquetFile(_given(content), **options) as file:
        schema = file.schema_arrow
        if part.columns is not None:
            schema = pa.schema([each for each in schema if each.name in part.columns])
        yield schema.empty_table()
        for batch in file.iter_batches(BATCH, columns=schema.names):
            yield pa.Table.from_batches([batch])


def _arrow(content: Content, part: Part) -> Iterator[Any]:
    # A file as Feather has it, or a stream.
    pa = import_module("pyarrow")
    source = pa.memory_map(str(content)) if isinstance(content, Path) else _given(content)
    if _head(content, 6) == b"ARROW1":
        file = pa.ipc.open_file(source)
        batches = (file.get_batch(place) for place in range(file.num_record_batches))
    else:
        batches = file = pa.ipc.open_stream(source)
    yield file.schema.empty_table()
    for batch in batches:
        yield pa.Table.from_batches([batch])


def _excel(content: Content, part: Part) -> Iterator[Any]:
    from handrail_arrow.excel import write_sheet  # noqa: PLC0415 - only for workbooks

    with tempfile.TemporaryDirectory(prefix="handrail-") as folder:
        target = Path(folder, "sheet.arrow")
        try:
            source = io.BytesIO(content) if isinstance(content, bytes) else content
            write_sheet(cast("Path | BinaryIO", source), target, sheet=part.sheet)
        except ImportError as error:
            raise DataError(
                "Excel files are read by openpyxl, which is not installed",
                ways_out=("pip install 'handrail-train[excel]'", "or save it as CSV"),
            ) from error
        # What is mapped stays after its file is deleted.
        yield from _arrow(target, part)


_TEXTS = ("CSV", "TSV", "JSON Lines")
_READERS: Mapping[str, _Reader] = {
    "CSV": _delimited(","),
    "TSV": _delimited("\t"),
    "JSON Lines": _json_lines,
    "Parquet": _parquet,
    "Arrow": _arrow,
    "Excel": _excel,
}
_FORMATS: Mapping[str, str] = {
    ".csv": "CSV",
    ".tsv": "TSV",
    ".jsonl": "JSON Lines",
    ".ndjson": "JSON Lines",
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".xlsx": "Excel",
    ".xlsm": "Excel",
    **dict.fromkeys((".arrow", ".feather", ".ipc"), "Arrow"),
}
