"""A query of a PostgreSQL database."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from importlib import import_module
from typing import Any

from handrail.frozen import frozen
from handrail_export.errors import SourceError
from handrail_export.names import said
from handrail_export.sources.binding import bind, first_word, one_statement, quoted
from handrail_export.sources.database import BATCH, Database, driver
from handrail_export.sources.postgres_types import Exact, exact, readings

# A quarter of the driver's default: with that, memory grew with the rows.
_BATCH_BYTES = 4 << 20
_BATCH_SIZE = "adbc.postgresql.batch_size_hint_bytes"
_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# Text of values does not depend on what a role prefers.
_SPELLING = (
    "SET LOCAL datestyle = 'ISO'",
    "SET LOCAL intervalstyle = 'postgres'",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL extra_float_digits = 1",
)
# The types that the driver gives to values.
_KINDS: Mapping[type, int] = {bool: 16, int: 20, float: 701, str: 25}
_WRITING = ("INSERT", "UPDATE", "DELETE", "MERGE")


class PostgresSource(Database):
    """A query of a PostgreSQL database, in one transaction that only reads.

    It sees one state of the database, however long it takes. The password is where libpq looks for
    it: PGPASSWORD, ~/.pgpass, or a service file.
    """

    def tables(self) -> list[str]:
        found = self.rows(
            "SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname::text"
            " ELSE n.nspname || '.' || c.relname END FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
            " AND n.nspname NOT LIKE 'pg!_%' ESCAPE '!'"
            " AND n.nspname <> 'information_schema' ORDER BY 1"
        )
        return [name for (name,) in found]

    def spelled(self, table: str) -> str:
        schema, dot, name = table.partition(".")
        return f"{quoted(schema)}.{quoted(name)}" if dot else quoted(table)

    def estimate(self) -> int | None:
        if self.parameters:
            return None
        try:
            ((plan,),) = self.rows(f"EXPLAIN (FORMAT JSON) {one_statement(self.query)}")
            return int(json.loads(plan)[0]["Plan"]["Plan Rows"])
        except (SourceError, ValueError, LookupError, TypeError):
            return None

    def _connect(self) -> Any:
        # Not in autocommit: the first statement begins the transaction.
        connection = driver("adbc_driver_postgresql", "postgres").connect(self.address.place)
        cursor = connection.cursor()
        try:
            for each in (_READ_ONLY, *_SPELLING):
                cursor.execute(each)
        finally:
            cursor.close()
        return connection

    def _new_cursor(self, connection: Any) -> Any:
        return connection.cursor()

    def _execute(self, cursor: Any) -> Any:
        query, values = bind(one_statement(self.query), self.parameters, "$")
        word = first_word(query)
        if word in _WRITING:
            raise SourceError(
                f"{self.shown} begins with {word}, and only what reads is taken",
                ways_out=("--query 'SELECT ...'",),
            )
        names = cursor.adbc_execute_schema(query, tuple(values) or None).names
        if not names:
            return self._rows_of(cursor, query, values)
        session = _Session(connection=self._connected(), place=self.address.place, values=values)
        columns = readings(query, names, session)
        reader = self._rows_of(cursor, exact(query, columns), values)
        return Exact(shown=self.shown, columns=columns).reader(reader)

    def _rows_of(self, cursor: Any, query: str, values: Sequence[object]) -> Any:
        query += "\n"  # It is put into brackets, which a comment at its end must not hide.
        if not values:
            cursor.adbc_statement.set_options(**{_BATCH_SIZE: str(_BATCH_BYTES)})
            cursor.execute(query)
            return cursor.fetch_record_batch()
        # With values the driver would read the whole result into memory at once.
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(f"DECLARE handrail_rows NO SCROLL CURSOR FOR {query}", tuple(values))
        cursor.execute(f"FETCH {BATCH} FROM handrail_rows")
        first = cursor.fetch_arrow_table()
        pyarrow = import_module("pyarrow")
        return pyarrow.RecordBatchReader.from_batches(first.schema, _fetched(cursor, first))


@frozen
class _Session:
    """Short queries about the types of the query of a source, in its transaction.

    Attributes:
        connection: Its connection.
        place: The URL of the database.
        values: The values for the query.
    """

    connection: Any
    place: str
    values: Sequence[object]

    def ask(self, query: str, *, bound: bool = False) -> list[tuple[Any, ...]]:
        with closing(self.connection.cursor()) as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
            cursor.execute(query, (tuple(self.values) or None) if bound else None)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
            return rows

    def modifiers(self, query: str) -> Sequence[int]:
        # The driver does not tell them, and no function of PostgreSQL does for an expression.
        psycopg = driver("psycopg", "postgres", module="psycopg")
        kinds = [_KINDS.get(type(value), 0) for value in self.values]
        try:
            with psycopg.connect(self.place, autocommit=True) as connection:
                wire = connection.pgconn
                wire.prepare(b"", query.encode(), kinds)
                found = wire.describe_prepared(b"")
                return [found.fmod(place) for place in range(found.nfields)]
        except psycopg.Error as error:
            # Not `from`: the message has the whole text, and a cause would be shown again.
            raise SourceError(f"the types of the query cannot be read: {said(error)}")  # noqa: B904


def _fetched(cursor: Any, table: Any) -> Iterator[Any]:
    while table.num_rows:
        yield from table.to_batches()
        cursor.execute(f"FETCH {BATCH} FROM handrail_rows")
        table = cursor.fetch_arrow_table()
