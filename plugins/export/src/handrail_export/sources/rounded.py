"""Detects fractions in text columns, which the driver for SQLite rounds.

A column has the type of all its values in the first batch. If they are fractions and text, the
driver writes the fractions with six digits after the point, and the rest is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from importlib import import_module
from itertools import chain
from typing import Any

from handrail_export.sources.binding import quoted

_AS_WRITTEN = r"^-?[0-9]\.[0-9]{6}e[+-][0-9]{2,3}$"


def beginning(reader: Any) -> tuple[Any, set[str]]:
    """Return a reader of the same batches, and the columns that may have lost digits."""
    pyarrow = import_module("pyarrow")
    first = next(iter(reader), None)
    if first is None:
        return reader, set()
    batches: Iterable[Any] = chain((first,), _left(reader))
    return pyarrow.RecordBatchReader.from_batches(reader.schema, batches), {
        name
        for name, column in zip(reader.schema.names, first.columns, strict=True)
        if _rounded(column)
    }


def _left(reader: Any) -> Iterator[Any]:
    yield from reader


def _rounded(column: Any) -> bool:
    pyarrow, compute = import_module("pyarrow"), import_module("pyarrow.compute")
    if not (pyarrow.types.is_string(column.type) or pyarrow.types.is_binary(column.type)):
        return False
    return bool(compute.any(compute.match_substring_regex(column, _AS_WRITTEN)).as_py())


def exact(query: str, names: Iterable[str], rounded: Collection[str]) -> str:
    """Return a query of the same rows, with the fractions of some columns as exact text."""
    columns = (_exact(quoted(name)) if name in rounded else quoted(name) for name in names)
    return f"SELECT {', '.join(columns)} FROM (\n{query}\n)"


def _exact(column: str) -> str:
    text = f"CAST({column} AS TEXT)"
    # Fifteen digits look better, seventeen are always enough.
    enough = (
        f"CASE WHEN CAST({text} AS REAL) = {column} THEN {text} ELSE printf('%!.17g', {column}) END"
    )
    return f"CASE typeof({column}) WHEN 'real' THEN {enough} ELSE {column} END AS {column}"
