"""Reading runs back from the tables."""

from __future__ import annotations

import sqlite3

from handrail.errors import NotFoundError
from handrail.journal.reading import attempt_rows, field_rows, no_run, note_rows, run_row
from handrail.journal.records import RecordedRun, RunRow
from handrail.journal.sqlite import statements


def read_runs(connection: sqlite3.Connection, limit: int | None) -> list[RunRow]:
    """Return the runs, the latest first."""
    found = connection.execute(statements.RUNS, (-1 if limit is None else limit,))
    return [run_row(values) for values in found]


def read_run(connection: sqlite3.Connection, number: int) -> RecordedRun:
    """Return all that is recorded of one run.

    Raises:
        NotFoundError: There is no such run.
    """
    row = connection.execute(statements.RUN, (number,)).fetchone()
    if row is None:
        raise unknown_run(connection, number)
    return RecordedRun(
        row=run_row(row),
        attempts=attempt_rows(connection.execute(statements.ATTEMPTS, (number,))),
        notes=note_rows(connection.execute(statements.NOTES, (number,))),
        fields=field_rows(connection.execute(statements.FIELDS, (number,))),
    )


def unknown_run(connection: sqlite3.Connection, number: int) -> NotFoundError:
    """Return the error for a number that no run has, with near ones."""
    near = sorted(each for (each,) in connection.execute(statements.NEAR, (number,)))
    return no_run(number, near)
