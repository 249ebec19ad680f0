"""Makes the report of one run, or of several runs side by side, from a journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from handrail.builtin.cli.options import Request, applied
from handrail.builtin.cli.view.compare_report import CompareReport
from handrail.builtin.cli.view.listing import View
from handrail.builtin.cli.view.run_report import RunReport
from handrail.frozen import frozen
from handrail.records import record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handrail.builtin.cli.session import Session
    from handrail.builtin.records.run_record import RunRecord
    from handrail.journal import Journal


class Report(View, Protocol):
    """What `handrail show` shows: a text and JSON, and all that is known for a document."""

    def whole(self) -> dict[str, Any]:
        """Return the JSON object with all that is known, from which documents are made."""
        ...


@frozen
class ShowRequest(Request):
    """What a call of `handrail show` asks for.

    Attributes:
        journal: The journal; it stays open until the request was carried out.
        numbers: The numbers of the runs.
        records: Their records.
        report: What is shown of them.
    """

    journal: Journal
    numbers: Sequence[int]
    records: Sequence[RunRecord]
    report: Report


def report_of(
    session: Session, journal: Journal, numbers: Sequence[int], *, everything: bool = False
) -> Report:
    """Return what `handrail show` shows of a run, or of several side by side.

    It reads from the journal, which must be open until it was shown.

    Args:
        session: The call, which has the installed packs.
        journal: The journal.
        numbers: The numbers of the runs, as `number_in` returns them.
        everything: Whether the text has everything, however long.

    Raises:
        NotFoundError: There is no such run.
        JournalDamagedError: Nothing of a run can be read.
    """
    values = {"everything": everything}
    return request_to_show(session, journal, numbers, values, lambda _request: 0).report


def request_to_show(
    session: Session,
    journal: Journal,
    numbers: Sequence[int],
    values: Mapping[str, Any],
    carry_out: Callable[[Any], int],
) -> ShowRequest:
    """Return the request to show some runs, as the options of packs make it; see `ShowRequest`."""
    everything: bool = values["everything"]
    records = [record_of(journal, number) for number in numbers]
    reports = [RunReport(session=session, record=each, everything=everything) for each in records]
    several = CompareReport(reports, everything=everything) if len(reports) != 1 else None
    request = ShowRequest(
        session=session,
        values=values,
        carry_out=carry_out,
        journal=journal,
        numbers=numbers,
        records=records,
        report=several or reports[0],
    )
    return applied(request, "show")
