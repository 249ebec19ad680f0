"""Rows as they come out of the tables, whichever database has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from handrail.errors import NotFoundError
from handrail.journal.backend.db_text import MARK, from_stored, to_stored
from handrail.journal.backend.statements import RUN_COLUMNS
from handrail.journal.records import AttemptRow, FieldRow, NoteRow, RecordedRun, RunRow

if TYPE_CHECKING:
    from handrail.journal.backend.connection import Connection, Cursor
    from handrail.journal.backend.statements import Statements
    from handrail.journal.records import Outcome

_TEXTS = ("action", "cwd", "project", "sealed")  # `to_stored` wrote them.
_ALL = 2**63 - 1


class Reader:
    """Reads runs back from the tables.

    Args:
        statements: The statements in the dialect of the database.
        seen: Takes a row of `run` by column, whose lease is not given up, and returns when its
            owner last gave a sign of life, in seconds since 1970, or None where it is gone.
    """

    def __init__(
        self, statements: Statements, seen: Callable[[Mapping[str, Any]], float | None]
    ) -> None:
        self._statements = statements
        self._seen = seen

    def runs(
        self,
        connection: Connection,
        *,
        limit: int | None,
        action: str | None,
        outcome: Outcome | None,
        project: str | None,
        plans: bool,
    ) -> list[RunRow]:
        """Return runs, the latest first, as `Journal.runs` does."""
        values = {
            "limit": _ALL if limit is None else limit,
            "action": None if action is None else to_stored(action),
            "outcome": outcome,
            "project": None if project is None else to_stored(project),
        }
        statements = self._statements
        statement = statements.runs if plans else statements.runs_without_plans
        return [self._row(row) for row in by_name(connection.execute(statement, values))]

    def read(self, connection: Connection, number: int, *, fields: bool = True) -> RecordedRun:
        """Return all that is recorded of one run.

        Args:
            connection: One on which all that is read is of one moment.
            number: The number of the run.
            fields: Whether to read the values of its context too.

        Raises:
            NotFoundError: There is no such run.
        """
        statements, run = self._statements, {"run": number}
        row = self.row(connection, number)
        return RecordedRun(
            row=row,
            attempts=_attempts(connection.execute(statements.attempts, run)),
            notes=_notes(connection.execute(statements.notes, run)),
            fields=_fields(connection.execute(statements.fields, run)) if fields else (),
        )

    def row(self, connection: Connection, number: int, *, plan: bool = True) -> RunRow:
        """Return the run itself.

        Args:
            connection: Any connection.
            number: The number of the run.
            plan: Whether to read its plan, too.

        Raises:
            NotFoundError: There is no such run.
        """
        statement = self._statements.run if plan else self._statements.run_without_plan
        for row in by_name(connection.execute(statement, {"run": number})):
            return self._row(row)
        raise unknown_run(connection, self._statements, number)

    def _row(self, row: Mapping[str, Any]) -> RunRow:
        values = {name: row[name] for name in RUN_COLUMNS}
        for name in _TEXTS:
            if values[name] is not None:
                values[name] = from_stored(values[name])
        values["claimed"] = values["claimed"] or values["opened"]
        is_open, given_up = row["closed"] is None, row["lease_until"] is None
        seen = self._seen(row) if is_open and not given_up else None
        return RunRow(
            **values,
            number=row["number"],
            plan=row.get("plan", ""),
            seen=None if seen is None else _moment(seen),
            given_up=is_open and given_up,
        )


def by_name(found: Cursor) -> Iterator[dict[str, Any]]:
    """Return each row by its columns."""
    names = [column[0] for column in found.description or ()]
    return (dict(zip(names, row, strict=True)) for row in found)


def unknown_run(connection: Connection, statements: Statements, number: int) -> NotFoundError:
    """Return the error for a number that no run has, with near ones."""
    near = sorted(each for (each,) in connection.execute(statements.near, {"run": number}))
    if not near:
        return NotFoundError(f"there is no run {number}: the journal is empty")
    return NotFoundError(
        f"there is no run {number}; near it: {', '.join(map(str, near))}",
        ways_out=("handrail runs lists them",),
    )


def _attempts(found: Cursor) -> tuple[AttemptRow, ...]:
    # Each statement names its columns in the order of the attributes.
    rows = list(map(AttemptRow._make, found))
    for place, row in enumerate(rows):
        # A long run has thousands of rows, and next to none of them has either.
        if row.error is not None or row.step.startswith(MARK):
            error = None if row.error is None else from_stored(row.error)
            rows[place] = row._replace(step=from_stored(row.step), error=error)
    return tuple(rows)


def _notes(found: Cursor) -> tuple[NoteRow, ...]:
    return tuple(
        NoteRow(from_stored(step), n, seq, from_stored(key), values)
        for step, n, seq, key, values in found
    )


def _fields(found: Cursor) -> tuple[FieldRow, ...]:
    return tuple(FieldRow(boundary, from_stored(name), value) for boundary, name, value in found)


def _moment(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
