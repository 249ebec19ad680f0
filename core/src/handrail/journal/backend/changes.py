"""Converts new runs and changes to rows, and writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, cast

from handrail.frozen import record
from handrail.journal.backend.kinds import (
    ATTEMPT,
    CHUNK,
    FIELD,
    ITEM_NOTE,
    NOTE,
    OBSERVATION,
    checksum,
    to_stored,
)
from handrail.journal.backend.lease import lost_error
from handrail.journal.backend.rows import checksum_of_plan, checksum_of_run
from handrail.journal.backend.statements import FREE_TEXTS, NEW_COLUMNS
from handrail.journal.codec import now
from handrail.journal.numbers import run_number
from handrail.journal.records import (
    AttemptChange,
    ChunkChange,
    FieldChange,
    ItemNoteChange,
    NoteChange,
    RelianceChange,
)

if TYPE_CHECKING:
    from handrail.errors import LeaseLostError
    from handrail.journal.backend.connection import Connection
    from handrail.journal.backend.statements import Statements
    from handrail.journal.records import (
        Change,
        Direction,
        NewRun,
        ObservationChange,
        Outcome,
    )

Values = tuple[object, ...]


@record
class Rows:
    """The rows that one commit writes to each table, in order, and its changes to the run.

    Attributes:
        attempts: Those of attempts, as `Kind.stored` returns them.
        notes: Those of notes.
        fields: Those of context fields.
        reliance: run, uid.
        chunks: Those of chunks.
        item_notes: Those of notes of items.
        direction: The new direction of the run, or None.
        at_once: Whether its owner has undone it from its claim on.
        sealed: The reason if the run is sealed, or None.
        outcome: The outcome if the run ends, or None.
        by_hand: What was undone by hand, or None if that does not change.
        changes_run: Whether the run itself changes.
    """

    attempts: list[Values]
    notes: list[Values]
    fields: list[Values]
    direction: Direction | None = None
    at_once: bool = False
    sealed: str | None = None
    outcome: Outcome | None = None
    by_hand: str | None = None
    changes_run: bool = False
    reliance: list[Values] = field(default_factory=list[Values])
    chunks: list[Values] = field(default_factory=list[Values])
    item_notes: list[Values] = field(default_factory=list[Values])


def attempts_of(run: int, uid: str, batches: Iterable[Sequence[Change]]) -> list[object] | None:
    """Return the values of all attempts in one list, or None if there are other changes."""
    values: list[object] = []
    for batch in batches:
        for change in batch:
            if not isinstance(change, AttemptChange):
                return None
            values += _attempt(run, uid, change)
    return values


def rows_of(run: int, uid: str, batches: Iterable[Sequence[Change]]) -> Rows:
    """Return the rows for all changes in `batches` to the run.

    Args:
        run: The number of the run.
        uid: Its UUID.
        batches: The changes.
    """
    rows = Rows([], [], [])
    for batch in batches:
        for change in batch:
            if isinstance(change, AttemptChange):
                rows.attempts.append(_attempt(run, uid, change))
            elif isinstance(change, NoteChange):
                rows.notes.append(NOTE.stored(run, uid, change))
            elif isinstance(change, FieldChange):
                rows.fields.append(FIELD.stored(run, uid, change))
            elif isinstance(change, RelianceChange):
                rows.reliance += [(run, to_stored(each)) for each in change.uids]
            elif isinstance(change, ChunkChange):
                rows.chunks.append(CHUNK.stored(run, uid, change))
            elif isinstance(change, ItemNoteChange):
                rows.item_notes.append(ITEM_NOTE.stored(run, uid, change))
            else:
                rows.direction = change.direction or rows.direction
                rows.sealed = rows.sealed if change.sealed is None else to_stored(change.sealed)
                rows.outcome = change.outcome or rows.outcome
                rows.by_hand = change.by_hand or rows.by_hand
                rows.at_once = change.at_once or rows.at_once
                rows.changes_run = True
    return rows


def _attempt(run: int, uid: str, change: AttemptChange) -> Values:
    # Fast path: what `Kind.stored` does, for most of what is written.
    step, n, state, data_version, result, error = change
    step = to_stored(step)
    error = None if error is None else to_stored(error)
    crc = checksum(ATTEMPT.table, uid, step, n, result)
    return run, step, n, state, data_version, result, error, crc


def write_observations(
    connection: Connection,
    statements: Statements,
    changes: Sequence[ObservationChange],
    uid: str,
    ours: Mapping[str, object],
) -> None:
    """Check within the transaction that we own the run, and write what its steps said.

    Args:
        connection: The connection, within the transaction.
        statements: The statements in its dialect.
        changes: What they said.
        uid: The UUID of the run.
        ours: `run` and `fence`.

    Raises:
        LeaseLostError: We no longer own the run, or it is closed.
    """
    if connection.execute(statements.still_ours, ours).fetchone() is None:
        raise lost(connection, statements, ours)
    run = cast("int", ours["run"])
    rows = [OBSERVATION.stored(run, uid, change) for change in changes]
    connection.cursor().executemany(statements.observation, rows)


def new_values(new: NewRun) -> dict[str, str | int]:
    """Return the stored values of a new run, by column, with its checksums."""
    texts: dict[str, str] = {name: getattr(new, name) for name in NEW_COLUMNS}
    texts |= {name: to_stored(texts[name]) for name in FREE_TEXTS if name in texts}
    return {
        **texts,
        "crc": checksum_of_run(texts),
        "plan_crc": checksum_of_plan(new.uid, new.plan),
    }


def add_run(
    connection: Connection,
    statements: Statements,
    new: NewRun,
    changes: Sequence[Change],
    ours: Mapping[str, object],
    own: Callable[[int], str],
    *,
    number: int | None = None,
) -> int:
    """Add a run within the transaction, with its first changes; return its number.

    Args:
        connection: The connection, within the transaction.
        statements: The statements in its dialect.
        new: The run.
        changes: Its first changes.
        ours: The values of the lease.
        own: Takes the lock of the run with this number, and returns its owner as JSON.
        number: The number of the run; None for the next one.
    """
    values = {**new_values(new), "number": number, "owner": "", **ours}
    statement = statements.open if number is None else statements.open_child
    number = run_number(connection.execute(statement, values).fetchone()[0])
    connection.execute(statements.plan, (number, new.plan))
    connection.execute(statements.name_owner, (own(number), number))
    rows = rows_of(number, new.uid, (changes,))
    if rows.changes_run:
        change_run(connection, statements, rows, {**ours, "run": number, "fence": 1})
    write_rows(connection, statements, rows)
    return number


def change_run(
    connection: Connection,
    statements: Statements,
    rows: Rows,
    ours: Mapping[str, object],
    *,
    renew: bool = True,
) -> None:
    """Check within the transaction that we own the run, and change it or renew its lease.

    Args:
        connection: The connection, within the transaction.
        statements: The statements in its dialect.
        rows: The rows of the commit.
        ours: `run` and `fence`, and the values of the lease.
        renew: Whether to renew the lease if the run does not change; otherwise it is only checked.

    Raises:
        LeaseLostError: We no longer own the run, or it is closed.
    """
    if rows.changes_run:
        new = {"direction": rows.direction, "sealed": rows.sealed, "outcome": rows.outcome}
        new |= {"by_hand": rows.by_hand, "at_once": "yes" if rows.at_once else None}
        found = connection.execute(statements.change, {**new, **ours}).fetchone()
    else:
        statement = statements.renew if renew else statements.still_ours
        found = connection.execute(statement, ours).fetchone()
    if found is None:
        raise lost(connection, statements, ours)


def count_rows(
    connection: Connection, statements: Statements, rows: Rows, ours: Mapping[str, object]
) -> None:
    """Write how many rows a run has, if it ends with `rows`, so that a lost one is found."""
    if rows.outcome is not None:
        connection.execute(statements.count, ours)


def lost(
    connection: Connection, statements: Statements, ours: Mapping[str, object]
) -> LeaseLostError:
    """Return the error for a run that we no longer own; `ours` has its `run` and `fence`."""
    found = connection.execute(statements.state, ours).fetchone()
    return lost_error(cast("int", ours["run"]), cast("int", ours["fence"]), found)


def write_rows(connection: Connection, statements: Statements, rows: Rows) -> None:
    """Write the rows of a commit, but for that of the run.

    Args:
        connection: The connection, within the transaction.
        statements: The statements in its dialect.
        rows: The rows of the commit.
    """
    cursor = connection.cursor()
    at = (now(),) if statements.takes_time else ()
    attempts = [(*each, *at) for each in rows.attempts]
    chunks = [(*each, *at) for each in rows.chunks]
    for statement, values in (
        (statements.attempt, attempts),
        (statements.note, rows.notes),
        (statements.field, rows.fields),
        (statements.reliance, rows.reliance),
        (statements.chunk, chunks),
        (statements.item_note, rows.item_notes),
    ):
        if len(values) == 1:
            cursor.execute(statement, values[0])
        elif values:
            cursor.executemany(statement, values)
