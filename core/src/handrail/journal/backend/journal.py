"""What journals in SQL databases have in common."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Generic, TypeVar

from handrail.journal.backend.db_text import to_stored
from handrail.journal.backend.owned import SqlOwnedRun
from handrail.journal.backend.rows import (
    attempt_rows,
    by_name,
    field_rows,
    note_rows,
    run_row,
    unknown_run,
)
from handrail.journal.records import RecordedRun

if TYPE_CHECKING:
    from handrail.journal.backend.connection import Connection
    from handrail.journal.backend.rows import Seen
    from handrail.journal.backend.statements import Statements
    from handrail.journal.records import Outcome, RunRow

_ALL = 2**63 - 1  # Every database takes it for a limit.

Run = TypeVar("Run", bound=SqlOwnedRun)


class SqlJournal(ABC, Generic[Run]):
    """A journal that reads by SQL, and gives up at its end the runs of this process.

    Args:
        statements: The statements in the dialect of its database.
        seen: Tells from the row of a run when its owner last gave a sign of life.
    """

    def __init__(self, statements: Statements, seen: Seen) -> None:
        self._statements = statements
        self._seen = seen
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
        statements = self._statements
        statement = statements.runs if plans else statements.runs_without_plans
        values = {
            "limit": _ALL if limit is None else limit,
            "action": None if action is None else to_stored(action),
            "outcome": outcome,
            "project": None if project is None else to_stored(project),
        }
        with self._reading() as connection:
            found = by_name(connection.execute(statement, values))
            return [run_row(row, self._seen) for row in found]

    def read(self, number: int, *, fields: bool = True) -> RecordedRun:
        """Return all that is recorded of one run.

        Args:
            number: The number of the run.
            fields: Whether to read the values of its context too.

        Raises:
            NotFoundError: There is no such run; near numbers are named.
        """
        with self._reading() as connection:
            return self._recorded(connection, number, fields=fields)

    def _recorded(self, connection: Connection, number: int, *, fields: bool) -> RecordedRun:
        statements, run = self._statements, {"run": number}
        execute = connection.execute
        return RecordedRun(
            row=self._row(connection, number, statements.run),
            attempts=attempt_rows(execute(statements.attempts, run)),
            notes=note_rows(execute(statements.notes, run)),
            fields=field_rows(execute(statements.fields, run)) if fields else (),
        )

    def _row(self, connection: Connection, number: int, statement: str) -> RunRow:
        for row in by_name(connection.execute(statement, {"run": number})):
            return run_row(row, self._seen)
        raise unknown_run(connection, self._statements, number)

    def _own(self, run: Run) -> Run:
        """Return a run that `close` gives up."""
        self._owned.add(run)
        return run

    def close(self) -> None:
        """Give up the runs of this process; harmless twice."""
        for run in list(self._owned):
            run.release()
