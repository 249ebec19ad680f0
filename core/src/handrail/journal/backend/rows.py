"""Converts rows of the tables to values, for any SQL database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from handrail.errors import NotFoundError
from handrail.journal.backend.statements import FREE_TEXTS, RUN_COLUMNS
from handrail.journal.records import AttemptRow, FieldRow, NoteRow, Reliance, RunRow

if TYPE_CHECKING:
    from handrail.journal.backend.connection import Connection, Cursor
    from handrail.journal.backend.statements import Statements

MARK = "unicode_escape:"


def to_stored(text: str) -> str:
    """Return `text`, escaped if it could not be stored otherwise; `from_stored` reverses it."""
    if text.isascii() and "\0" not in text and not text.startswith(MARK):
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        pass
    else:
        if "\0" not in text and not text.startswith(MARK):
            return text
    return MARK + text.encode("unicode_escape").decode("ascii")


def from_stored(text: str) -> str:
    """Return the original of a text escaped by `to_stored`."""
    if not text.startswith(MARK):
        return text
    return text.removeprefix(MARK).encode("ascii").decode("unicode_escape")


Seen = Callable[[Mapping[str, Any]], float | None]
"""Returns the last sign of life of a run's owner, in seconds since 1970; None if it is gone.

Called with the row of the run, by column, unless the run was given up.
"""


def run_row(row: Mapping[str, Any], seen: Seen) -> RunRow:
    """Return a RunRow from values by column."""
    values = {name: row[name] for name in RUN_COLUMNS}
    for name in FREE_TEXTS:
        if values[name] is not None:
            values[name] = from_stored(values[name])
    values["claimed"] = values["claimed"] or values["opened"]
    is_open, given_up = row["closed"] is None, row["lease_until"] is None
    last = seen(row) if is_open and not given_up else None
    return RunRow(
        **values,
        number=row["number"],
        plan=row.get("plan", ""),
        seen=None if last is None else _format_time(last),
        given_up=is_open and given_up,
    )


def by_name(found: Cursor) -> Iterator[dict[str, Any]]:
    """Yield each row as a dict by column."""
    names = [column[0] for column in found.description or ()]
    return (dict(zip(names, row, strict=True)) for row in found)


def unknown_run(connection: Connection, statements: Statements, number: int) -> NotFoundError:
    """Return the error for the number of no run, with the closest numbers."""
    near = sorted(each for (each,) in connection.execute(statements.near, {"run": number}))
    if not near:
        return NotFoundError(f"there is no run {number}: the journal is empty")
    return NotFoundError(
        f"there is no run {number}; the closest: {', '.join(map(str, near))}",
        ways_out=("handrail runs lists them",),
    )


def attempt_rows(found: Cursor) -> tuple[AttemptRow, ...]:
    """Return the rows of attempts."""
    # The statements select the columns in the order of the attributes.
    rows = list(map(AttemptRow._make, found))
    for place, row in enumerate(rows):
        # Fast path: a long run has thousands of rows, hardly any with an error or escaped text.
        if row.error is not None or row.step.startswith(MARK):
            error = None if row.error is None else from_stored(row.error)
            rows[place] = row._replace(step=from_stored(row.step), error=error)
    return tuple(rows)


def note_rows(found: Cursor) -> tuple[NoteRow, ...]:
    """Return the rows of notes."""
    return tuple(
        NoteRow(from_stored(step), n, seq, from_stored(key), values)
        for step, n, seq, key, values in found
    )


def field_rows(found: Cursor) -> tuple[FieldRow, ...]:
    """Return the rows of context fields."""
    return tuple(FieldRow(boundary, from_stored(name), value) for boundary, name, value in found)


def reliance_of(relies_on: Cursor, relied_on_by: Cursor) -> dict[int, Reliance]:
    """Return the reliance of runs from the rows of both directions."""
    numbers: dict[int, list[int]] = {}
    uids: dict[int, list[str]] = {}
    for run, uid, number in relies_on:
        uids.setdefault(run, []).append(from_stored(uid))
        if number is not None:
            numbers.setdefault(run, []).append(number)
    by: dict[int, list[int]] = {}
    for run, number in relied_on_by:
        by.setdefault(run, []).append(number)
    return {
        run: Reliance(
            relies_on=tuple(numbers.get(run, ())),
            relied_on_by=tuple(by.get(run, ())),
            uids=tuple(uids.get(run, ())),
        )
        for run in uids.keys() | by.keys()
    }


def _format_time(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
