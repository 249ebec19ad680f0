"""Reads all of a journal, and finds what is damaged in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.errors import JournalDamagedError, JournalError, NotFoundError
from handrail.frozen import frozen
from handrail.journal.codec import entries_of
from handrail.journal.damage import decode, decoding, is_damaged
from handrail.journal.protocol import ChecksRows, RunCheck
from handrail.journal.values import check_stored
from handrail.recovery.invocation import Invocation, stored_params
from handrail.recovery.recorded_plan import steps_of
from handrail.recovery.replay_state import attempt_name, decoded_results, notes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from handrail.journal.protocol import Journal
    from handrail.journal.records import RecordedRun, RunRow


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
    """Read every row of every run, decode it, and compare stored values with their checksums.

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
    number, found = row.number, RunCheck()
    try:
        found = journal.check_run(number) if isinstance(journal, ChecksRows) else RunCheck()
        if found.damage:
            return found
        if row.damage is not None:
            raise is_damaged(number, row.damage)
        recorded = journal.read(number)
        _decode_all(journal, recorded)
    except NotFoundError:  # It was pruned meanwhile.
        return RunCheck()
    except JournalDamagedError as error:
        return RunCheck(rows=found.rows, unchecked=found.unchecked, damage=(error,))
    damage = tuple(_damaged_values(journal, recorded))
    return RunCheck(rows=found.rows, unchecked=found.unchecked, damage=damage)


def _decode_all(journal: Journal, recorded: RecordedRun) -> None:
    row = recorded.row
    if row.outcome is None:
        journal.holder(row.number)
    steps_of(row)
    stored_params(row)
    Invocation.of_row(row)
    notes_of(recorded)
    decoded_results(recorded)
    for field in recorded.fields:
        decode(field.value, object, row.number, f"the value of the context's '{field.name}'")


def _damaged_values(journal: Journal, recorded: RecordedRun) -> Iterator[JournalDamagedError]:
    """Yield the errors of values of results that are stored apart from their results."""
    number = recorded.row.number
    for attempt in recorded.attempts:
        with decoding(number, attempt_name(attempt)):
            entries = entries_of(attempt.result).values()
        for stored in (each for entry in entries for each in entry.get("stored", ())):
            try:
                check_stored(journal, number, stored)
            except JournalDamagedError as error:
                yield error
            except JournalError as error:
                yield is_damaged(number, error.message, f"the value {stored['name']}")
