"""Reading runs back from the tables."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from handrail.errors import NotFoundError
from handrail.journal.reading import attempt_rows, field_rows, no_run, note_rows, run_row
from handrail.journal.records import RecordedRun, RunRow
from handrail.journal.sqlite import statements


def read_runs(connection: sqlite3.Connection, limit: int | None) -> list[RunRow]:
    """Return the runs, the latest first."""
    found = connection.execute(statements.RUNS, (-1 if limit is None else limit,))
    return [run_row(values) for values in found]


def read_run(
    connection: sqlite3.Connection, number: int, known: RecordedRun | None = None
) -> RecordedRun:
    """Return all that is recorded of one run.

    Args:
        connection: The tables.
        number: The number of the run.
        known: What was read of it before, if nothing but the run itself was written since.

    Raises:
        NotFoundError: There is no such run.
    """
    statement = statements.RUN if known is None else statements.RUN_BUT_ITS_PLAN
    values = connection.execute(statement, (number,)).fetchone()
    if values is None:
        raise unknown_run(connection, number)
    row = run_row(values)
    if known is not None:
        return replace(known, row=replace(row, plan=known.row.plan))
    return RecordedRun(
        row=row,
        attempts=attempt_rows(connection.execute(statements.ATTEMPTS, (number,))),
        notes=note_rows(connection.execute(statements.NOTES, (number,))),
        fields=field_rows(connection.execute(statements.FIELDS, (number,))),
    )


def unknown_run(connection: sqlite3.Connection, number: int) -> NotFoundError:
    """Return the error for a number that no run has, with near ones."""
    near = sorted(each for (each,) in connection.execute(statements.NEAR, (number,)))
    return no_run(number, near)
