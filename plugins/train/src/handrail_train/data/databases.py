"""Reads a table or a query out of an SQLite file or a PostgreSQL database, without writing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from handrail_train.data.spool import BATCH
from handrail_train.errors import DataError
from handrail_train.names import cut, near, some_of

_MAGIC = b"SQLite format 3\0"
_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def read_sqlite(path: Path, table: str | None, query: str | None) -> Iterator[Any]:
    """Yield the rows of a table, or of a query, as Arrow tables; at least one.

    Raises:
        DataError: The file is no database, there is no such table, or the query fails.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    if magic != _MAGIC:
        raise DataError(f"{path} is no SQLite database", ways_out=("give a file with a table",))
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as connection:
            known = [name for (name,) in connection.execute(_TABLES)]
            sql = query or f"SELECT * FROM {_quoted(_known_table(table, known, str(path)))}"
            cursor = connection.execute(sql)
            if cursor.description is None:
                raise _no_rows(str(path))
            names = [name for name, *_ in cursor.description]
            rows = cursor.fetchmany(BATCH)
            if not rows:
                yield import_module("pyarrow").table({name: [] for name in names})
            while rows:
                yield _table(names, rows, str(path))
                rows = cursor.fetchmany(BATCH)
    except sqlite3.Error as error:
        raise _failed(str(path), error) from error


_TABLES = (
    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    " AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
)


def _known_table(table: str | None, known: list[str], shown: str) -> str:
    if table is None:
        if len(known) == 1:
            return known[0]
        raise DataError(
            f"{shown} has {'several tables' if known else 'no tables'}",
            ways_out=(f"name one: --table; there are {some_of(known)}",) if known else (),
        )
    if table not in known:
        raise DataError(
            f"{shown} has no table {table!r}; it has {some_of(known) or 'none at all'}",
            ways_out=near(table, known),
        )
    return table


def _table(names: list[str], rows: list[Any], shown: str) -> Any:
    columns = zip(*rows, strict=True)
    arrays = [_array(name, values, shown) for name, values in zip(names, columns, strict=True)]
    return import_module("pyarrow").table(arrays, names=names)


def _array(name: str, values: tuple[Any, ...], shown: str) -> Any:
    pa = import_module("pyarrow")
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise DataError(
            f"{shown}: values of one column are of several types: {cut(f'{name}: {error}', 120)}",
            ways_out=("say what it is: --query 'SELECT CAST(column AS REAL) ...'",),
        ) from error


def read_postgres(url: str, shown: str, table: str | None, query: str | None) -> Iterator[Any]:
    """Yield the rows of a table, or of a query, as Arrow tables; at least one.

    Raises:
        DataError: The driver is not installed, there is no such table, or the query fails.
    """
    pa = import_module("pyarrow")
    try:
        dbapi = import_module("adbc_driver_postgresql.dbapi")
    except ImportError as error:
        raise DataError(
            "PostgreSQL is read by adbc-driver-postgresql, which is not installed",
            ways_out=("pip install 'handrail-train[postgres]'",),
        ) from error
    if query is None and table is None:
        raise DataError(
            f"{shown} has many tables", ways_out=("name one: --table", "or give a --query")
        )
    try:
        with closing(dbapi.connect(url)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(_READ_ONLY)
            cursor.execute(query or f"SELECT * FROM {_spelled(table or '')}")
            found = cursor.fetch_record_batch()
            yield _with_numbers(found.schema.empty_table())
            for batch in found:
                yield _with_numbers(pa.Table.from_batches([batch]))
    except (dbapi.Error, pa.ArrowException) as error:
        raise _failed(shown, error) from error


def _with_numbers(table: Any) -> Any:
    """Return a table whose exact numbers, which the driver gives as texts, are floats."""
    for place, field in enumerate(table.schema):
        metadata: dict[bytes, bytes] = field.metadata or {}
        if metadata.get(b"ADBC:postgresql:typname") == b"numeric":
            table = table.set_column(place, field.name, table[place].cast("float64"))
    return table


def _spelled(table: str) -> str:
    schema, dot, name = table.partition(".")
    return f"{_quoted(schema)}.{_quoted(name)}" if dot else _quoted(table)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _no_rows(shown: str) -> DataError:
    return DataError(f"{shown}: the query gives no rows", ways_out=("--query 'SELECT ...'",))


def _failed(shown: str, error: Exception) -> DataError:
    return DataError(
        f"{shown}: {cut(str(error), 200)}", ways_out=("check --table or --query, and the address",)
    )
