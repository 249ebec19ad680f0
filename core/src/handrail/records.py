"""What a journal knows of runs: for packs that show, count or export them.

Nothing here imports a pack or the code of a run, and nothing writes to the journal. A command of a
pack opens the journal of its call with `handrail.cli.session_journal`. Names are imported from here
on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal
    from handrail.recovery.by_hand import ByHand
    from handrail.recovery.item_record import ItemFailure, ItemsRecord
    from handrail.recovery.leftovers import with_left
    from handrail.recovery.observations import (
        Attachment,
        LogLine,
        Metric,
        MetricPoint,
        Observations,
        Progress,
    )
    from handrail.recovery.run_record import RecordedStep, RunRecord
    from handrail.recovery.status import RunStatus, is_sweep, status_of, with_reliance
    from handrail.recovery.timeline import Span
    from handrail.sweeps.record import Child, SweepRecord

__all__ = [
    "Attachment",
    "ByHand",
    "Child",
    "ItemFailure",
    "ItemsRecord",
    "LogLine",
    "Metric",
    "MetricPoint",
    "Observations",
    "Progress",
    "RecordedStep",
    "RunRecord",
    "RunStatus",
    "Span",
    "SweepRecord",
    "is_sweep",
    "record_of",
    "status_of",
    "sweep_of",
    "with_left",
    "with_reliance",
]

_HOMES = {
    "recovery.by_hand": ("ByHand",),
    "recovery.item_record": ("ItemFailure", "ItemsRecord"),
    "recovery.leftovers": ("with_left",),
    "recovery.observations": (
        *("Attachment", "LogLine", "Metric", "MetricPoint", "Observations", "Progress"),
    ),
    "recovery.run_record": ("RecordedStep", "RunRecord"),
    "recovery.status": ("RunStatus", "is_sweep", "status_of", "with_reliance"),
    "recovery.timeline": ("Span",),
    "sweeps.record": ("Child", "SweepRecord"),
}


def record_of(journal: Journal, number: int) -> RunRecord:
    """Return what is known of a run; of a damaged one, what is sound, and its `damage`.

    Raises:
        NotFoundError: The journal has no such run.
        JournalDamagedError: Nothing of the run can be read.
    """
    from handrail.errors import JournalDamagedError  # noqa: PLC0415 - as all names here
    from handrail.recovery import run_record  # noqa: PLC0415 - the same

    try:
        return run_record.record_of(journal, number)
    except JournalDamagedError as error:
        from handrail.recovery.journal_check import sound_record_of  # noqa: PLC0415 - seldom

        return sound_record_of(journal, number, error)


def sweep_of(journal: Journal, number: int) -> SweepRecord | None:
    """Return what is known of the runs of a sweep; None if the run with this number is no sweep.

    Raises:
        NotFoundError: The journal has no such run.
        JournalDamagedError: What is recorded of the sweep is not what was written.
    """
    from handrail.recovery.status import is_sweep  # noqa: PLC0415 - as all names here

    recorded = journal.read(number, fields=False)
    if not is_sweep(recorded.row):
        return None
    from handrail.sweeps.record import sweep_record  # noqa: PLC0415 - few runs are sweeps

    return sweep_record(journal, recorded)


if not TYPE_CHECKING:

    def __getattr__(name):
        for home, names in _HOMES.items():
            if name in names:
                value = getattr(import_module(f"handrail.{home}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
