"""What journals in SQL databases have in common."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Generic, TypeVar

from handrail.journal.backend.owned import SqlOwnedRun

if TYPE_CHECKING:
    from handrail.journal.backend.connection import Connection
    from handrail.journal.backend.rows import Reader
    from handrail.journal.records import Outcome, RecordedRun, RunRow

Run = TypeVar("Run", bound=SqlOwnedRun)


class SqlJournal(ABC, Generic[Run]):
    """A journal that reads by SQL, and gives up at its end the runs of this process.

    Args:
        reader: Reads runs back.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._owned: weakref.WeakSet[Run] = weakref.WeakSet()

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]:
        """Return a block with a connection on which all that is read is of one moment."""

    def runs(
        self,
        *,
        limit: int | None = None,
        action: str | None = None,
        outcome: Outcome | None = None,
        project: str | None = None,
        plans: bool = True,
    ) -> list[RunRow]:
        """Return runs, the latest first.

        Args:
            limit: How many at most.
            action: Only runs of this action: what it is called, or the part behind the last colon.
            outcome: Only runs that ended so; `interrupted`: those that have not ended.
            project: Only runs of this project.
            plans: Whether to read their plans, too, which may be long.
        """
        with self._reading() as connection:
            return self._reader.runs(
                connection,
                limit=limit,
                action=action,
                outcome=outcome,
                project=project,
                plans=plans,
            )

    def read(self, number: int, *, fields: bool = True) -> RecordedRun:
        """Return all that is recorded of one run.

        Args:
            number: The number of the run.
            fields: Whether to read the values of its context too.

        Raises:
            NotFoundError: There is no such run; near numbers are named.
        """
        with self._reading() as connection:
            return self._reader.read(connection, number, fields=fields)

    def _own(self, run: Run) -> Run:
        """Return a run that `close` gives up."""
        self._owned.add(run)
        return run

    def close(self) -> None:
        """Give up the runs of this process; harmless twice."""
        for run in list(self._owned):
            run.release()
