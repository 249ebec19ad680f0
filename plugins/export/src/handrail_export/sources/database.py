"""A database query, read in batches through ADBC, in a read-only transaction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from handrail.suggest import did_you_mean
from handrail_export.arrow import BatchReader
from handrail_export.errors import SourceError
from handrail_export.names import listed, said
from handrail_export.sources.address import Address
from handrail_export.sources.source import Source

BATCH = 1 << 16
"""Rows that are read at a time."""


class Database(Source):
    """A read-only connection, and one query of it.

    Args:
        address: Its address.
        query: SQL, one statement; that of `choose_table` unless given.
        parameters: Values for the `:names` in it.
    """

    def __init__(
        self, address: Address, query: str = "", parameters: Mapping[str, object] | None = None
    ) -> None:
        self.address = address
        self.query = query
        self.parameters = parameters or {}
        self.table = ""
        self.shown = f"the query of {address.shown}"
        self._connection: Any = None
        self._cursor: Any = None

    def choose_table(self, name: str) -> None:
        """Make the source a query of a whole table or view.

        Raises:
            SourceError: The table does not exist, or the database cannot be opened.
        """
        known = self.tables()
        if name not in known:
            near = did_you_mean(name, known)
            raise SourceError(
                f"{self.address.shown} has no table {name}{near and f'; {near}'}",
                ways_out=(f"tables: {listed(known)}" if known else "it has no tables at all",),
            )
        self.table = name
        self.query = f"SELECT * FROM {self.spelled(name)}"
        self.shown = f"the table {name} of {self.address.shown}"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return all rows of a short query of our own."""
        try:
            with self._converting_errors(), self._open_cursor() as cursor:
                cursor.execute(query)
                found: list[tuple[Any, ...]] = cursor.fetchall()
                return found
        except SourceError:
            self.close()  # PostgreSQL accepts no statement after a failed one.
            raise

    def open(self) -> BatchReader:
        with self._converting_errors():
            if self._cursor is not None:
                self._close(self._cursor)
            self._cursor = cursor = self._new_cursor(self._connected())
            reader: BatchReader = self._execute(cursor)
            return reader

    def close(self) -> None:
        cursor, connection = self._cursor, self._connection
        self._cursor = self._connection = None
        for each in (cursor, connection):
            if each is not None:
                self._close(each)

    @abstractmethod
    def tables(self) -> list[str]:
        """Return the names of the tables and views that can be read."""

    @abstractmethod
    def spelled(self, table: str) -> str:
        """Return the name of a table as SQL takes it."""

    @abstractmethod
    def _connect(self) -> Any: ...

    @abstractmethod
    def _new_cursor(self, connection: Any) -> Any: ...

    @abstractmethod
    def _execute(self, cursor: Any) -> Any: ...

    def _ways_out(self, text: str) -> tuple[str, ...]:
        """Return the ways out for an error of the driver."""
        return ()

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    @contextmanager
    def _open_cursor(self) -> Generator[Any]:
        cursor = self._new_cursor(self._connected())
        try:
            yield cursor
        finally:
            self._close(cursor)

    @staticmethod
    def _close(what: Any) -> None:
        with suppress(Exception):  # A driver may complain about unread results after an error.
            what.close()

    @contextmanager
    def _converting_errors(self) -> Generator[None]:
        """Convert errors of the driver to a SourceError that names the database."""
        dbapi = import_module("adbc_driver_manager.dbapi")
        try:
            yield
        except dbapi.Error as error:
            # Not `from`: the message has the driver's whole text, and a cause would be shown again.
            raise self.failure(error)  # noqa: B904

    def failure(self, error: BaseException) -> SourceError:
        return SourceError(f"{self.shown}: {said(error)}", ways_out=self._ways_out(str(error)))


def driver(name: str, extra: str = "", module: str = "") -> Any:
    """Return the module of a driver.

    Args:
        name: Its package.
        extra: The extra that installs it.
        module: The module; by default, that of an ADBC driver.

    Raises:
        SourceError: The driver is not installed.
    """
    try:
        return import_module(module or f"{name}.dbapi")
    except ImportError as error:
        raise SourceError(
            f"the driver for it is not installed: {name}",
            ways_out=(f"pip install 'handrail-export[{extra}]'" if extra else "",),
        ) from error
