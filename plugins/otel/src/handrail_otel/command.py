"""The command `handrail otel`: exports what was not exported of recorded runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Literal

import click

from handrail import ExitCode
from handrail.cli import (
    RunType,
    echo,
    echo_json,
    journal_option,
    number_in,
    session_journal,
    session_of,
    takes_json,
)
from handrail_otel.settings import OtelSettings, exports_anything

if TYPE_CHECKING:
    from handrail.journal import Journal
    from handrail_otel.exporting import Exported

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=_CONTEXT)
def otel() -> None:
    """Export runs to OpenTelemetry and OpenLineage."""


@otel.command(short_help="Export what was not exported of runs.", params=[journal_option()])
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=RunType())
@click.option("--all-dead", is_flag=True, help="All runs whose process is gone.")
@click.option("--all", "everything", is_flag=True, help="All recorded runs.")
@click.option("--again", is_flag=True, help="Send again what may have arrived.")
@takes_json
@click.pass_context
def export(
    ctx: click.Context,
    runs: tuple[str, ...],
    journal: str | None,
    all_dead: bool,
    everything: bool,
    again: bool,
) -> int:
    """Export what was not exported of runs, such as while a collector was down.

    Nothing is sent twice, but for what a killed process was just sending, with --again. The trace
    of a run whose process is gone is closed; if somebody goes on with it later, that is a span of
    its own in the same trace. A run that is at work is exported as far as it has come.
    """
    session = session_of(ctx)
    settings: OtelSettings = session.packs.settings_of("handrail-otel")
    if not exports_anything(settings):
        raise click.UsageError(
            "there is no endpoint: set OTEL_EXPORTER_OTLP_ENDPOINT, or OPENLINEAGE_URL"
        )
    if not (runs or all_dead or everything):
        raise click.UsageError("name a run, or give --all-dead or --all")
    from handrail_otel.exporting import Exporter  # noqa: PLC0415 - not for help

    exporter = Exporter(settings)
    told: list[dict[str, Any]] = []
    with closing(session_journal(session, journal)) as opened:
        numbers: Iterable[int] = [number_in(opened, run) for run in runs]
        if not runs:
            numbers = list(_chosen(opened, everything=everything))
        for number in dict.fromkeys(_with_parts(opened, numbers)):
            row = opened.read(number, fields=False)
            dead = row.outcome is None and opened.holder(number) is None
            exported = exporter.export(opened, number, dead=dead, again=again)
            told.append({"number": number, **_to_dict(exported)})
            if not session.json:
                _tell(number, exported, named=bool(runs))
    failed = any(each["error"] for each in told)
    if session.json:
        echo_json({"runs": told})
    elif not told:
        echo("there is no such run")
    return ExitCode.FAILED if failed else ExitCode.DONE


def _chosen(journal: Journal, *, everything: bool) -> Iterator[int]:
    """Yield the numbers of all runs, or of those whose process is gone, the first one first."""
    outcome: Literal["interrupted"] | None = None if everything else "interrupted"
    for row in reversed(journal.runs(outcome=outcome, parts=True)):
        gone = row.outcome is None and row.damage is None and journal.holder(row.number) is None
        if row.damage is None and (everything or gone):
            yield row.number


def _with_parts(journal: Journal, numbers: Iterable[int]) -> Iterator[int]:
    """Yield the numbers of runs, each after those of its parts."""
    for number in numbers:
        yield from _with_parts(journal, [row.number for row in journal.parts(number)])
        yield number


def _tell(number: int, exported: Exported, *, named: bool) -> None:
    if exported.spans:
        echo(f"run {number}: {_count(exported.spans)} sent")
    if exported.error:
        left = f"{_count(exported.left)} not sent" if exported.left else "not all was sent"
        echo(f"run {number}: {left}: {exported.error}", err=True)
    elif named and not exported.spans and not exported.doubtful:
        echo(f"run {number}: nothing was left to send")
    if exported.doubtful:
        echo(
            f"run {number}: {_count(exported.doubtful)} may have arrived before; to send them "
            f"again:  handrail otel export {number} --again"
        )


def _count(spans: int) -> str:
    return f"{spans:,} span{'s' * (spans != 1)}"


def _to_dict(exported: Exported) -> dict[str, Any]:
    return {
        "spans": exported.spans,
        "left": exported.left,
        "doubtful": exported.doubtful,
        "error": exported.error or None,
    }
