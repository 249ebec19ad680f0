# ruff: noqa: PLC0414 - so that type checkers take them for names of this module
"""What a journal knows of runs: for packs that show, count or export them.

Nothing here imports a pack or the code of a run, and nothing writes to the journal. A command of a
pack opens the journal of its call with `handrail.cli.session_journal`. Names are imported from here
on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.errors import JournalDamagedError
from handrail.lazy import lazy_imports

if TYPE_CHECKING:
    from handrail.journal.protocol import Journal

with lazy_imports(__name__, "record_of"):
    from handrail.builtin.records.leftovers import with_left as with_left
    from handrail.builtin.records.observations import Attachment as Attachment
    from handrail.builtin.records.observations import LogLine as LogLine
    from handrail.builtin.records.observations import Metric as Metric
    from handrail.builtin.records.observations import MetricPoint as MetricPoint
    from handrail.builtin.records.observations import Observations as Observations
    from handrail.builtin.records.observations import Progress as Progress
    from handrail.builtin.records.run_record import RecordedStep as RecordedStep
    from handrail.builtin.records.run_record import RunRecord as RunRecord
    from handrail.builtin.records.status import ByHand as ByHand
    from handrail.builtin.records.status import RunStatus as RunStatus
    from handrail.builtin.records.status import status_of as status_of
    from handrail.builtin.records.status import with_reliance as with_reliance
    from handrail.builtin.records.step_state import UNDONE as UNDONE
    from handrail.builtin.records.step_state import ItemFailure as ItemFailure
    from handrail.builtin.records.step_state import ItemsRecord as ItemsRecord
    from handrail.builtin.records.step_state import Span as Span
    from handrail.builtin.records.step_state import is_failure as is_failure
    from handrail.recovery.checks import is_derived as is_derived


def record_of(journal: Journal, number: int) -> RunRecord:
    """Return what is known of a run; of a damaged one, what is sound, and its `damage`.

    Raises:
        NotFoundError: The journal has no such run.
        JournalDamagedError: Nothing of the run can be read.
    """
    from handrail.builtin.records import run_record  # noqa: PLC0415 - the same

    try:
        return run_record.record_of(journal, number)
    except JournalDamagedError as error:
        from handrail.builtin.records.journal_check import sound_record_of  # noqa: PLC0415 - seldom

        return sound_record_of(journal, number, error)
