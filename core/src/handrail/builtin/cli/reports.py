"""Makes the report of one run, of a sweep, or of several runs side by side, from a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from handrail.builtin.cli.view.compare_report import CompareReport
from handrail.builtin.cli.view.listing import View
from handrail.builtin.cli.view.run_report import RunReport
from handrail.records import record_of
from handrail.recovery.status import is_sweep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handrail.builtin.cli.session import Session
    from handrail.journal.protocol import Journal


class Report(View, Protocol):
    """What `handrail show` shows: a text and JSON, and all that is known for a document."""

    def whole(self) -> dict[str, Any]:
        """Return the JSON object with all that is known, from which documents are made."""
        ...


def report_of(
    session: Session,
    journal: Journal,
    numbers: Sequence[int],
    *,
    everything: bool = False,
    sort: str = "",
    best: str = "",
) -> Report:
    """Return the report of a run or a sweep, or of several of them side by side.

    It reads from the journal, which must be open until it was shown.

    Args:
        session: The call, which has the installed packs.
        journal: The journal.
        numbers: The numbers of the runs, as `number_in` returns them.
        everything: Whether the text has everything, however long.
        sort: Of a sweep: the metric by which its runs are sorted; see `handrail show --sort`.
        best: Of a sweep: the metric whose best run is marked; see `handrail show --best`.

    Raises:
        NotFoundError: There is no such run, or no such metric.
        JournalDamagedError: Nothing of a run can be read.
    """
    reports = [
        RunReport(session=session, record=record_of(journal, number), everything=everything)
        for number in numbers
    ]
    if len(reports) != 1:
        return CompareReport(reports, everything=everything)
    [report] = reports
    if report.record.damage or not is_sweep(report.record.row):
        return report
    from handrail.builtin.cli.view.sweep_report import SweepReport  # noqa: PLC0415 - few are sweeps
    from handrail.records import sweep_of  # noqa: PLC0415 - the same

    sweep = sweep_of(journal, numbers[0])
    assert sweep is not None
    compared = SweepReport(report=report, sweep=sweep, sort=sort, best=best, everything=everything)
    compared.check_metric()
    return compared
