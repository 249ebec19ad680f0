"""Reads a table out of one file, of any format that people have tables in."""

from __future__ import annotations

import csv as csv_module
import gzip
import io
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from handrail.frozen import frozen
from handrail_train.data.source import split_sheet
from handrail_train.errors import DataError
from handrail_train.names import cut, some_of

_LEADING_ZERO = re.compile(r"0\d+")
_LOOKED_AT = 1 << 20  # Bytes that are looked at for numbers with leading zeros.
_IN_UTF8 = "save it as text in UTF-8"
_SMALLEST, _LARGEST = 1 << 20, 1 << 30  # Bytes of a block; types are inferred from the first.

# The content of a file: where it is, or itself.
Content = Path | bytes


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


_Reader = Callable[[Content, Part], Any]


def format_of(name: str) -> str | None:
    """Return the format of a file by its name; None for one that is no table."""
    lower = split_sheet(name)[0].lower().removesuffix(".gz")
    return next((kind for ending, kind in _FORMATS.items() if lower.endswith(ending)), None)


def read_table(
    content: Content,
    name: str,
    columns: Sequence[str] | None = None,
    texts: Sequence[str] = (),
) -> Any:
    """Return a file as a `pyarrow.Table`.

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
    kind = format_of(name) or "CSV"
    try:
        if name.lower().endswith(".gz"):
            packed = content.read_bytes() if isinstance(content, Path) else content
            content = gzip.decompress(packed)
        sheet = split_sheet(name)[1]
        table = _READERS[kind](content, Part(columns=columns, texts=texts, sheet=sheet))
        names: list[str] = table.column_names
    except DataError:
        raise
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise DataError(
            f"{name} cannot be read as {kind}: {cut(_said(error), 160)}",
            ways_out=getattr(error, "ways_out", ()) or (_way_out(content, kind, error),),
        ) from error
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{name} has the column {some_of(map(repr, twice))} more than once",
            ways_out=("give each column a name of its own",),
        )
    return table


def _said(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.object[error.start]:#04x} of a name is not UTF-8"
    return str(error)


def _way_out(content: Content, kind: str, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return "give whoever trains the right to read it"
    if kind not in ("CSV", "TSV", "JSON Lines"):
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
        with content.open("rb") as file:
            return file.read(size)
    except OSError:
        return b""


def _given(content: Content) -> Any:
    """Return what pyarrow reads from."""
    if isinstance(content, Path):
        return content
    return import_module("pyarrow").BufferReader(content)


def _size(content: Content) -> int:
    return content.stat().st_size if isinstance(content, Path) else len(content)


def _delimited(delimiter: str) -> _Reader:
    def read(content: Content, part: Part) -> Any:
        csv = import_module("pyarrow.csv")
        named = [*part.texts, *_with_leading_zeros(content, delimiter)]
        types = dict.fromkeys(named, import_module("pyarrow").string())
        # In one block if possible, so that whole numbers before a fraction are no error.
        size = min(max(_size(content) + 1, _SMALLEST), _LARGEST)

        def read_csv(*, use_threads: bool) -> Any:
            return csv.read_csv(
                _given(content),
                read_options=csv.ReadOptions(block_size=size, use_threads=use_threads),
                parse_options=csv.ParseOptions(delimiter=delimiter),
                convert_options=csv.ConvertOptions(strings_can_be_null=True, column_types=types),
            )

        try:
            return read_csv(use_threads=True)
        except import_module("pyarrow").ArrowInvalid:
            return read_csv(use_threads=False)  # Only this reports the row of the error.

    return read


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


def _json_lines(content: Content, part: Part) -> Any:
    json = import_module("pyarrow.json")
    size = min(max(_size(content) + 1, _SMALLEST), _LARGEST)
    return json.read_json(_given(content), read_options=json.ReadOptions(block_size=size))


def _parquet(content: Content, part: Part) -> Any:
    parquet = import_module("pyarrow.parquet")
    known = None
    if part.columns is not None:
        names = parquet.read_schema(_given(content)).names
        known = [each for each in names if each in part.columns]
    return parquet.read_table(_given(content), columns=known, partitioning=None)


def _arrow(content: Content, part: Part) -> Any:
    # A file as Feather has it, or a stream.
    pa = import_module("pyarrow")
    source = pa.memory_map(str(content)) if isinstance(content, Path) else _given(content)
    if _head(content, 6) == b"ARROW1":
        return pa.ipc.open_file(source).read_all()
    return pa.ipc.open_stream(source).read_all()


def _excel(content: Content, part: Part) -> Any:
    from handrail_arrow.excel import write_sheet  # noqa: PLC0415 - only for workbooks

    pa = import_module("pyarrow")
    with tempfile.TemporaryDirectory(prefix="handrail-") as folder:
        target = Path(folder, "sheet.arrow")
        try:
            source = content if isinstance(content, Path) else io.BytesIO(content)
            write_sheet(source, target, sheet=part.sheet)
        except ImportError as error:
            raise DataError(
                "Excel files are read by openpyxl, which is not installed",
                ways_out=("pip install 'handrail-train[excel]'", "or save it as CSV"),
            ) from error
        # What is mapped stays after its file is deleted.
        return pa.ipc.open_file(pa.memory_map(str(target))).read_all()


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
