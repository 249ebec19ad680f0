"""Reads all of a journal, and finds what is damaged in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.errors import HandrailError, JournalDamagedError
from handrail.frozen import frozen
from handrail.journal.damage import decode, decoding, is_damaged
from handrail.journal.protocol import ChecksRows, RunCheck
from handrail.recovery.invocation import Invocation, stored_params
from handrail.recovery.recorded_plan import steps_of
from handrail.recovery.replay_state import decoded_results, notes_of

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RunRow


@frozen
class JournalCheck:
    """The state of a journal after all of it was read.

    Attributes:
        runs: How many runs it has.
        rows: How many rows of them were read.
        unchecked: How many of those have no checksum, because an older version wrote them.
        database: What the database finds wrong with itself.
        damage: The damaged rows, by run, the latest first.
    """

    runs: int
    rows: int
    unchecked: int
    database: tuple[str, ...]
    damage: tuple[JournalDamagedError, ...]

    @property
    def damaged_runs(self) -> tuple[int, ...]:
        """The numbers of the damaged runs."""
        return tuple(dict.fromkeys(each.run for each in self.damage if each.run is not None))


def check_journal(journal: Journal) -> JournalCheck:
    """Read every row of every run, and decode it.

    Raises:
        JournalError: Not even the list of runs can be read.
    """
    database = journal.check() if isinstance(journal, ChecksRows) else []
    found = [_check_run(journal, row) for row in journal.runs(plans=False)]
    return JournalCheck(
        runs=len(found),
        rows=sum(each.rows for each in found),
        unchecked=sum(each.unchecked for each in found),
        database=tuple(database),
        damage=tuple(error for each in found for error in each.damage),
    )


def _check_run(journal: Journal, row: RunRow) -> RunCheck:
    found = journal.check_run(row.number) if isinstance(journal, ChecksRows) else RunCheck()
    if found.damage:
        return found
    damage = [is_damaged(row.number, row.damage)] if row.damage is not None else []
    try:
        _decode_all(journal, row.number)
    except JournalDamagedError as error:
        damage.append(error)
    except HandrailError as error:
        damage.append(is_damaged(row.number, error.message))
    return RunCheck(rows=found.rows, unchecked=found.unchecked, damage=tuple(damage[:1]))


def _decode_all(journal: Journal, number: int) -> None:
    recorded = journal.read(number)
    if recorded.row.outcome is None:
        journal.holder(number)
    steps_of(recorded.row)
    stored_params(recorded.row)
    Invocation.of_row(recorded.row)
    notes_of(recorded)
    with decoding(number, "its results"):
        decoded_results(recorded)
    for field in recorded.fields:
        decode(field.value, object, number, f"the value of the context's '{field.name}'")
