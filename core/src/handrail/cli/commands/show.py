"""`handrail show`: the course of a run, step by step, and the commands that can follow."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from handrail.cli.completion import RunType
from handrail.cli.hints import command_line
from handrail.cli.journals import journal_option, number_in, session_journal
from handrail.cli.session import session_of, takes_json
from handrail.cli.view.failure import recorded_tracebacks
from handrail.cli.view.listing import Listing, View
from handrail.cli.view.run_report import RunReport, StepReport
from handrail.errors import ExitCode, JournalDamagedError, NotFoundError
from handrail.recovery.run_record import record_of
from handrail.recovery.status import is_sweep
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.recovery.run_record import RecordedStep, RunRecord
    from handrail.sweeps.record import SweepRecord


@click.command(
    params=[
        click.Argument(["run"], required=False, type=RunType()),
        journal_option(),
    ]
)
@click.option("--all", "everything", is_flag=True, help="Show every step, and errors in full.")
@click.option("--step", metavar="NAME", help="Show one step, with all that it recorded and said.")
@click.option("--attachment", metavar="NAME", help="With --step: write what it has attached to -o.")
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    help="With --attachment: the file, or - for the output. A table is CSV, a plot JSON.",
)
@click.option("--traceback", is_flag=True, help="Show the tracebacks of the errors.")
@click.option(
    "--sort",
    metavar="METRIC",
    help="Of a sweep: sort its runs by a metric, the best first; -METRIC has the least first, "
    "+METRIC the greatest.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Of a sweep: write its runs as CSV.")
@takes_json
@click.pass_context
def show(
    ctx: click.Context,
    run: str | None,
    journal: str | None,
    everything: bool,
    step: str | None,
    attachment: str | None,
    output: str | None,
    traceback: bool,
    sort: str | None,
    as_csv: bool,
) -> int:
    """Show how a run went, step by step, and what can be done about it.

    RUN is its number, or its UUID; by default, the latest. Of a sweep, its runs are compared, and
    30.4 is the fourth of run 30. Only the journal is read: no pack and no
    code of the run is imported. Of a damaged run, what is sound is shown, and what is not is named.
    """
    if step is not None and (everything or traceback):
        raise click.UsageError("--step shows all of one step: leave --all and --traceback out")
    if (attachment is None) != (output is None) or (attachment is not None and step is None):
        raise click.UsageError("write an attachment with --step NAME --attachment NAME -o FILE")
    session = session_of(ctx)
    # It stays open until all is shown, because what steps have said is read then.
    found = ctx.with_resource(closing(session_journal(session, journal)))
    record = _record(found, number_in(found, run) if run else _latest(found))
    sweep = None if record.damage else _sweep(found, record)
    if sweep is not None and step is None and not traceback:
        from handrail.cli.view.sweep_report import SweepReport  # noqa: PLC0415 - few are sweeps

        report = RunReport(session=session, record=record, everything=everything)
        compared = SweepReport(report=report, sweep=sweep, sort=sort or "", everything=everything)
        compared.check_sort()
        if as_csv:
            for line in compared.csv().splitlines():
                session.console.print(line)
        else:
            session.show(compared)
        return ExitCode.DONE
    if sort or as_csv:
        raise click.UsageError(f"run {record.row.number} is no sweep, whose runs could be compared")
    if attachment is not None and output is not None:
        return _write_attachment(_step(record, step or ""), attachment, output)
    session.show(_view(session, record, step, everything=everything, traceback=traceback))
    if not record.damage:
        return ExitCode.DONE
    if session.json:  # Which has it all.
        return ExitCode.JOURNAL
    raise record.damage[0]


def _sweep(journal: Journal, record: RunRecord) -> SweepRecord | None:
    if not is_sweep(record.row):
        return None
    from handrail.sweeps.record import sweep_record  # noqa: PLC0415 - few runs are sweeps

    return sweep_record(journal, journal.read(record.row.number, fields=False))


def _record(journal: Journal, number: int) -> RunRecord:
    try:
        return record_of(journal, number)
    except JournalDamagedError as error:
        from handrail.recovery.journal_check import sound_record_of  # noqa: PLC0415 - seldom

        return sound_record_of(journal, number, error)


def _view(
    session: Session, record: RunRecord, step: str | None, *, everything: bool, traceback: bool
) -> View:
    report = RunReport(session=session, record=record, everything=everything)
    if step is not None:
        return StepReport(record=record, step=_step(record, step))
    if traceback:
        return Listing(json=report.to_dict, title=recorded_tracebacks(record))
    return report


def _step(record: RunRecord, name: str) -> RecordedStep:
    found = record.step(name)
    if found is None:
        number = record.row.number
        listing = command_line(f"show {number} --all")
        raise click.UsageError(f"run {number} has no step '{name}'; {listing} lists them")
    return found


def _write_attachment(step: RecordedStep, name: str, output: str) -> int:
    """Write what a step has attached to a file."""
    from handrail.cli.view.observed import file_of  # noqa: PLC0415 - for this option only

    found = {each.name: each.value for each in step.attachments}
    if name not in found:
        hint = did_you_mean(name, found) or f"it has attached: {', '.join(found) or 'nothing'}"
        raise click.UsageError(f"step '{step.name}' has attached no '{name}'; {hint}")
    with click.open_file(output, "wb") as file:
        file.write(file_of(found[name]))
    return ExitCode.DONE


def _latest(journal: Journal) -> int:
    rows = journal.runs(limit=1, plans=False)
    if not rows:
        raise NotFoundError(
            f"there is no run in {journal.shown}", ways_out=("handrail run ACTION makes one",)
        )
    return rows[0].number
