"""Changes as rows for the tables, ready to be executed many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handrail.journal.backend.db_text import to_stored
from handrail.journal.records import AttemptChange, FieldChange, NoteChange

if TYPE_CHECKING:
    from handrail.journal.records import Change, Direction, Outcome

AttemptValues = tuple[int, str, int, str, int, str | None, str | None]
NoteValues = tuple[int, str, int, int, str, str]
FieldValues = tuple[int, int, str, str]


@dataclass(slots=True)
class Rows:
    """What one commit writes, for each table in the order in which it was asked for.

    Attributes:
        attempts: run, step, n, state, data_version, result, error.
        notes: run, step, n, seq, key, values.
        fields: run, boundary, name, value.
        direction: The new direction of the run, or None.
        sealed: Why it is sealed from now on, or None.
        outcome: How it ends with this commit, or None.
        changes_run: Whether the run itself changes.
    """

    attempts: list[AttemptValues]
    notes: list[NoteValues]
    fields: list[FieldValues]
    direction: Direction | None = None
    sealed: str | None = None
    outcome: Outcome | None = None
    changes_run: bool = False


def attempts_of(run: int, batches: Iterable[Sequence[Change]]) -> list[object] | None:
    """Return the values of all attempts in a row, or None where anything else is written too."""
    values: list[object] = []
    for batch in batches:
        for change in batch:
            if not isinstance(change, AttemptChange):
                return None
            step, n, state, data_version, result, error = change
            error = None if error is None else to_stored(error)
            values += (run, to_stored(step), n, state, data_version, result, error)
    return values


def rows_of(run: int, batches: Iterable[Sequence[Change]]) -> Rows:
    """Return the rows of all changes in `batches` to that run."""
    rows = Rows([], [], [])
    for batch in batches:
        for change in batch:
            if isinstance(change, AttemptChange):
                step, n, state, data_version, result, error = change
                error = None if error is None else to_stored(error)
                rows.attempts.append((run, to_stored(step), n, state, data_version, result, error))
            elif isinstance(change, NoteChange):
                step, n, seq, key, values = change
                rows.notes.append((run, to_stored(step), n, seq, to_stored(key), values))
            elif isinstance(change, FieldChange):
                boundary, name, value = change
                rows.fields.append((run, boundary, to_stored(name), value))
            else:
                rows.direction = change.direction or rows.direction
                rows.sealed = rows.sealed if change.sealed is None else to_stored(change.sealed)
                rows.outcome = change.outcome or rows.outcome
                rows.changes_run = True
    return rows
