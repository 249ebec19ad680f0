"""DuckDB within limits: bounded memory, no network, and only the files of this export."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from handrail_export.errors import ChoiceError, ExportError, SourceError, StorageError
from handrail_export.names import said
from handrail_export.sources.binding import quoted

_THREADS = 4
_SPILL_WAYS_OUT = ("or free some space at the target, to which it moves what is too much",)
_PAUSE = 0.2  # Seconds between two looks at how far a statement is.

_NONE: Mapping[str, Any] = {}

Values = Sequence[object]
Report = Callable[[float, float], None]


class Engine:
    """One connection to a database in memory.

    Args:
        memory: The limit in bytes, without the memory of the libraries themselves.
        reads: The files that it may read.
        scratch: The folder that it may write into.
        registered: Datasets and streams of Arrow, by name.
        views: Tables by name, each a relation for FROM.
    """

    def __init__(
        self,
        *,
        memory: int,
        reads: Sequence[str],
        scratch: str,
        registered: Mapping[str, Any] = _NONE,
        views: Mapping[str, str] = _NONE,
    ) -> None:
        duckdb = import_module("duckdb")
        self._errors: Any = duckdb
        self._scratch = scratch
        threads = max(1, min(_THREADS, os.cpu_count() or 1))
        self._connection: Any = duckdb.connect(
            config={
                "memory_limit": f"{memory // 1024}KiB",
                "threads": threads,
                # One after the other, so that a file only grows, and little waits in memory.
                "async_threads": 1,
                "temp_directory": os.path.join(scratch, ".spill"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "allow_persistent_secrets": False,
                # A query names the sources, and no variable of this program.
                "python_enable_replacements": False,
            }
        )
        self._set("allowed_paths", list(reads))
        self._set("allowed_directories", [scratch])
        # A query or a filter may not name other files of the machine.
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET enable_progress_bar = false")
        # Text of times does not depend on the machine.
        self._connection.execute("SET TimeZone = 'UTC'")
        with self._converting_errors():
            for name, data in registered.items():
                self.register(name, data)
            for name, relation in views.items():
                self._connection.execute(
                    f"CREATE TEMP VIEW {quoted(name)} AS SELECT * FROM {relation}"
                )

    def _set(self, name: str, values: list[str]) -> None:
        texts = ", ".join("'{}'".format(value.replace("'", "''")) for value in values)
        self._connection.execute(f"SET {name} = [{texts}]")

    def register(self, name: str, data: Any) -> None:
        """Register a dataset, or a stream of Arrow batches, under a name."""
        self._connection.register(name, data)

    def describe(self, query: str, values: Values = ()) -> list[tuple[str, Any]]:
        """Return the name of each column of a query, and its `DuckDBPyType`, reading no rows.

        Raises:
            SourceError: The files cannot be read.
            ChoiceError: The query is malformed.
        """
        with self._converting_errors():
            found = self._connection.sql(query, params=list(values) or None)
            return list(zip(found.columns, found.types, strict=True))

    def run(
        self,
        statement: str,
        values: Values = (),
        report: Report = lambda done, total: None,
    ) -> int:
        """Execute a COPY statement; return the number of copied rows.

        Args:
            statement: The statement.
            values: The values of its places `$1`, `$2`...
            report: Called with `(done, 100)` from time to time.
        """
        with self._converting_errors(), self._watched(report):
            return int(self._connection.execute(statement, list(values) or None).fetchone()[0])

    def batches(self, query: str, size: int, values: Values = ()) -> Generator[Any]:
        """Yield the rows of a query as Arrow batches of up to `size` rows.

        Args:
            query: The query.
            size: The maximum number of rows in a batch.
            values: The values of its places `$1`, `$2`...
        """
        with self._converting_errors():
            found = self._connection.sql(query, params=list(values) or None)
            yield from found.to_arrow_reader(size)

    def close(self) -> None:
        """Close the connection. Calling it twice is harmless."""
        self._connection.close()

    @contextmanager
    def _watched(self, report: Report) -> Generator[None]:
        over = threading.Event()

        def look() -> None:
            while not over.wait(_PAUSE):
                done = float(self._connection.query_progress())
                if done > 0:
                    report(min(done, 100.0), 100.0)

        watcher = threading.Thread(target=look, name="handrail-export", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    @contextmanager
    def _converting_errors(self) -> Generator[None]:
        try:
            yield
        except self._errors.Error as error:
            # Not `from`: the message has the engine's whole text, and a cause would be shown again.
            raise _error(error, self._errors, self._scratch)  # noqa: B904
        except OSError as error:
            # While rows are streamed, only the text tells which error of the engine it was.
            kind = getattr(self._errors, _exception_named(str(error)), None)
            if kind is None:
                raise
            raise _error(kind(str(error)), self._errors, self._scratch) from None
        except RuntimeError as error:
            # The engine polls Python for signals, and loses the exception.
            if str(error) == "Query interrupted":
                raise KeyboardInterrupt from None
            raise


def _exception_named(text: str) -> str:
    """Return the name of the exception of an error that begins like `Invalid Input Error: `."""
    name, _, rest = text.partition(" Error: ")
    return f"{name.title().replace(' ', '')}Exception" if rest else ""


def _error(error: BaseException, errors: Any, scratch: str) -> ExportError:
    """Convert an error of the engine to an error for people."""
    text = said(error)
    if isinstance(error, errors.OutOfMemoryException):
        return ExportError(
            f"the conversion needs more memory: {text}",
            ways_out=(
                "give it more, such as --memory 2GB",
                "or choose fewer columns: --column",
                *(_SPILL_WAYS_OUT if "offload" in text else ()),
            ),
        )
    for number in (errno.ENOSPC, errno.EDQUOT):
        # The message is JSON inside a sentence, and contains the path.
        if (said_of_disk := os.strerror(number)) in text:
            return StorageError(
                f"what is written: {said_of_disk} (at {scratch})",
                ways_out=("free some space, or give another target",),
            )
    if os.strerror(errno.ENAMETOOLONG) in text:
        return ChoiceError(
            "a value is too long for the name of a folder",
            ways_out=("give another column to --partition-by", "or leave such rows out: --where"),
        )
    if isinstance(error, errors.PermissionException):
        return ChoiceError(f"only what is given as a source can be read: {text}")
    if isinstance(error, (errors.BinderException, errors.CatalogException, errors.ParserException)):
        return ChoiceError(text)
    if isinstance(error, errors.ConversionException | errors.InvalidInputException):
        return SourceError(f"the rows cannot be read: {text}", ways_out=_csv_ways_out(text))
    return SourceError(text)


def _csv_ways_out(text: str) -> tuple[str, ...]:
    if "not utf-8" in text:
        return ("convert the file first, such as with: iconv -f LATIN1 -t UTF-8",)
    if text.startswith("CSV "):
        return ("to take all values as text: --csv-types text",)
    return ()
