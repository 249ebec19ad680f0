"""Reads Parquet, a few hundred rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, BinaryIO

from handrail_upload.metadata.sheet import Sheet

_BATCH = 512
_BUFFER = 1024 * 1024


def cells(sheet: Sheet, _: BinaryIO) -> Iterator[tuple[int, Sequence[object]]]:
    """Yield the names of the columns as row 0, then number and cells of each row; null is None."""
    pyarrow = import_module("pyarrow")
    parquet = import_module("pyarrow.parquet")
    try:
        # Read through a buffer, a row group is not in memory as a whole.
        with parquet.ParquetFile(sheet.path, buffer_size=_BUFFER, pre_buffer=False) as file:
            _check_limits(sheet, file.metadata)
            names: list[str] = file.schema_arrow.names
            yield 0, names
            number = 0
            for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
                columns = [
                    _values(sheet, name, number, column)
                    for name, column in zip(names, batch.columns, strict=True)
                ]
                for row in zip(*columns, strict=True):
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError) as error:
        raise sheet.error(
            f"is not a Parquet file, or only a part of one: {_first_line(error)}",
            "write it again; a download or a copy may have been cut off",
        ) from error


def _check_limits(sheet: Sheet, metadata: Any) -> None:
    limits = sheet.limits
    if metadata.num_rows > limits.max_rows:
        raise sheet.exceeds("max_rows", f"has {metadata.num_rows:,} rows")
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    if (size := sum(group.total_byte_size for group in groups)) > limits.max_bytes:
        raise sheet.exceeds("max_bytes", f"has {size:,} bytes when it is unpacked")


def _values(sheet: Sheet, name: str, number: int, column: Any) -> list[object]:
    try:
        values: list[object] = _in_microseconds(column).to_pylist()
    except (ValueError, LookupError, OverflowError) as error:
        raise sheet.error(
            f"a value in the rows {number + 1} to {number + len(column)} has no equal in Python: "
            f"{_first_line(error)}",
            "store timestamps in microseconds and with a known time zone",
            column=name,
        ) from error
    return values


def _in_microseconds(column: Any) -> Any:
    """Return a column of times as Python has them; where pandas is installed, it has others."""
    kind = column.type
    if getattr(kind, "unit", "") != "ns":
        return column
    pyarrow = import_module("pyarrow")
    zone = {"tz": kind.tz} if pyarrow.types.is_timestamp(kind) else {}
    return column.cast(getattr(pyarrow, str(kind).partition("[")[0])("us", **zone))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
