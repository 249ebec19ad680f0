"""`handrail show`: the course of a run, step by step, and the commands that can follow."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

import click

from handrail.builtin.cli.completion import RunType
from handrail.builtin.cli.journals import journal_option, number_in, session_journal
from handrail.builtin.cli.options import Request, applied
from handrail.builtin.cli.session import session_of, takes_json
from handrail.builtin.cli.view.compare_report import CompareReport
from handrail.builtin.cli.view.failure import recorded_tracebacks
from handrail.builtin.cli.view.run_report import RunReport
from handrail.builtin.cli.view.step_report import StepReport, content_of
from handrail.builtin.cli.view.table import Listing, View, write_document
from handrail.builtin.cli.view.text import command_line
from handrail.errors import ExitCode, NotFoundError
from handrail.frozen import frozen
from handrail.records import record_of
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from handrail.builtin.cli.session import Session
    from handrail.builtin.records.observations import Attachment
    from handrail.builtin.records.run_record import RecordedStep, RunRecord
    from handrail.journal import Journal


@click.command(
    params=[
        click.Argument(["runs"], nargs=-1, metavar="[RUN]...", type=RunType()),
        journal_option(),
    ]
)
@click.option("--all", "everything", is_flag=True, help="Show every step, and errors in full.")
@click.option("--step", metavar="NAME", help="Show one step, with all that it recorded and said.")
@click.option(
    "--attachment",
    metavar="NAME",
    help="Write what a step has attached: of a table CSV, of a plot JSON.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="Write a document to this file; by default, to standard output.",
)
@click.option("--traceback", is_flag=True, help="Show the tracebacks of the errors.")
@takes_json
@click.pass_context
def show(ctx: click.Context, /, runs: tuple[str, ...], journal: str | None, **_: object) -> int:
    """Show how a run went, step by step, and what can be done about it.

    RUN is its number, or its UUID; by default, the latest. Several runs are compared. Only the
    journal is read: no code of the run is imported. Of a damaged run, what is sound is shown, and
    what is not is named.
    """
    session = session_of(ctx)
    _check_options(session, runs, ctx.params)
    with closing(session_journal(session, journal)) as found:
        numbers = [number_in(found, run) for run in runs] or [_latest(found)]
        request = request_to_show(session, found, numbers, ctx.params, _shown)
        _check_taken(request)
        code = request.carry_out(request)
    damage = request.records[0].damage if len(numbers) == 1 else ()
    if not damage or code or ctx.params["attachment"]:
        return code
    if session.json:  # Which has it all.
        return ExitCode.JOURNAL
    raise damage[0]


def _shown(request: ShowRequest) -> int:
    """Show what is asked for, and return the exit code."""
    session, options = request.session, request.values
    if options["attachment"]:
        found = _attachment(request.records[0], options["step"], options["attachment"])
        write_document(session, content_of(found), options["output"])
    else:
        session.show(_view(request))
    return ExitCode.DONE


def _check_taken(request: ShowRequest) -> None:
    """Check what goes with an option of a pack that carries the request out, and what without one.

    Raises:
        UsageError: Something does not.
    """
    values = request.values
    if not request.taken_by and not values["attachment"] and values["output"]:
        raise click.UsageError("-o goes with --attachment, or an option that writes a document")
    for name in ("step", "traceback", "attachment") if request.taken_by else ():
        if values[name]:
            raise click.UsageError(f"--{name} and --{request.taken_by} do not go together")


def _check_options(session: Session, runs: tuple[str, ...], options: Mapping[str, object]) -> None:
    """Check that the options go together.

    Raises:
        UsageError: They do not.
    """
    if options["step"] and (options["everything"] or options["traceback"]):
        raise click.UsageError("--step shows all of one step: leave --all and --traceback out")
    if options["attachment"] and session.json:
        raise click.UsageError("--attachment writes what was attached, not JSON of it")
    for name in ("step", "traceback", "attachment"):
        if len(runs) > 1 and options[name]:
            raise click.UsageError(f"--{name} takes one run")


def _view(request: ShowRequest) -> View:
    """Return what is shown: all that is reported, one step, or the tracebacks of one run."""
    record, step = request.records[0], request.values["step"]
    if step is not None:
        return StepReport(record=record, step=_step(record, step))
    if not request.values["traceback"]:
        return request.report
    run = RunReport(session=request.session, record=record, everything=request.values["everything"])
    return Listing(json=run.to_dict, title=recorded_tracebacks(record))


def _step(record: RunRecord, name: str) -> RecordedStep:
    found = record.step(name)
    if found is None:
        number = record.row.number
        listing = command_line(f"show {number} --all")
        raise click.UsageError(f"run {number} has no step '{name}'; {listing} lists them")
    return found


def _attachment(record: RunRecord, step: str | None, name: str) -> Attachment:
    """Return what a step has attached under a name, or the only one of the run called so."""
    steps = record.steps if step is None else [_step(record, step)]
    found = [(each.name, attached) for each in steps for attached in each.attachments]
    named = {by: attached for by, attached in found if attached.name == name}
    if len(named) > 1:
        raise click.UsageError(f"{' and '.join(named)} have attached '{name}': choose with --step")
    if not named:
        others = dict.fromkeys(attached.name for _, attached in found)
        hint = did_you_mean(name, others) or f"there is {', '.join(others) or 'nothing'}"
        raise click.UsageError(f"nothing is attached as '{name}'; {hint}")
    return next(iter(named.values()))


def _latest(journal: Journal) -> int:
    rows = journal.runs(limit=1)
    if not rows:
        raise NotFoundError(
            f"there is no run in {journal.shown}", ways_out=("handrail run ACTION makes one",)
        )
    return rows[0].number


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
    several = CompareReport(reports, everything=everything, as_html="html" in values)
    request = ShowRequest(
        session=session,
        values=values,
        carry_out=carry_out,
        journal=journal,
        numbers=numbers,
        records=records,
        report=several if len(reports) != 1 else reports[0],
    )
    return applied(request, "show")
