"""`handrail show --html`: what is shown, as a report in one file."""

from __future__ import annotations

import click

import handrail_report
from handrail.cli import Option, ShowRequest, command_line, write_document
from handrail.frozen import replace
from handrail.packs import core_record


def _apply(request: ShowRequest) -> ShowRequest:
    return replace(request, carry_out=_write) if request.values.get("html") else request


def _write(request: ShowRequest) -> int:
    if request.session.json:
        raise click.UsageError("--html writes no JSON: leave --json out")
    command = command_line(f"show {' '.join(map(str, request.numbers))}")
    made = f"Handrail {core_record().version}"
    shown = handrail_report.report(request.report.whole(), command=command, made=made)
    write_document(request.session, shown, request.values["output"])
    return 0


html = Option(
    click_params=[
        click.Option(
            ["--html"],
            is_flag=True,
            help="Write a report for a browser, in one file that needs nothing else, to -o FILE.",
        )
    ],
    apply=_apply,
)
