"""Files of rows: Parquet, CSV and JSON Lines, read by the engine itself, Arrow files and sheets."""

from __future__ import annotations

import csv
import glob
import gzip
import json
import os
import re
import shutil
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO, cast

from handrail_export.choice import check_names
from handrail_export.errors import SourceError
from handrail_export.names import listed, said
from handrail_export.sources.address import MAIN, Address
from handrail_export.sources.binding import quoted
from handrail_export.sources.fetched import Fetched
from handrail_export.sources.source import Source
from handrail_export.staging import convert_disk_errors
from handrail_storage import count_text

_DELIMITER = re.compile("[,;\t|]")
_RENAMED = re.compile(r"(?P<name>.*)_[0-9]+", re.DOTALL)
_DELIMITERS = ",;\t|"
_AS_TEXT = "to take all values as text: --csv-types text"


class FileSource(Source):
    """A file of rows, or those that match a pattern.

    Args:
        address: Their address.
        name: Their name in a query.
        text: Whether all values of CSV are taken as text.
        fetched: The copies of objects on this machine; needed for objects only.
        sheets: A folder for sheets of workbooks as Arrow files, that `close` deletes; needed for
            workbooks only.
    """

    def __init__(
        self,
        address: Address,
        *,
        name: str = MAIN,
        text: bool = False,
        fetched: Fetched | None = None,
        sheets: Path | None = None,
    ) -> None:
        self.address = address
        self.name = name
        self.shown = address.shown
        self._text = text
        self._fetched = fetched
        self._sheets = sheets
        self._found: tuple[str, ...] = ()
        self._notes: list[str] = []
        self._dataset: Any = None

    def open(self) -> None:
        if self._found:
            return
        if self._fetched is not None:
            self._found = self._fetched.files(self.address)
            return
        place = self.address.place
        shown = {place: self.shown}
        if os.path.isfile(place):
            self._found = (place,)
        elif os.path.isdir(place):
            raise SourceError(f"{self.shown} is a folder")
        else:
            self._found = tuple(sorted(glob.glob(place, recursive=True)))
            if glob.has_magic(place):
                self.shown = f"{self.address.shown} ({count_text(len(self._found), 'file')})"
        if not self._found:
            raise SourceError(f"there is no file {self.address.shown}")
        for path in self._found:
            _check_readable(path, shown.get(path, path))

    @property
    def paths(self) -> tuple[str, ...]:
        return self._found

    @property
    def relation(self) -> str:
        files = f"[{', '.join(literal(path) for path in self._found)}]"
        match self.address.kind:
            case "parquet":
                read = f"read_parquet({files}, hive_partitioning = false)"
                changed = [
                    *(f"CAST({name} AS TIME) AS {name}" for name in map(quoted, self._times())),
                    *(_refused(name, self.shown) for name in self._too_wide()),
                ]
                return f"(SELECT * REPLACE ({', '.join(changed)}) FROM {read})" if changed else read
            case "jsonl":
                # All lines tell the columns: a key that only the last one has is one of them.
                return (
                    f"read_json({files}, format = 'newline_delimited', hive_partitioning = false,"
                    f" sample_size = -1, maximum_sample_files = {len(self._found)})"
                )
            case "arrow" | "excel":
                return quoted(f"handrail {self.name}")
            case _:
                text = ", all_varchar = true" if self._text else ""
                return f"read_csv({files}, hive_partitioning = false{text})"

    @property
    def registered(self) -> Mapping[str, Any]:
        if not self._is_arrow:
            return {}
        return {f"handrail {self.name}": self._arrow()}

    def estimate(self) -> int | None:
        self.open()
        if self._is_arrow:
            with self._converting_errors("an Arrow file"):
                return int(self._arrow().count_rows())
        if self.address.kind != "parquet":
            return None
        parquet = import_module("pyarrow.parquet")
        with self._converting_errors("a Parquet file"):
            return sum(int(parquet.read_metadata(path).num_rows) for path in self._found)

    def notes(self) -> Iterator[str]:
        yield from self._notes
        if self.address.kind == "parquet":
            pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
            with self._converting_errors("a Parquet file"):
                schema = parquet.read_schema(self._found[0])
            for field in schema:
                if pyarrow.types.is_duration(field.type):
                    yield (
                        f"the column {field.name} of {self.shown} has durations, which become"
                        f" whole numbers: how many {_UNITS[field.type.unit]} each takes"
                    )

    def check(self, columns: Sequence[str]) -> None:
        if _may_be_renamed(columns):
            check_names(
                self._names(len(columns)),
                self.shown,
                way_out="give each another name, such as --query 'SELECT "
                f"{', '.join(map(quoted, columns[:2]))} AS other FROM {self.name}'",
            )
        # If the lines have different numbers of values, each line is read as a single value.
        if self.address.kind != "csv" or len(columns) != 1 or not _DELIMITER.search(columns[0]):
            return
        with _opened(self._found[0]) as file:
            line = file.readline().rstrip("\r\n")
        if line == columns[0]:
            raise SourceError(
                f"{self.shown} makes no table: its lines do not have as many values as the "
                f"first, which is {line[:60]}",
                ways_out=("mend the lines that have more or fewer",),
            )

    def failure(self, error: BaseException) -> SourceError:
        told = super().failure(error)
        if self.address.kind != "csv" or self._text:
            return told
        return SourceError(told.message, ways_out=(_AS_TEXT,))

    def close(self) -> None:
        self._dataset = None
        if self._sheets is not None:
            shutil.rmtree(self._sheets, ignore_errors=True)
        if self._fetched is not None:
            self._found = ()
            self._fetched.close()

    @property
    def _is_arrow(self) -> bool:
        """Whether Arrow reads the files, and not the engine."""
        return self.address.kind in ("arrow", "excel")

    def _arrow(self) -> Any:
        if self._dataset is None:
            files = list(self._found) if self.address.kind == "arrow" else self._read_sheets()
            with self._converting_errors("an Arrow file"):
                schema = self._common_schema(files)
                dataset = import_module("pyarrow.dataset").dataset
                self._dataset = dataset(files, schema=schema, format="ipc")
        return self._dataset

    def _common_schema(self, files: Sequence[str]) -> Any:
        """Return the schema of all Arrow files, which may differ in the types of numbers only.

        Raises:
            SourceError: They have other columns, or types that do not fit together.
        """
        pyarrow = import_module("pyarrow")
        schemas: list[Any] = []
        for path in files:
            with open(path, "rb") as file:
                schemas.append(pyarrow.ipc.open_file(file).schema)
        for path, schema in zip(self._found, schemas, strict=True):
            if schema.names != schemas[0].names:
                others = listed(sorted({*schema.names} ^ {*schemas[0].names}), most=6)
                raise SourceError(
                    f"{os.path.basename(path)} in {self.shown} has other columns than "
                    f"{os.path.basename(self._found[0])}: {others or 'their order'}"
                )
        try:
            schema = pyarrow.unify_schemas(schemas, promote_options="permissive")
        except pyarrow.ArrowException as error:
            # Not `from`: the message has pyarrow's whole text, and a cause would be shown again.
            raise SourceError(f"{self.shown}: {said(error)}")  # noqa: B904
        for place, field in enumerate(schema):
            if _is_too_wide(field.type):
                raise SourceError(f"{self.shown} has {_WIDE} in the column {field.name}")
            if pyarrow.types.is_decimal256(field.type):
                narrow = pyarrow.decimal128(field.type.precision, field.type.scale)
                schema = schema.set(place, field.with_type(narrow))
        return schema

    def _read_sheets(self) -> list[str]:
        """Write the sheet of each workbook as an Arrow file; return their paths."""
        from handrail_arrow.excel import ExcelError, write_sheet  # noqa: PLC0415 - see address.py

        assert self._sheets is not None
        sheet, files = self.address.sheet, list[str]()
        for number, path in enumerate(self._found):
            shown = self.shown if len(self._found) == 1 else os.path.basename(path)
            target = self._sheets / f"{number:06}.arrow"
            try:
                with convert_disk_errors(self._sheets):
                    self._sheets.mkdir(parents=True, exist_ok=True)
                    read = write_sheet(Path(path), target, sheet=sheet, text=self._text)
            except ExcelError as error:
                more = () if self._text else (_AS_TEXT,)
                raise SourceError(
                    f"{shown}: {error.message}", ways_out=(*error.ways_out, *more)
                ) from error
            except ImportError as error:
                raise SourceError(
                    "what reads Excel workbooks is not installed: openpyxl",
                    ways_out=("pip install 'handrail-export[xlsx]'",),
                ) from error
            if sheet is None and read.others:
                self._notes.append(
                    f"{shown} has other sheets than {read.name}, which is read: "
                    f"{listed(read.others)}; another is read by {shown}#{read.others[0]}"
                )
            files.append(str(target))
        return files

    def _names(self, count: int) -> Sequence[str]:
        """Return the names of the columns as they are in the file; empty if they are unknown."""
        if self.address.kind == "parquet":
            names: list[str] = import_module("pyarrow.parquet").read_schema(self._found[0]).names
            return names
        if self._is_arrow:
            found: list[str] = self._arrow().schema.names
            return found
        if self.address.kind != "csv":
            return ()
        for delimiter in _DELIMITERS:
            with _opened(self._found[0]) as file:
                names = next(csv.reader(file, delimiter=delimiter), list[str]())
            if len(names) == count:
                return names
        return ()

    def _times(self) -> Sequence[str]:
        """Return the columns of a Parquet file with times of day that are marked as those of UTC.

        Older writers mark all times so, which says nothing of a zone, and Arrow takes none from it.
        """
        with self._converting_errors("a Parquet file"):
            schema = import_module("pyarrow.parquet").ParquetFile(self._found[0]).schema
        columns = (schema.column(place) for place in range(len(schema)))
        return [each.name for each in columns if each.path == each.name and _is_utc_time(each)]

    def _too_wide(self) -> Sequence[str]:
        """Return the columns of a Parquet file whose decimal numbers would lose digits."""
        with self._converting_errors("a Parquet file"):
            schema = import_module("pyarrow.parquet").read_schema(self._found[0])
        return [each.name for each in schema if _is_too_wide(each.type)]

    @contextmanager
    def _converting_errors(self, what: str) -> Generator[None]:
        pyarrow = import_module("pyarrow")
        try:
            yield
        except (pyarrow.ArrowException, OSError) as error:
            # Not `from`: the message has pyarrow's whole text, and a cause would be shown again.
            raise SourceError(  # noqa: B904
                f"{self.shown} is not {what}, or only a part of one: {said(error)}"
            )


_UNITS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def _is_utc_time(column: Any) -> bool:
    about: dict[str, Any] = json.loads(column.logical_type.to_json())
    return bool(about["Type"] == "Time" and about["isAdjustedToUTC"])


_MOST_DIGITS = 38
_WIDE = f"decimal numbers with more than {_MOST_DIGITS} digits"


def _is_too_wide(kind: Any) -> bool:
    """Return whether an Arrow type has decimal numbers that the engine would round."""
    if import_module("pyarrow").types.is_decimal(kind):
        return bool(kind.precision > _MOST_DIGITS)
    return any(_is_too_wide(kind.field(place).type) for place in range(kind.num_fields))


def _refused(name: str, shown: str) -> str:
    """Return SQL for a column that fails where it is read, and only there."""
    told = literal(f"{shown} has {_WIDE} in the column {name}")
    column = quoted(name)
    return f"CAST(CASE WHEN {column} IS NOT NULL THEN error({told}) END AS VARCHAR) AS {column}"


def literal(text: str) -> str:
    """Return a text quoted for SQL."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def _may_be_renamed(columns: Sequence[str]) -> bool:
    """Whether the engine may have renamed a column, as it ignores the case of names."""
    known = {name.casefold() for name in columns}
    found = (_RENAMED.fullmatch(name.casefold()) for name in columns)
    return any(each is not None and each["name"] in known for each in found)


def _opened(path: str) -> TextIO:
    opened = gzip.open if path.lower().endswith(".gz") else open
    return cast("TextIO", opened(path, "rt", encoding="utf-8", errors="replace", newline=""))


def _check_readable(path: str, shown: str) -> None:
    try:
        with open(path, "rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise SourceError(f"{shown} cannot be read: {error.strerror}") from error
    if empty:
        raise SourceError(f"{shown} is empty, without even the names of columns")
