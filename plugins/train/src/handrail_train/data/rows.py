"""Turns what people have rows in into an Arrow table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from handrail_train.errors import DataError
from handrail_train.names import cut

_TAKEN = "an Arrow table, dicts, or a frame of pandas, polars or duckdb"


def table_of(rows: Any) -> Any:
    """Return rows as a `pyarrow.Table`.

    Args:
        rows: An Arrow table, batch or reader; a dict with a value for each column, or a sequence of
            such dicts; or what has the Arrow PyCapsule interface, as frames of pandas and polars
            and relations of duckdb do.

    Raises:
        DataError: It is something else, such as an array, which does not name its columns.
    """
    pa = import_module("pyarrow")
    if isinstance(rows, pa.Table):
        return rows
    try:
        if isinstance(rows, Mapping):
            return pa.Table.from_pylist([_row(cast("Any", rows))])
        if hasattr(rows, "__arrow_c_stream__"):
            return pa.table(rows)
        if hasattr(rows, "__arrow_c_array__"):
            return pa.Table.from_batches([pa.record_batch(rows)])
        if isinstance(rows, Sequence) and not isinstance(rows, str | bytes):
            given: Sequence[Any] = cast("Any", rows)
            listed = [_row(each) for each in given]
            names = list(dict.fromkeys(name for each in listed for name in each))
            # From the first one alone, columns that begin with the second would be lost.
            return pa.table({name: [each.get(name) for each in listed] for name in names})
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"these rows make no table: {cut(str(error), 160)}",
            ways_out=(f"give {_TAKEN}, with one type in a column",),
        ) from error
    raise DataError(
        f"rows are given as {type(rows).__name__}, which does not name its columns",
        ways_out=(f"give {_TAKEN}",),
    )


def _row(row: Any) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise TypeError(f"a row is {type(row).__name__}, and has to be a dict")
    given: Mapping[Any, Any] = cast("Any", row)
    return {str(name): value for name, value in given.items()}
