"""Parquet, Arrow, CSV and JSON Lines."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from handrail_export.formats.format import RowFormat
from handrail_export.rows import Rows

# A row group is large enough to compress well, and small enough for memory where rows are wide.
_GROUP_ROWS = 1 << 18
_GROUP_BYTES = 32 << 20
_BLOCK = 1 << 20


class ParquetFormat(RowFormat):
    """Apache Parquet, compressed with zstd."""

    ending: ClassVar[str] = ".parquet"
    partitions: ClassVar[bool] = True

    def write(self, rows: Rows, path: Path, partition_by: Sequence[str] = ()) -> int:
        if rows.direct and not partition_by:
            written = _write_batches(rows, path)
            if written is not None:
                return written
        return rows.copy(str(path), "FORMAT parquet, COMPRESSION zstd", partition_by)

    def count(self, path: Path) -> int:
        rows: int = import_module("pyarrow.parquet").read_metadata(path).num_rows
        return rows


def _write_batches(rows: Rows, path: Path) -> int | None:
    """Write the batches of a driver directly; None if Parquet does not support a type."""
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    count = 0
    with open(path, "xb") as file:
        try:
            writer: Any = parquet.ParquetWriter(file, rows.schema, compression="zstd")
        except pyarrow.ArrowNotImplementedError:
            path.unlink()
            return None
        with writer:
            waiting: list[Any] = []
            held = size = 0
            for batch in rows.batches():
                waiting.append(batch)
                held, size = held + batch.num_rows, size + batch.nbytes
                count += batch.num_rows
                if held >= _GROUP_ROWS or size >= _GROUP_BYTES:
                    writer.write_table(pyarrow.Table.from_batches(waiting))
                    waiting.clear()
                    held = size = 0
            if waiting:
                writer.write_table(pyarrow.Table.from_batches(waiting))
    return count


class ArrowFormat(RowFormat):
    """Apache Arrow as a file, which Feather is too, compressed with zstd."""

    ending: ClassVar[str] = ".arrow"

    def write(self, rows: Rows, path: Path, partition_by: Sequence[str] = ()) -> int:
        ipc = import_module("pyarrow.ipc")
        options = ipc.IpcWriteOptions(compression="zstd")
        count, writer = 0, None
        with ExitStack() as stack:
            file = stack.enter_context(open(path, "xb"))
            for batch in rows.batches():
                if writer is None:
                    writer = stack.enter_context(ipc.new_file(file, batch.schema, options=options))
                writer.write_batch(batch)
                count += batch.num_rows
        return count


class CsvFormat(RowFormat):
    """CSV as RFC 4180 has it, in UTF-8, with the names of the columns in its first line.

    Bytes are hexadecimal, and lists, structs and maps are JSON.
    """

    ending: ClassVar[str] = ".csv"
    partitions: ClassVar[bool] = True

    def write(self, rows: Rows, path: Path, partition_by: Sequence[str] = ()) -> int:
        return rows.copy(str(path), "FORMAT csv, HEADER true", partition_by)

    def count(self, path: Path) -> int:
        lines, inside = 0, False
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                # A value with line breaks is in quotes; quotes in it are doubled.
                first, *others = block.split(b'"')
                lines += 0 if inside else first.count(b"\n")
                for part in others:
                    inside = not inside
                    lines += 0 if inside else part.count(b"\n")
        return lines - 1  # The first has the names of the columns.


class JsonlFormat(RowFormat):
    """JSON Lines: an object for each row, in UTF-8; bytes are hexadecimal.

    NaN and infinity are null, wherever they are, as JSON has no form for them.
    """

    ending: ClassVar[str] = ".jsonl"
    partitions: ClassVar[bool] = True

    def write(self, rows: Rows, path: Path, partition_by: Sequence[str] = ()) -> int:
        options = ", FILE_EXTENSION 'jsonl'" if partition_by else ""
        return rows.copy(str(path), f"FORMAT json{options}", partition_by)

    def count(self, path: Path) -> int:
        with open(path, "rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))
