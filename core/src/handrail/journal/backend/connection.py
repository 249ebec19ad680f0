"""What is asked of a connection: DB-API 2.0, with `execute` on the connection itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

Values = Sequence[object] | Mapping[str, object]
"""The values of a statement, in the order of its `?`, or by `:name`."""


class Cursor(Protocol):
    """What a statement found."""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """Its columns; the first value of each is its name."""
        ...

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""
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
    """A connection to the database, within a transaction where something is written."""

    def execute(self, statement: str, values: Values = ..., /) -> Cursor:
        """Execute a statement, and return what it found."""
        ...

    def cursor(self) -> Cursor:
        """Return a cursor for several statements."""
        ...
