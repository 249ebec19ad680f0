"""Prepares the batches of database drivers for writing."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

from handrail_export.errors import SourceError


def plain(reader: Any) -> Any:
    """Return a reader without the types that only PostgreSQL has: their values are text."""
    pyarrow = import_module("pyarrow")
    opaque = getattr(pyarrow, "OpaqueType", ())
    if not any(isinstance(field.type, opaque) for field in reader.schema):
        return reader
    schema = pyarrow.schema(
        pyarrow.field(field.name, field.type.storage_type)
        if isinstance(field.type, opaque)
        else field
        for field in reader.schema
    )

    def batches() -> Iterator[Any]:
        for batch in reader:
            columns = [
                column.storage if isinstance(column.type, opaque) else column
                for column in batch.columns
            ]
            yield pyarrow.RecordBatch.from_arrays(columns, schema=schema)

    return pyarrow.RecordBatchReader.from_batches(schema, batches())


def checked(batch: Any, shown: str) -> Any:
    """Check that the text of a batch is UTF-8, since SQLite stores any bytes, and return it.

    Args:
        batch: The batch.
        shown: Description of its source, for people.

    Raises:
        SourceError: A text is not UTF-8.
    """
    pyarrow = import_module("pyarrow")
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if not (pyarrow.types.is_string(field.type) or pyarrow.types.is_large_string(field.type)):
            continue
        try:
            column.validate(full=True)
        except pyarrow.ArrowInvalid:
            raise SourceError(
                f"{shown} has text in the column {field.name} that is not UTF-8",
                ways_out=("take it as bytes, in --query: CAST(column AS BLOB)",),
            ) from None
    return batch
