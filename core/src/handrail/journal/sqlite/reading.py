"""Reading runs back from the tables."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import replace
from typing import Any

from handrail.errors import NotFoundError
from handrail.journal.backend.db_text import to_stored
from handrail.journal.backend.owner import Owner, boot, clock
from handrail.journal.backend.rows import attempt_rows, field_rows, no_run, note_rows, run_row
from handrail.journal.records import Outcome, RecordedRun, RunRow
from handrail.journal.sqlite import statements


def read_runs(
    connection: sqlite3.Connection,
    limit: int | None,
    action: str | None,
    outcome: Outcome | None,
    project: str | None,
    *,
    plans: bool,
) -> list[RunRow]:
    """Return runs, the latest first."""
    statement = statements.RUNS if plans else statements.RUNS_WITHOUT_PLANS
    values = {
        "limit": -1 if limit is None else limit,
        "action": None if action is None else to_stored(action),
        "outcome": outcome,
        "project": None if project is None else to_stored(project),
    }
    return [_row(found) for found in connection.execute(statement, values)]


def read_run(
    connection: sqlite3.Connection,
    number: int,
    known: RecordedRun | None = None,
    *,
    fields: bool = True,
) -> RecordedRun:
    """Return all that is recorded of one run.

    Args:
        connection: The tables.
        number: The number of the run.
        known: What was read of it before, if nothing but the run itself was written since.
        fields: Whether to read the values of its context too.

    Raises:
        NotFoundError: There is no such run.
    """
    statement = statements.RUN if known is None else statements.RUN_BUT_ITS_PLAN
    values = connection.execute(statement, (number,)).fetchone()
    if values is None:
        raise unknown_run(connection, number)
    row = _row(values)
    if known is not None:
        return replace(known, row=replace(row, plan=known.row.plan))
    return RecordedRun(
        row=row,
        attempts=attempt_rows(connection.execute(statements.ATTEMPTS, (number,))),
        notes=note_rows(connection.execute(statements.NOTES, (number,))),
        fields=field_rows(connection.execute(statements.FIELDS, (number,))) if fields else (),
    )


def _row(row: tuple[Any, ...]) -> RunRow:
    *values, lease_boot, lease_until = row
    owner, closed = values[14:16]
    seen = None
    if closed is None and lease_until is not None and lease_boot == boot():
        begun = lease_until - Owner.of_json(owner).lease
        seen = time.time() - max(0.0, clock() - begun)
    given_up = closed is None and lease_until is None
    return run_row(tuple(values), seen=seen, given_up=given_up)


def unknown_run(connection: sqlite3.Connection, number: int) -> NotFoundError:
    """Return the error for a number that no run has, with near ones."""
    near = sorted(each for (each,) in connection.execute(statements.NEAR, (number,)))
    return no_run(number, near)
