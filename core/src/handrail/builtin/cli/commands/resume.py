"""`handrail resume`: finish a run that was interrupted, or kept after a failure."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import field
from typing import TYPE_CHECKING, Any

import click

from handrail.builtin.cli.journals import number_in, session_journal, strict_option
from handrail.builtin.cli.options import Request, applied
from handrail.builtin.cli.recovery import (
    RecoveryRequest,
    carry_on,
    latest_run,
    recover_all,
    recovery_of,
    recovery_options,
)
from handrail.builtin.cli.session import session_of
from handrail.builtin.cli.view.run_text import parse_time
from handrail.builtin.cli.view.table import Listing
from handrail.errors import ExitCode
from handrail.frozen import frozen
from handrail.records import status_of
from handrail.recovery import check

if TYPE_CHECKING:
    from handrail.builtin.cli.session import Session
    from handrail.journal import Journal
    from handrail.journal.records import RunRow


@frozen
class ResumeRequest(Request):
    """What a call of `handrail resume` asks for, which is about one run that can be resumed.

    Attributes:
        row: The run.
        params: Values of its params in place of those that it began with, for this time.
    """

    row: RunRow
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])


@click.command(params=[*recovery_options("resume"), strict_option()])
@click.option("--no-lock", is_flag=True, help="Resume even if the plan differs from the lock.")
@click.option(
    "--failed-only",
    is_flag=True,
    help="Try the items that failed again, also those of a completed run: later steps are undone "
    "first, and run again.",
)
@click.option(
    "--on-failure",
    type=click.Choice(["undo", "keep"]),
    default="undo",
    show_default=True,
    help="If a step fails, undo what was done, or keep it.",
)
@click.pass_context
def resume(ctx: click.Context, /, **_options: Any) -> int:
    """Finish a run that was interrupted, or kept after a failure.

    RUN is its number; by default, the latest run of this project that can be resumed. The run
    continues in its own working folder, with its own params, packs and part of the plan; secrets
    are read from their variables again. An interrupted step is undone and run again, unless it has
    a `resume` of its own. A run that was being undone is undone to the end; the exit code is then
    1. If a source, the params or a step that began have changed, or a step refuses because
    something is in its way, it stops with exit code 3 and undoes nothing.
    """
    session, request = session_of(ctx), RecoveryRequest.of(ctx)
    session.works = True
    if request.all_dead:
        for each in ctx.command.params:
            if each not in resume.params and ctx.params.get(str(each.name)):
                raise click.UsageError(f"--all-dead takes no {each.opts[0]}, which is of one run")
        return recover_all(session, "resume", request)
    with closing(session_journal(session, request.journal)) as journal:
        return _resume(session, journal, request)


def _resume(session: Session, journal: Journal, request: RecoveryRequest) -> int:
    row = journal.read(_number(session, journal, request))
    if not request.run and not session.json and not request.quiet:
        session.console.note(_named(journal, row))
    if row.outcome == "completed" and not request.failed_only:
        session.show(
            Listing(
                json=lambda: {"event": "Result", "number": row.number, "result": None},
                title=[f"run {row.number} is completed; there is nothing to resume"],
            )
        )
        return ExitCode.DONE
    check(row, "resume", again=request.failed_only)

    def go_on(asked: ResumeRequest) -> int:
        recovery = recovery_of(session, journal, "resume", row, request, asked.params)
        return carry_on(session, journal, recovery, request)

    values = click.get_current_context().params
    asked = ResumeRequest(session=session, values=values, carry_out=go_on, row=row)
    asked = applied(asked, "resume")
    return asked.carry_out(asked)


def _number(session: Session, journal: Journal, request: RecoveryRequest) -> int:
    """Return the number of the run, or of the latest one of the project that can be resumed."""
    if request.run:
        return number_in(journal, request.run)
    return latest_run(session, journal, "resume", request)


def _named(journal: Journal, row: RunRow) -> str:
    state = status_of(journal, row).described
    started = f"{parse_time(row.opened):%d %b %H:%M:%S}"
    return f"run {row.number} · {row.action} · {state}, started {started}"
