"""Arrow tables, as Parquet files."""

from __future__ import annotations

import base64
import json
from importlib import import_module
from typing import Any, BinaryIO

from handrail_arrow.shape import shape

PARQUET = "application/vnd.apache.parquet"
"""The media type of Parquet files."""

_DICTIONARIES = b"handrail_arrow:dictionaries"


class ArrowTables:
    """Stores Arrow tables as Parquet files.

    Attributes:
        media_type: The media type of Parquet.
        suffix: `.parquet`.
    """

    media_type = PARQUET
    suffix = ".parquet"

    def dump(self, value: Any, file: BinaryIO) -> None:
        """Write a table.

        Raises:
            TypeError: A column would come back with another type.
        """
        write(value, file)

    def load(self, file: BinaryIO) -> Any:
        """Return the table in a file."""
        return read(file)

    def describe(self, value: Any) -> str:
        """Return the number of rows and columns."""
        return f"table {shape(value.shape)}"


def write(table: Any, file: BinaryIO) -> None:
    """Write an Arrow table to a file as Parquet.

    Raises:
        TypeError: A column would come back with another type.
    """
    parquet, types = import_module("pyarrow.parquet"), import_module("pyarrow.types")
    table = table.unify_dictionaries()
    own: dict[bytes, bytes] = table.schema.metadata or {}
    metadata = {**own, _DICTIONARIES: _dictionaries(table)}
    parquet.write_table(table.replace_schema_metadata(metadata), file, compression="zstd")
    file.seek(0)
    for field, stored in zip(table.schema, parquet.read_schema(file), strict=True):
        same = stored.type == field.type or types.is_dictionary(field.type)
        if not same and not _is_coarser(field.type, stored.type):
            raise TypeError(
                f"column '{field.name}' is {field.type}, and would come back as {stored.type}"
            )


def read(file: BinaryIO) -> Any:
    """Return the Arrow table in a Parquet file that `write` wrote."""
    pyarrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    stored = parquet.ParquetFile(file)
    written = base64.b64decode(stored.metadata.metadata[b"ARROW:schema"])
    schema = pyarrow.ipc.read_schema(pyarrow.py_buffer(written))
    metadata = dict(schema.metadata)
    dictionaries = json.loads(metadata.pop(_DICTIONARIES))
    columns = [
        _encoded(column, field.type, dictionaries[str(place)])
        if str(place) in dictionaries
        else column.cast(field.type)
        for place, (column, field) in enumerate(zip(stored.read().columns, schema, strict=True))
    ]
    return pyarrow.Table.from_arrays(columns, schema=schema.with_metadata(metadata or None))


def _dictionaries(table: Any) -> bytes:
    """Return the values of each dictionary column, which Parquet keeps as far as rows have them."""
    pyarrow = import_module("pyarrow")
    found: dict[str, str] = {}
    for place, column in enumerate(table.columns):
        if not pyarrow.types.is_dictionary(column.type):
            continue
        empty = pyarrow.array([], column.type.value_type)
        values = column.chunk(0).dictionary if column.num_chunks else empty
        sink = pyarrow.BufferOutputStream()
        batch = pyarrow.record_batch([values], names=["values"])
        with pyarrow.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        found[str(place)] = base64.b64encode(sink.getvalue()).decode("ascii")
    return json.dumps(found).encode()


def _encoded(column: Any, kind: Any, dictionary: str) -> Any:
    """Return a column with exactly this dictionary, whatever Parquet has made of it."""
    pyarrow, compute = import_module("pyarrow"), import_module("pyarrow.compute")
    values = pyarrow.ipc.open_stream(base64.b64decode(dictionary)).read_next_batch().column(0)
    chunks = [
        pyarrow.DictionaryArray.from_arrays(
            compute.index_in(chunk, value_set=values).cast(kind.index_type),
            values,
            ordered=kind.ordered,
        )
        for chunk in column.cast(kind.value_type).chunks
    ]
    return pyarrow.chunked_array(chunks, type=kind)


def _is_coarser(kind: Any, stored: Any) -> bool:
    """Return whether Parquet has only a finer unit for a type of times in seconds."""
    types = import_module("pyarrow.types")
    if types.is_timestamp(kind) and types.is_timestamp(stored):
        return bool(kind.unit == "s" and kind.tz == stored.tz)
    return bool(types.is_time32(kind) and types.is_time32(stored))


tables = ArrowTables()
