"""`handrail show --html`: what is shown, as a report in one file."""

from __future__ import annotations

import click

import handrail_report
from handrail.cli import Option, ShowRequest, command_line, write_document
from handrail.frozen import replace
from handrail.packs import core_record


def _apply(request: ShowRequest) -> ShowRequest:
    return request if request.values.get("html") is None else replace(request, carry_out=_write)


def _write(request: ShowRequest) -> int:
    if request.session.json:
        raise click.UsageError("--html writes no JSON: leave --json out")
    command = command_line(f"show {' '.join(map(str, request.numbers))}")
    made = f"Handrail {core_record().version}"
    shown = handrail_report.report(request.report.whole(), command=command, made=made)
    write_document(request.session, shown, request.values["html"])
    return 0


html = Option(
    click_params=[
        click.Option(
            ["--html"],
            metavar="FILE",
            help="Write a report for a browser, in one file that needs nothing else; - is standard "
            "output.",
        )
    ],
    apply=_apply,
)
