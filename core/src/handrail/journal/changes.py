"""Changes as rows for the tables, ready to be executed many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handrail.journal.records import AttemptChange, FieldChange, NoteChange
from handrail.journal.texts import to_stored

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
    """

    attempts: list[AttemptValues] = field(default_factory=list[AttemptValues])
    notes: list[NoteValues] = field(default_factory=list[NoteValues])
    fields: list[FieldValues] = field(default_factory=list[FieldValues])
    direction: Direction | None = None
    sealed: str | None = None
    outcome: Outcome | None = None

    @property
    def changes_run(self) -> bool:
        """Whether the run itself changes."""
        return (self.direction, self.sealed, self.outcome) != (None, None, None)


def rows_of(run: int, batches: Iterable[Sequence[Change]]) -> Rows:
    """Return the rows of all changes in `batches` to that run."""
    rows = Rows()
    for batch in batches:
        for change in batch:
            if isinstance(change, NoteChange):
                step, key = to_stored(change.step), to_stored(change.key)
                rows.notes.append((run, step, change.n, change.seq, key, change.values))
            elif isinstance(change, AttemptChange):
                rows.attempts.append(_attempt(run, change))
            elif isinstance(change, FieldChange):
                rows.fields.append((run, change.boundary, to_stored(change.name), change.value))
            else:
                rows.direction = change.direction or rows.direction
                rows.sealed = rows.sealed if change.sealed is None else to_stored(change.sealed)
                rows.outcome = change.outcome or rows.outcome
    return rows


def _attempt(run: int, change: AttemptChange) -> AttemptValues:
    error = None if change.error is None else to_stored(change.error)
    step = to_stored(change.step)
    return (run, step, change.n, change.state, change.data_version, change.result, error)
