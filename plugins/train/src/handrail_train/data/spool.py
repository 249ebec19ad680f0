"""The rows of a table, batch by batch: in memory while they are few, else in a file."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from handrail.frozen import frozen
from handrail_train.data.scratch import scratch_file, unwritten
from handrail_train.errors import DataError
from handrail_train.names import cut

if TYPE_CHECKING:
    from numpy import bool_
    from numpy.typing import NDArray

BATCH = 1 << 16  # Rows that are looked at together.
IN_MEMORY = 64 << 20  # Bytes; a table with more is kept in a file.


class _Kept:
    """The batches of a table, each with its own types."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._tables: list[Any] = []
        self._bytes = 0
        self._file: IO[bytes] | None = None
        self._places: list[tuple[int, dict[str, tuple[int, int]]]] = []
        self.schemas: list[Any] = []
        self.rows = 0

    def add(self, table: Any) -> None:
        if table.schema not in self.schemas:
            self.schemas.append(table.schema)
        self.rows += table.num_rows
        self._bytes += table.nbytes
        self._tables.append(table)
        if self._file is None and self._bytes > IN_MEMORY:
            self._file = scratch_file(self._folder)
            weakref.finalize(self, self._file.close)
        if self._file is not None:
            for each in self._tables:
                self._write(self._file, each)
            self._tables.clear()

    def _write(self, file: IO[bytes], table: Any) -> None:
        """Write each column by itself, so that it can be read by itself."""
        pa, places = import_module("pyarrow"), dict[str, tuple[int, int]]()
        for number, name in enumerate(table.column_names):
            column = table.select([number]).combine_chunks()
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, column.schema) as writer:
                writer.write_table(column)
            written = sink.getvalue()
            try:
                places[name] = file.seek(0, os.SEEK_END), written.size
                file.write(written)
            except OSError as error:
                raise unwritten(error) from error
        self._places.append((table.num_rows, places))

    def batches(self, names: Sequence[str]) -> Iterator[Any]:
        """Yield these columns batch by batch; where a batch has one not, it has no values."""
        pa = import_module("pyarrow")
        for table in self._tables:
            has, rows = table.column_names, table.num_rows
            yield pa.table({each: table[each] if each in has else pa.nulls(rows) for each in names})
        for rows, places in self._places:
            yield pa.table(
                {
                    each: self._read(*places[each]) if each in places else pa.nulls(rows)
                    for each in names
                }
            )

    def _read(self, place: int, size: int) -> Any:
        assert self._file is not None
        self._file.seek(place)
        written = self._file.read(size)
        return import_module("pyarrow").ipc.open_stream(written).read_all().column(0)


@frozen(eq=False)
class Spool:
    """The rows of a table, read once, and looked at as often as needed.

    Attributes:
        schema: The Arrow schema.
        num_rows: The number of rows.
    """

    schema: Any
    num_rows: int
    _kept: _Kept
    _only: NDArray[bool_] | None = None

    @classmethod
    def of(
        cls, tables: Iterable[Any], shown: str = "the table", folder: Path | None = None
    ) -> Spool:
        """Keep the rows of Arrow tables that follow each other; at least one, even without rows.

        Args:
            tables: The tables; only one of them is in memory.
            shown: The name of the source, for messages.
            folder: The folder of the file; see `scratch_file`.

        Raises:
            DataError: Columns of one name have types that do not fit together, or there is no room.
        """
        kept = _Kept(folder)
        for batch in _batched(tables, shown):
            kept.add(batch)
        empty = joined([each.empty_table() for each in kept.schemas], shown)
        return cls(schema=empty.schema, num_rows=kept.rows, _kept=kept)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""
        names: list[str] = self.schema.names
        return names

    def select(self, columns: Sequence[str]) -> Spool:
        """Return the same rows with these columns only."""
        pa = import_module("pyarrow")
        schema = pa.schema([self.schema.field(name) for name in columns])
        return Spool(schema=schema, num_rows=self.num_rows, _kept=self._kept, _only=self._only)

    def filter(self, only: NDArray[bool_]) -> Spool:
        """Return the rows for which `only`, of the length of all that were kept, is true."""
        count = int(only.sum())
        return Spool(schema=self.schema, num_rows=count, _kept=self._kept, _only=only)

    def batches(self) -> Iterator[Any]:
        """Yield the rows as Arrow tables, of at most `BATCH` rows each."""
        pa = import_module("pyarrow")
        names, empty, start = self.column_names, self.schema.empty_table(), 0
        for some in self._kept.batches(names):
            count: int = some.num_rows
            if some.schema != self.schema:
                some = pa.concat_tables([empty, some], promote_options="permissive")
            if self._only is not None:
                some = some.filter(pa.array(self._only[start : start + count]))
            start += count
            yield some

    def read(self) -> Any:
        """Return all rows as one `pyarrow.Table`."""
        return import_module("pyarrow").concat_tables([self.schema.empty_table(), *self.batches()])


def joined(tables: Sequence[Any], shown: str) -> Any:
    """Return tables as one; whole numbers and fractions are fractions.

    Raises:
        DataError: Columns of one name have types that do not fit together.
    """
    pa = import_module("pyarrow")
    if len(tables) == 1:
        return tables[0]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(
            f"{shown}: values of one column are of several types, which do not fit together: "
            f"{cut(str(error), 120)}",
            ways_out=("say what the column is: --column NAME=category", "or CAST it in a --query"),
        ) from error


def _batched(tables: Iterable[Any], shown: str) -> Iterator[Any]:
    """Yield the rows in batches whose size does not depend on that of the tables."""
    waiting: list[Any] = []
    count, given, is_empty = 0, None, True
    for table in tables:
        given = rest = table.replace_schema_metadata(None)
        while rest.num_rows:
            some = rest.slice(0, BATCH - count)
            rest = rest.slice(some.num_rows)
            waiting.append(some)
            count += some.num_rows
            if count == BATCH:
                yield joined(waiting, shown)
                waiting, count, is_empty = [], 0, False
    if waiting:
        yield joined(waiting, shown)
    elif is_empty and given is not None:
        yield given
