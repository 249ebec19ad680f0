"""The protocol of a connection: DB-API 2.0, plus `execute` on the connection itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

Values = Sequence[object] | Mapping[str, object]
"""The parameters of a statement: in the order of its `?`, or by `:name`."""


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """The columns; the first value of each is the name."""
        ...

    @property
    def rowcount(self) -> int:
        """The number of changed rows."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, or None."""
        ...

    def execute(self, statement: str, values: Values = ..., /) -> object:
        """Execute a statement."""
        ...

    def executemany(self, statement: str, values: Sequence[Sequence[object]], /) -> object:
        """Execute a statement once for each of `values`."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection to the database; for writes, within a transaction."""

    def execute(self, statement: str, values: Values = ..., /) -> Cursor:
        """Execute a statement and return its result."""
        ...

    def cursor(self) -> Cursor:
        """Return a cursor for several statements."""
        ...
