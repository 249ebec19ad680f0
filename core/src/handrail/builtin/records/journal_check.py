"""Reads all of a journal, and finds what is damaged in it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from handrail.builtin.records.run_record import (
    RecordedStep,
    RunRecord,
    check_result,
    counted,
    given_params,
    noted_of,
    recorded_steps,
)
from handrail.builtin.records.status import RunStatus, with_reliance
from handrail.errors import JournalDamagedError, JournalError, NotFoundError
from handrail.frozen import frozen, replace, values_of
from handrail.journal import RunCheck, check_stored, decode, entries_of
from handrail.journal.damage import is_damaged
from handrail.recovery import Invocation, notes_of, steps_of

if TYPE_CHECKING:
    from handrail.journal import Journal
    from handrail.journal.records import AttemptRow, NoteRow, RunRow


@frozen
class JournalCheck:
    """The state of a journal after all of it was read.

    Attributes:
        runs: How many runs it has.
        rows: How many rows of them were read.
        database: What the database finds wrong with itself.
        damage: The damaged rows, by run, the latest first.
        unseen: The damaged rows of what steps said, without which their runs are whole.
    """

    runs: int
    rows: int
    database: tuple[str, ...]
    damage: tuple[JournalDamagedError, ...]
    unseen: tuple[JournalDamagedError, ...] = ()

    @property
    def damaged_runs(self) -> tuple[int, ...]:
        """The numbers of the damaged runs."""
        return tuple(dict.fromkeys(each.run for each in self.damage if each.run is not None))


def check_journal(journal: Journal) -> JournalCheck:
    """Read every row of every run, decode it, and compare stored values with their checksums.

    Raises:
        JournalError: Not even the list of runs can be read.
    """
    database = journal.check()
    found = [_check_run(journal, row) for row in journal.runs(parts=True)]
    return JournalCheck(
        runs=len(found),
        rows=sum(each.rows for each in found),
        database=tuple(database),
        damage=tuple(error for each in found for error in each.damage),
        unseen=tuple(error for each in found for error in each.unseen),
    )


def _check_run(journal: Journal, row: RunRow) -> RunCheck:
    try:
        found = check_run(journal, row.number)
    except NotFoundError:  # It was pruned meanwhile.
        return RunCheck()
    if found.sound is None:
        return found
    damage = list(found.damage)
    for attempt in found.sound.attempts:
        damage += _damaged_values(journal, row.number, attempt)
    return replace(found, damage=tuple(damage), sound=None)


def check_run(journal: Journal, number: int) -> RunCheck:
    """Read and decode all rows of a run; return which are damaged, and what is sound.

    Stored values are not read.

    Args:
        journal: The journal.
        number: The number of the run.

    Raises:
        NotFoundError: There is no such run.
    """
    try:
        found = journal.check_run(number)
    except JournalDamagedError as error:
        return RunCheck(damage=(error,))
    if found.sound is None:
        return found
    damage, row = list(found.damage), found.sound
    if row.outcome is None and row.damage is None:
        with _kept(damage):
            journal.holder(number)
    recorded = _decoded(found.sound, damage)
    return replace(found, damage=tuple(damage), sound=recorded)


def sound_record_of(journal: Journal, number: int, error: JournalDamagedError) -> RunRecord:
    """Return what is sound of a damaged run, and all of its damage.

    Args:
        journal: The journal.
        number: The number of the run.
        error: The damage that `record_of` met.

    Raises:
        JournalDamagedError: Nothing of the run can be read.
    """
    found = check_run(journal, number)
    if found.sound is None:
        raise error
    damage = found.damage or (error,)
    row = replace(found.sound, damage=damage[0].message)
    [status] = with_reliance(journal, [RunStatus(row=row)])
    steps = recorded_steps(found.sound, running=False)
    if any(not each.row or each.row.startswith("attempt") for each in damage):
        # Nobody knows of which steps the damaged rows are.
        steps = [step if step.has_begun else _unknown(step, found.sound) for step in steps]
    return RunRecord(**values_of(status), steps=steps, damage=damage)


def _unknown(step: RecordedStep, recorded: RunRow) -> RecordedStep:
    return replace(step, state="unknown", recorded=counted(noted_of(recorded, step.name)))


_PARTS: tuple[tuple[str, str, Callable[[RunRow], object]], ...] = (
    ("plan", '{"action":"","fingerprint":"","steps":[]}', steps_of),
    ("params", '{"values":{},"secrets":{}}', given_params),
    ("packs", "{}", Invocation.of_row),
)
"""Parts of a run's row, each with an empty one, and what decodes it."""


def _decoded(recorded: RunRow, damage: list[JournalDamagedError]) -> RunRow:
    """Return a run without the parts that cannot be decoded; add those to `damage`."""
    number, told = recorded.number, len(damage)
    for name, empty, decode_part in _PARTS:
        errors: list[JournalDamagedError] = []
        with _kept(errors):
            decode_part(recorded)
        if errors:
            recorded = replace(recorded, **{name: empty})
            # If the row differs from its checksum, this was told.
            damage += errors if not told else ()
    attempts: list[AttemptRow] = []
    for attempt in recorded.attempts:
        before = len(damage)
        with _kept(damage):
            check_result(number, attempt)
        attempts.append(attempt if len(damage) == before else attempt._replace(result=None))
    notes: list[NoteRow] = []
    for note in recorded.notes:
        with _kept(damage):
            notes_of(replace(recorded, notes=(note,)))
            notes.append(note)
    for field in recorded.fields:
        with _kept(damage):
            decode(field.value, object, number, f"the value of the context's '{field.name}'")
    return replace(recorded, attempts=tuple(attempts), notes=tuple(notes))


@contextmanager
def _kept(damage: list[JournalDamagedError]) -> Generator[None]:
    """Add the damage that the block finds to a list."""
    try:
        yield
    except JournalDamagedError as error:
        damage.append(error)


def _damaged_values(
    journal: Journal, number: int, attempt: AttemptRow
) -> Iterator[JournalDamagedError]:
    """Yield the errors of values of a result that are stored apart from it."""
    for stored in (
        each for entry in entries_of(attempt.result).values() for each in entry.get("stored", ())
    ):
        try:
            check_stored(journal, number, stored)
        except JournalDamagedError as error:
            yield error
        except JournalError as error:
            yield is_damaged(number, error.message, f"the value {stored['name']}")
