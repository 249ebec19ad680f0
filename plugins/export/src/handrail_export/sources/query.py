"""A query over files, each of which is a table in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from handrail_export.choice import check_functions, check_names
from handrail_export.errors import SourceError
from handrail_export.names import listed, said
from handrail_export.sources.binding import bind, one_statement
from handrail_export.sources.files import FileSource
from handrail_export.sources.source import Source


class FileQuery(Source):
    """A query over files by DuckDB, which has access to nothing but them.

    Args:
        files: The files, by their names in the query.
        query: SQL, one SELECT.
        parameters: Values for the `:names` in it.
    """

    def __init__(
        self, files: Mapping[str, FileSource], query: str, parameters: Mapping[str, object]
    ) -> None:
        self._files = files
        self._query, self._values = bind(one_statement(query), parameters, "$")
        self.shown = f"the query of {listed(each.shown for each in files.values())}"

    def open(self) -> None:
        _check_reads(self._query, self.shown)
        for each in self._files.values():
            each.open()

    @property
    def relation(self) -> str:
        return f"(\n{self._query}\n) AS handrail_query"

    @property
    def statement(self) -> str:
        return self._query

    @property
    def values(self) -> Sequence[object]:
        return self._values

    @property
    def views(self) -> Mapping[str, str]:
        return {name: each.relation for name, each in self._files.items()}

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(path for each in self._files.values() for path in each.paths)

    @property
    def registered(self) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for each in self._files.values():
            found.update(each.registered)
        return found

    def notes(self) -> Iterator[str]:
        for each in self._files.values():
            yield from each.notes()

    def check(self, columns: Sequence[str]) -> None:
        check_names(columns, self.shown)

    def close(self) -> None:
        for each in self._files.values():
            each.close()


def _check_reads(query: str, shown: str) -> None:
    """Check that a query is a single SELECT, so that it can only read, and only its sources.

    Raises:
        SourceError: It is not a SELECT.
        ChoiceError: It calls functions that read, or do, something else.
    """
    duckdb = import_module("duckdb")
    try:
        kinds = [each.type for each in duckdb.extract_statements(query)]
    except duckdb.Error as error:
        # Not `from`: the message has the engine's whole text, and a cause would be shown again.
        raise SourceError(f"{shown}: {said(error)}")  # noqa: B904
    if kinds != [duckdb.StatementType.SELECT]:
        raise SourceError(
            f"{shown} is no SELECT, and only what reads is taken",
            ways_out=("--query 'SELECT ... FROM source'",),
        )
    check_functions(query)
