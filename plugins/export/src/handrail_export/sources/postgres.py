"""A query of a PostgreSQL database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from handrail_export.errors import SourceError
from handrail_export.sources.binding import bind, one_statement, quoted
from handrail_export.sources.database import BATCH, Database, driver

# A quarter of the driver's default: with that, memory grew with the rows.
_BATCH_BYTES = 4 << 20
_BATCH_SIZE = "adbc.postgresql.batch_size_hint_bytes"
_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


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
            cursor.execute(_READ_ONLY)
        finally:
            cursor.close()
        return connection

    def _new_cursor(self, connection: Any) -> Any:
        return connection.cursor()

    def _execute(self, cursor: Any) -> Any:
        query, values = bind(one_statement(self.query), self.parameters, "$")
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


def _fetched(cursor: Any, table: Any) -> Iterator[Any]:
    while table.num_rows:
        yield from table.to_batches()
        cursor.execute(f"FETCH {BATCH} FROM handrail_rows")
        table = cursor.fetch_arrow_table()
