"""What a journal knows of runs: for packs that show, count or export them.

Nothing here imports a pack or the code of a run, and nothing writes to the journal. A command of a
pack opens the journal of its call with `handrail.cli.session_journal`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.errors import JournalDamagedError
from handrail.recovery.by_hand import ByHand
from handrail.recovery.item_record import ItemFailure, ItemsRecord
from handrail.recovery.leftovers import with_left
from handrail.recovery.run_record import RecordedStep, RunRecord
from handrail.recovery.run_record import record_of as whole_record_of
from handrail.recovery.status import RunStatus, is_sweep, status_of, with_reliance
from handrail.sweeps.record import Child, SweepRecord, sweep_record

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal

__all__ = [
    "ByHand",
    "Child",
    "ItemFailure",
    "ItemsRecord",
    "RecordedStep",
    "RunRecord",
    "RunStatus",
    "SweepRecord",
    "is_sweep",
    "record_of",
    "status_of",
    "sweep_of",
    "with_left",
    "with_reliance",
]


def record_of(journal: Journal, number: int) -> RunRecord:
    """Return what is known of a run; of a damaged one, what is sound, and its `damage`.

    Raises:
        NotFoundError: The journal has no such run.
        JournalDamagedError: Nothing of the run can be read.
    """
    try:
        return whole_record_of(journal, number)
    except JournalDamagedError as error:
        from handrail.recovery.journal_check import sound_record_of  # noqa: PLC0415 - seldom

        return sound_record_of(journal, number, error)


def sweep_of(journal: Journal, number: int) -> SweepRecord | None:
    """Return what is known of the runs of a sweep; None if the run with this number is no sweep.

    Raises:
        NotFoundError: The journal has no such run.
        JournalDamagedError: What is recorded of the sweep is not what was written.
    """
    recorded = journal.read(number, fields=False)
    return sweep_record(journal, recorded) if is_sweep(recorded.row) else None
