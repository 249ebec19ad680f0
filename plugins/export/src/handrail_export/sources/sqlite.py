"""A query of an SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from handrail_export.errors import SourceError
from handrail_export.sources.binding import bind, first_word, one_statement, quoted
from handrail_export.sources.database import BATCH, Database, driver
from handrail_export.sources.rounded import beginning, exact

_MAGIC = b"SQLite format 3\0"
_FORBIDDEN = ("ATTACH", "DETACH", "VACUUM")


class SqliteSource(Database):
    """A query of an SQLite file, which is opened so that nothing can be written to it."""

    def tables(self) -> list[str]:
        found = self.rows(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
            " AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
        )
        return [name for (name,) in found]

    def spelled(self, table: str) -> str:
        return quoted(table)

    def estimate(self) -> int | None:
        if not self.table:
            return None
        try:
            ((highest,),) = self.rows(f"SELECT max(rowid) FROM {quoted(self.table)}")
        except SourceError:  # A view, or a table without rowids.
            return None
        return highest if isinstance(highest, int) else None

    def _connect(self) -> Any:
        path = Path(self.address.place)
        _check_file(path, self.address.shown)
        # The driver parses `immutable` and similar options in the URL, so the path has to be
        # quoted.
        return driver("adbc_driver_sqlite").connect(f"file:{quote(str(path))}?mode=ro")

    def _new_cursor(self, connection: Any) -> Any:
        # The types of the columns are those of the first batch.
        kwargs = {"adbc.sqlite.query.batch_rows": str(BATCH)}
        return connection.cursor(adbc_stmt_kwargs=kwargs)

    def _execute(self, cursor: Any) -> Any:
        query, values = bind(one_statement(self.query), self.parameters, "?")
        word = first_word(query)
        if word in _FORBIDDEN:
            # Even if the file is read-only, they create or change other files.
            raise SourceError(
                f"{self.shown} begins with {word}, and only what reads is taken",
                ways_out=("--query 'SELECT ...'",),
            )
        cursor.execute(query, tuple(values) or None)
        reader, rounded = beginning(cursor.fetch_record_batch())
        if not rounded:
            return reader
        cursor.execute(exact(query, reader.schema.names, rounded), tuple(values) or None)
        return cursor.fetch_record_batch()

    def _ways_out(self, text: str) -> tuple[str, ...]:
        if "parameter count mismatch" in text:
            return ("values have names: :NAME in the query, and -p parameters.NAME=VALUE",)
        if "Type mismatch" not in text:
            return ()
        return (
            f"the types of columns are those of the first {BATCH:,} rows",
            "say what such a column is in --query: CAST(column AS TEXT), or "
            "COALESCE(column, '') where it begins with NULLs",
        )


def _check_file(path: Path, shown: str) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except IsADirectoryError:
        raise SourceError(
            f"{shown} is a folder", ways_out=(f"for the files in it: '{shown.rstrip('/')}/*.csv'",)
        ) from None
    except FileNotFoundError:
        raise SourceError(f"there is no file {shown}") from None
    except OSError as error:
        raise SourceError(f"{shown} cannot be read: {error.strerror}") from error
    if magic not in (_MAGIC, b""):
        raise SourceError(
            f"{shown} is not an SQLite database",
            ways_out=("files that are exported end in .parquet, .csv or .tsv",),
        )
