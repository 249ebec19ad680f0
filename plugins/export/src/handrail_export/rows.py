"""Rows: the rows of one export, with the columns, the filter and the limit applied."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from handrail.frozen import frozen
from handrail_export.arrow import Batch, Schema
from handrail_export.choice import Choice, check_columns, check_filter, check_names
from handrail_export.engine import Engine
from handrail_export.errors import ChoiceError, SourceError
from handrail_export.names import listed
from handrail_export.readers import checked, plain
from handrail_export.sources.binding import quoted
from handrail_export.sources.source import Source
from handrail_export.written import Form, written

BATCH = 1 << 16
"""Rows in a batch."""

_VIEW = "handrail_source"
_FORMAT = re.compile(r"(?i)\bformat\s+'?(\w+)")
_FORMS: Mapping[str, Form] = {"csv": "csv", "json": "json"}

Report = Callable[[float, float], None]


def _untold(_done: float, _total: float) -> None: ...


@frozen
class Column:
    """An exported column.

    Attributes:
        name: Its name.
        type: The engine's name of its type, such as `BIGINT` or `VARCHAR`.
    """

    name: str
    type: str


class Rows:
    """Rows that can be read once: as Arrow batches, or written to a file by the engine.

    Args:
        source: The source.
        choice: The selection of rows and columns.
        memory: The memory limit of the engine, in bytes.
        scratch: A folder for temporary files.
        report: Called with `(done, total)` from time to time.

    Attributes:
        total: About the number of rows in the source, if known.
        columns: The columns, in order.

    Raises:
        SourceError: The source cannot be read.
        ChoiceError: A selected column does not exist, or the filter is invalid.
    """

    def __init__(
        self,
        source: Source,
        choice: Choice,
        *,
        memory: int,
        scratch: str,
        report: Report = _untold,
    ) -> None:
        self.source = source
        self.report = report
        self._choice = choice
        self._failed: BaseException | None = None
        self._opened: Engine | None = None
        self._kinds: dict[str, Any] = {}
        try:
            self.total = source.estimate()
            self._reader: Any = source.open()
            self._opened = Engine(
                memory=memory,
                reads=source.paths,
                scratch=scratch,
                registered=source.registered,
                views=source.views,
            )
            self._relation = self._prepare()
            self.columns = self._check()
        except BaseException:
            self.close()
            raise

    def _prepare(self) -> str:
        """Register the reader with the engine; return the relation for FROM."""
        if self._reader is None:
            return self.source.relation
        if not self._reader.schema.names:
            raise SourceError(
                f"{self.source.shown} has no columns", ways_out=("--query 'SELECT ...'",)
            )
        self._reader = self._counted(plain(self._reader))
        self._engine.register(_VIEW, self._reader)
        return _VIEW

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
        """The Arrow schema of the batches, if they come from a driver.

        Raises:
            ValueError: They do not come from a driver; see `direct`.
        """
        if self._reader is None:
            raise ValueError("only rows that come from a driver have a schema before they are read")
        schema: Schema = self._reader.schema
        if not self._choice.columns:
            return schema
        fields = [schema.field(name) for name in self._choice.columns]
        chosen: Schema = import_module("pyarrow").schema(fields)
        return chosen

    def batches(self, form: Form = "columns") -> Iterator[Batch]:
        """Yield Arrow batches, each a `pyarrow.RecordBatch` of at most 65,536 rows.

        Args:
            form: What the values are for: by default, typed columns; `csv`, `json` or `cells` of a
                sheet return those as text that would be something else there.

        Raises:
            SourceError: The source failed, or a value does not have the type of its column.
        """
        with self._converting_errors():
            if self.direct and form == "columns":
                yield from self._chosen()
            else:
                yield from self._engine.batches(self._select(form), BATCH, self.source.values)

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
        """Let the engine write the rows to a file, or into a folder of partitions.

        Values that the format has no type for are written as `written` says.

        Args:
            path: The file or folder, in the folder of this export.
            options: The options of its COPY, such as `FORMAT csv`.
            partition_by: Columns whose values become folders.

        Returns:
            The number of rows.
        """
        form = _FORMS.get((_FORMAT.findall(options) or [""])[-1].lower(), "columns")
        selected = self._select(form, partition_by)
        if partition_by:
            names = ", ".join(quoted(name) for name in partition_by)
            options += f", PARTITION_BY ({names}), FILENAME_PATTERN 'data_{{i}}'"
        target = path.replace("'", "''")
        statement = f"COPY ({selected}) TO '{target}' ({options})"
        report: Report = _untold if self._reader is not None else self.report
        with self._converting_errors():
            return self._engine.run(statement, self.source.values, report)

    def close(self) -> None:
        """Close the source. Calling it twice is harmless."""
        if self._opened is not None:
            self._opened.close()
        self.source.close()

    @contextmanager
    def _converting_errors(self) -> Generator[None]:
        """Raise the original error of reading rows, even if a library has replaced it."""
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

    def _select(self, form: Form = "columns", unchanged: Sequence[str] = ()) -> str:
        """Return the query for the chosen rows and columns, as they are written."""
        names = [each.name for each in self.columns]
        values = {
            name: written(self._kinds[name], quoted(name), form)
            for name in names
            if name not in unchanged
        }
        changed = [name for name, value in values.items() if value != quoted(name)]
        chosen = ", ".join(
            f"{values[name]} AS {quoted(name)}" if name in changed else quoted(name)
            for name in names
        )
        # On lines of their own: a comment at the end of the filter ends there.
        where = f" WHERE (\n{self._choice.where}\n)" if self._choice.where else ""
        limit = f" LIMIT {self._choice.limit}" if self._choice.limit is not None else ""
        return f"SELECT {chosen} FROM {self._relation}{where}{limit}"

    def _check(self) -> tuple[Column, ...]:
        """Check the selection against the source, and return the columns."""
        # Describing a CSV file reads its beginning, so it is done once if that is enough.
        statement = self.source.statement or f"SELECT * FROM {self._relation}"
        described = self._engine.describe(statement, self.source.values)
        known = [name for name, _ in described]
        self.source.check(known)
        if self._reader is not None:
            # The engine renames repeated columns.
            known = list(self._reader.schema.names)
            check_names(known, self.source.shown)
        check_columns(self._choice.columns, known, self.source.shown)
        self._kinds = dict(described)
        names = self._choice.columns or known
        columns = tuple(Column(name=name, type=str(self._kinds[name])) for name in names)
        if self._choice.where is not None:
            self._check_filter(known)
        return columns

    def _check_filter(self, known: Sequence[str]) -> None:
        where = self._choice.where or ""
        if not where.strip():
            raise ChoiceError("the filter is empty", ways_out=("leave out --where",))
        try:
            check_filter(where)
            filtered = f"SELECT 1 FROM {self._relation} WHERE (\n{where}\n)"
            self._engine.describe(filtered, self.source.values)
        except ChoiceError as error:
            raise ChoiceError(
                f"the filter makes no sense: {error.message}",
                ways_out=(f"columns: {listed(known)}",),
            ) from error

    def _counted(self, reader: Any) -> Any:
        """Return a reader that reports progress, and raises our errors."""
        pyarrow = import_module("pyarrow")
        return pyarrow.RecordBatchReader.from_batches(reader.schema, self._counting(reader))

    def _counting(self, reader: Any) -> Iterator[Any]:
        done, total = 0, self.total
        try:
            while True:
                try:
                    batch = checked(reader.read_next_batch(), self.source.shown)
                except StopIteration:
                    return
                except SourceError:
                    raise
                except Exception as error:  # noqa: BLE001 - see below
                    # Not `from`: the message has the whole text, and a cause would be shown again.
                    raise self.source.failure(error)  # noqa: B904
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
