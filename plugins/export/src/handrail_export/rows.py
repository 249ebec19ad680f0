"""The rows of one export: those of a source, with the columns, the filter and the limit chosen."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from handrail_export.arrow import Batch, Schema
from handrail_export.engine import Engine
from handrail_export.errors import ChoiceError
from handrail_export.names import did_you_mean, listed
from handrail_export.sources.binding import quoted
from handrail_export.sources.source import Source

BATCH = 1 << 16
"""Rows in a batch."""

_VIEW = "handrail_source"

Report = Callable[[float, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is wanted of a source.

    Attributes:
        columns: Their names in order; empty for all.
        where: An SQL expression that has to be true, or None.
        limit: How many rows at most, or None.
    """

    columns: tuple[str, ...] = ()
    where: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of what is exported.

    Attributes:
        name: Its name.
        type: What the engine calls its type, such as `BIGINT` or `VARCHAR`.
    """

    name: str
    type: str


class Rows:
    """Rows that can be read once: as Arrow batches, or written to a file by the engine.

    Args:
        source: Where they come from.
        choice: Which of them.
        memory: Bytes that the engine may take.
        scratch: A folder in which it may write.
        report: Told `(done, total)` now and then.

    Attributes:
        total: About how many rows the source has, where that is known.
        columns: The columns, in order.

    Raises:
        SourceError: The source cannot be read.
        ChoiceError: What is chosen is not there.
    """

    def __init__(
        self,
        source: Source,
        choice: Choice,
        *,
        memory: int,
        scratch: str,
        report: Report = lambda done, total: None,
    ) -> None:
        self.source = source
        self.report = report
        self._choice = choice
        self._failed: BaseException | None = None
        self._opened: Engine | None = None
        try:
            self.total = source.estimate()
            self._reader: Any = source.open()
            self._opened = Engine(memory=memory, reads=source.paths, scratch=scratch)
            if self._reader is None:
                self._relation = source.relation
            else:
                self._reader = self._counted(_plain(self._reader))
                self._engine.register(_VIEW, self._reader)
                self._relation = _VIEW
            self.columns = self._check()
        except BaseException:
            self.close()
            raise

    @property
    def _engine(self) -> Engine:
        assert self._opened is not None
        return self._opened

    @property
    def direct(self) -> bool:
        """Whether batches come from the driver of a database, with no engine in between."""
        return self._reader is not None and self._choice.where is None

    @property
    def schema(self) -> Schema:
        """The Arrow schema of the batches, where they come from a driver.

        Raises:
            ValueError: They do not; see `direct`.
        """
        if self._reader is None:
            raise ValueError("only rows that come from a driver have a schema before they are read")
        schema: Schema = self._reader.schema
        if not self._choice.columns:
            return schema
        fields = [schema.field(name) for name in self._choice.columns]
        chosen: Schema = import_module("pyarrow").schema(fields)
        return chosen

    def batches(self) -> Iterator[Batch]:
        """Yield Arrow batches, each a `pyarrow.RecordBatch` of at most 65,536 rows.

        Raises:
            SourceError: The source failed, or a value is not what its column has been.
        """
        with self._told():
            if self.direct:
                yield from self._chosen()
            else:
                yield from self._engine.batches(self._select(), BATCH)

    def _chosen(self) -> Iterator[Any]:
        left, columns = self._choice.limit, list(self._choice.columns)
        for batch in self._reader:
            chosen = batch.select(columns) if columns else batch
            if left is None:
                yield chosen
                continue
            yield chosen.slice(0, left)
            left -= min(left, chosen.num_rows)
            if left == 0:
                return

    def copy(self, path: str, options: str, partition_by: Sequence[str] = ()) -> int:
        """Let the engine write them to a file, or with partitions into a folder.

        Args:
            path: Where, in the folder of this export.
            options: What stands in the brackets of its COPY, such as `FORMAT csv`.
            partition_by: Columns whose values become folders.

        Returns:
            How many rows there are.
        """
        if partition_by:
            names = ", ".join(quoted(name) for name in partition_by)
            options += f", PARTITION_BY ({names}), FILENAME_PATTERN 'data_{{i}}'"
        target = path.replace("'", "''")
        report: Report = self.report if self._reader is None else lambda done, total: None
        with self._told():
            return self._engine.run(f"COPY ({self._select()}) TO '{target}' ({options})", report)

    def close(self) -> None:
        """Let go of the source; harmless to call again."""
        if self._opened is not None:
            self._opened.close()
        self.source.close()

    @contextmanager
    def _told(self) -> Generator[None]:
        """Raise what went wrong while rows were read, whatever became of it on the way here."""
        pyarrow = import_module("pyarrow")
        try:
            yield
        except Exception as error:
            failed, self._failed = self._failed, None
            if failed is not None:
                raise failed from None
            if isinstance(error, (pyarrow.ArrowException, OSError)) and not self.direct:
                raise self.source.failure(error) from error
            raise

    def _select(self) -> str:
        chosen = ", ".join(quoted(name) for name in self._choice.columns) or "*"
        # On lines of their own: a comment at the end of the filter ends there.
        where = f" WHERE (\n{self._choice.where}\n)" if self._choice.where else ""
        limit = f" LIMIT {self._choice.limit}" if self._choice.limit is not None else ""
        return f"SELECT {chosen} FROM {self._relation}{where}{limit}"

    def _check(self) -> tuple[Column, ...]:
        """Return the columns, if what was chosen is there."""
        # Describing a CSV file reads its beginning, so it is done once where that is enough.
        described = self._engine.describe(f"SELECT * FROM {self._relation}")
        known = [name for name, _ in described]
        if self._reader is not None:
            known = list(self._reader.schema.names)  # The engine renames what is there twice.
        check_columns(self._choice.columns, known, self.source.shown)
        types = dict(described)
        if self._choice.where is not None:
            self._check_filter(known)
        names = self._choice.columns or known
        return tuple(Column(name=name, type=types[name]) for name in names)

    def _check_filter(self, known: Sequence[str]) -> None:
        try:
            self._engine.describe(self._select())
        except ChoiceError as error:
            raise ChoiceError(
                f"the filter makes no sense: {error.message}",
                ways_out=(f"columns: {listed(known)}",),
            ) from error

    def _counted(self, reader: Any) -> Any:
        """Return a reader that reports what was read, and tells errors as ours."""
        pyarrow = import_module("pyarrow")
        return pyarrow.RecordBatchReader.from_batches(reader.schema, self._counting(reader))

    def _counting(self, reader: Any) -> Iterator[Any]:
        done, total = 0, self.total
        try:
            while True:
                try:
                    batch = reader.read_next_batch()
                except StopIteration:
                    return
                except Exception as error:
                    raise self.source.failure(error) from error
                yield batch
                done += batch.num_rows
                if total:
                    self.report(min(done, total), total)
        except GeneratorExit:
            raise
        except BaseException as error:
            # It goes through the libraries of others, and comes out as something else; a Ctrl-C
            # may arrive here, too.
            self._failed = error
            raise


def check_columns(wanted: Sequence[str], known: Sequence[str], shown: str) -> None:
    """Check that all columns are there, and none twice.

    Raises:
        ChoiceError: They are not.
    """
    for number, name in enumerate(wanted):
        if name not in known:
            near = did_you_mean(name, known)
            raise ChoiceError(
                f"{shown} has no column {name}{near and f'; {near}'}",
                ways_out=(f"columns: {listed(known)}",),
            )
        if name in wanted[:number]:
            raise ChoiceError(f"the column {name} is asked for twice")
    twice = next((name for name in known if list(known).count(name) > 1), None)
    if twice is not None:
        raise ChoiceError(
            f"{shown} has two columns {twice}",
            ways_out=("give one of them another name in --query: AS other",),
        )


def _plain(reader: Any) -> Any:
    """Return a reader without the types that only PostgreSQL has: their values are text."""
    pyarrow = import_module("pyarrow")
    opaque = getattr(pyarrow, "OpaqueType", ())
    if not any(isinstance(field.type, opaque) for field in reader.schema):
        return reader
    schema = pyarrow.schema(
        pyarrow.field(field.name, field.type.storage_type)
        if isinstance(field.type, opaque)
        else field
        for field in reader.schema
    )

    def batches() -> Iterator[Any]:
        for batch in reader:
            columns = [
                column.storage if isinstance(column.type, opaque) else column
                for column in batch.columns
            ]
            yield pyarrow.RecordBatch.from_arrays(columns, schema=schema)

    return pyarrow.RecordBatchReader.from_batches(schema, batches())
