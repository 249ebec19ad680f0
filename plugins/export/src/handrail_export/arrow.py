"""Protocols of the pyarrow types used here, because pyarrow has no types for checkers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol


class Schema(Protocol):
    """A `pyarrow.Schema`."""

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        ...

    def field(self, name: str) -> Any:
        """Return the field of a column."""
        ...


class Values(Protocol):
    """A `pyarrow.Array`: the values of a column."""

    def to_pylist(self) -> list[Any]:
        """Return the values as objects of Python."""
        ...


class Batch(Protocol):
    """A `pyarrow.RecordBatch`: some rows."""

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        ...

    @property
    def schema(self) -> Schema:
        """The columns."""
        ...

    @property
    def columns(self) -> list[Values]:
        """The values of each column."""
        ...

    @property
    def nbytes(self) -> int:
        """The bytes of its values."""
        ...

    def column(self, name: str) -> Values:
        """Return the values of a column."""
        ...

    def to_pylist(self) -> list[dict[str, Any]]:
        """Return the rows, each as a dict."""
        ...

    def select(self, columns: Sequence[str]) -> Batch:
        """Return the batch with these columns only."""
        ...

    def slice(self, offset: int, length: int) -> Batch:
        """Return some of the rows."""
        ...


class BatchReader(Protocol):
    """A `pyarrow.RecordBatchReader`: batches that are read once."""

    @property
    def schema(self) -> Schema:
        """The columns."""
        ...

    def read_next_batch(self) -> Batch:
        """Return the next batch; StopIteration at the end."""
        ...

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches."""
        ...
