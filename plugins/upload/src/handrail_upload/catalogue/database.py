"""Database: the operations that the catalogue needs from a database, and their shared part."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol, TypeVar

from handrail_upload.catalogue.schema import TABLES
from handrail_upload.errors import CatalogueError
from handrail_upload.listing import Listing

Row = tuple[Any, ...]
Values = Mapping[str, object]
T = TypeVar("T")


class NotACatalogueError(CatalogueError):
    """What is there is something else, and was not made by us."""


class TablesGoneError(CatalogueError):
    """The tables were there, and are not any more; an upload drops them only while they are empty.

    Args:
        shown: The database, for people.
        said: Message of the database.
    """

    def __init__(self, shown: str, said: str) -> None:
        super().__init__(
            f"the tables of the catalogue {shown} are gone: {said}",
            ways_out=("run it again: the run that had made them may have been undone meanwhile",),
        )


class UnreachableError(CatalogueError):
    """The connection broke, or could not be made again; a transaction may have been committed.

    Or the server has undone the transaction, as it and another one waited for each other.

    Args:
        message: What happened.
        reason: The message of the database.
        ways_out: What can be done.
    """

    def __init__(self, message: str, *, reason: str = "", ways_out: Iterable[str] = ()) -> None:
        super().__init__(message, ways_out=ways_out)
        self.reason = reason


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """The number of changed rows."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows of the result."""
        ...


class Database(ABC):
    """One connection to one database, opened on first use.

    Statements have named parameters, as in `name = :name`. Every failure is raised as a
    CatalogueError that names the database.

    Attributes:
        shown: The database, for people; without secrets.
        timeout: Seconds to wait for a lock of another process.
    """

    types: ClassVar[Mapping[str, str]]

    def __init__(self, shown: str, timeout: float) -> None:
        self.shown = shown
        self.timeout = timeout
        self._connection: Any = None
        self._process = 0

    def rows(self, statement: str, **values: object) -> list[Row]:
        """Return all rows of the result of `statement`."""
        with self._converting_errors():
            rows: list[Row] = self._execute(self._connected(), statement, values).fetchall()
            return rows

    def change(self, statement: str, **values: object) -> int:
        """Execute `statement`; return the number of changed rows."""
        with self._converting_errors():
            return self._execute(self._connected(), statement, values).rowcount

    @abstractmethod
    def fill(self, table: str, rows: Iterable[Row]) -> None:
        """Within a transaction, add rows to a temporary table; in SQLite, of two columns."""

    def patiently(self, work: Callable[[], T]) -> T:
        """Return the result of `work`, which is done again if the connection breaks meanwhile.

        So it is if the server lets another transaction go first.

        Args:
            work: Makes one transaction, which is harmless to repeat: where the answer to its commit
                was lost, it may have been committed all the same.
        """
        return work()

    @contextmanager
    def transaction(self, *, alone: bool = False) -> Generator[None, None, None]:
        """Execute the statements within it in one transaction.

        Args:
            alone: Whether to block readers too, if the whole database is locked.
        """
        try:
            with self._converting_errors():
                self._begin(self._connected(), alone=alone)
            yield
            with self._converting_errors():
                self._execute(self._connection, "COMMIT", {})
        except BaseException:
            self._roll_back()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        # A forked child must not close the connection of its parent.
        if connection is not None and self._process == os.getpid():
            connection.close()

    def now(self) -> object:
        """Return the time as a value for the database."""
        return self.moment(datetime.now(UTC))

    @abstractmethod
    def publishing(self, listing: Listing) -> AbstractContextManager[None]:
        """Execute the statements within it in one transaction, beside temporary tables.

        These are `given_unit (name, metadata)` and `given_file (unit, role, name, location, key,
        size, sha256, etag)` with the rows of `listing`, `given_removed (location)` if it has any,
        and `differing_unit (name, id, metadata)`, which is empty.
        """

    @abstractmethod
    def moment(self, when: datetime) -> object:
        """Return `when` as a value for the database."""

    @abstractmethod
    def exists(self) -> bool:
        """Return whether there is a database at all.

        Raises:
            NotACatalogueError: The file is not a catalogue, or none can be created there.
        """

    @abstractmethod
    def columns(self, tables: Sequence[str]) -> list[tuple[str, str]]:
        """Return each column of those of `tables` that exist, in order, after its table."""

    @abstractmethod
    def lock(self, kind: str, name: str = "") -> None:
        """Within a transaction, wait for others with the same lock, and keep them waiting.

        Args:
            kind: `making` of tables, and dropping them; a `run`, as a server may still be at work
                for a process of it that was killed; or a `collection`, for all that publish or
                remove there.
            name: The name of the run or the collection.
        """

    @abstractmethod
    def drop(self) -> bool:
        """Within a transaction, drop the tables of the catalogue, and return True.

        False, and nothing happens, if they have rows, if something that is not ours was built upon
        them, or if somebody has given others rights on them, other than by default.
        """

    def is_empty(self) -> bool:
        """Return whether nothing is registered."""
        return not any(self.rows(f"SELECT 1 FROM {table} LIMIT 1") for table in TABLES)

    @abstractmethod
    def _connect(self) -> Any: ...

    @abstractmethod
    def _begin(self, connection: Any, *, alone: bool) -> None: ...

    @abstractmethod
    def _execute(self, connection: Any, statement: str, values: Values) -> Cursor: ...

    @abstractmethod
    def _converting_errors(self) -> AbstractContextManager[None]:
        """Return a context manager that converts errors of the driver to errors for people."""

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection, self._process = self._connect(), os.getpid()
        elif self._process != os.getpid():
            raise CatalogueError(
                f"{self.shown} was opened by process {self._process}, "
                f"and cannot be used by its child {os.getpid()}",
                ways_out=("open the catalogue again in the child",),
            )
        return self._connection

    @abstractmethod
    def _roll_back(self) -> None:
        """End the transaction that failed, if there is one; never raise."""
