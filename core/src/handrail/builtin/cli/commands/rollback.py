"""`handrail rollback`: previews an undo, asks for confirmation, and undoes."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from handrail.amounts import plural, seconds
from handrail.builtin.cli.journals import number_in, session_journal
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
from handrail.builtin.cli.signals import like_interrupts, whole_locks
from handrail.builtin.cli.view.run_text import (
    left_text,
    parse_time,
    reliance_lines,
    run_to_dict,
    ways_of,
)
from handrail.builtin.cli.view.table import Listing
from handrail.builtin.cli.view.text import columns, command_line, folded
from handrail.builtin.records.leftovers import record_by_hand, with_left
from handrail.builtin.records.preview import preview_rollback
from handrail.builtin.records.run_record import recorded_steps
from handrail.builtin.sqlite.kit.owned import after_orphans, held_error
from handrail.errors import ConfirmationError, ExitCode, RollbackRefusedError, RunClosedError
from handrail.frozen import frozen
from handrail.journal.this_process import host_name, user_name
from handrail.records import status_of, with_reliance
from handrail.recovery import check

if TYPE_CHECKING:
    from handrail.builtin.cli.session import Session
    from handrail.builtin.records.preview import StepUndo
    from handrail.journal import Journal
    from handrail.journal.records import RunRow
    from handrail.records import RunStatus
    from handrail.recovery import Recovery

_MOST = 20  # Lines of one step that are shown before the question.
_WIDEST = 40


@click.command(params=recovery_options("rollback"))
@click.option("--dry-run", is_flag=True, help="Show what would be undone, and undo nothing.")
@click.option("--yes", is_flag=True, help="Do not ask. Needs RUN.")
@click.option(
    "--by-hand",
    metavar="STEP",
    help="Record that you have undone what this step has left. Needs RUN and --reason.",
)
@click.option("--reason", metavar="TEXT", help="What you have done, and why; it is kept for ever.")
@click.pass_context
def rollback(ctx: click.Context, /, **_options: Any) -> int:
    """Undo a run that was interrupted, kept after a failure, or completed.

    It first shows what will be undone and what cannot be. On a terminal it asks; elsewhere,
    completed and kept runs need --yes.

    RUN is its number; by default, the latest run of this project, whatever its state. The undo uses
    what the steps recorded before each effect, so it works after a kill too. Only the steps that
    began must be unchanged; the lock and required packs do not matter. If an earlier rollback was
    incomplete, only what failed is tried again. If the run was rolled back before, nothing is left
    to undo, and the exit code is 0.

    What cannot be undone like that, a person has to undo. --by-hand records who did it, when, and
    why; it calls nothing. Once nothing is left, the run is rolled back.
    """
    session, request = session_of(ctx), RecoveryRequest.of(ctx)
    session.works = not request.dry_run
    if request.yes and not request.run:
        raise click.UsageError("--yes needs the number of the run: handrail rollback RUN --yes")
    if request.by_hand is not None or request.reason is not None:
        return _by_hand(session, request)
    if request.all_dead:
        if request.dry_run:
            raise click.UsageError("--all-dead takes no --dry-run; handrail runs lists the runs")
        return recover_all(session, "rollback", request)
    with closing(session_journal(session, request.journal)) as journal:
        return _roll_back(session, journal, request)


def _by_hand(session: Session, request: RecoveryRequest) -> int:
    """Record that a step was undone by hand; show what is left, and return the exit code."""
    step, reason = request.by_hand, (request.reason or "").strip()
    if not (step and reason and request.run) or request.all_dead or request.dry_run:
        raise click.UsageError(
            "to record what was undone by hand, give all of: "
            "handrail rollback RUN --by-hand STEP --reason TEXT"
        )
    with closing(session_journal(session, request.journal)) as journal:
        number, by = number_in(journal, request.run), f"{user_name()} on {host_name()}"
        left = record_by_hand(journal, number, step, by=by, reason=reason)
        [status] = with_left(journal, [status_of(journal, journal.read(number, fields=False))])
    code = ExitCode.ROLLBACK if left else ExitCode.DONE
    if session.json:
        session.console.json_line({"event": "UndoneByHand", "step": step, **run_to_dict(status)})
        return code
    lines = [f"run {number} · {step} was undone by hand, recorded for {by}"]
    lines.append(f"run {number} {status.described}" + (f", {left_text(status)}" if left else ""))
    lines += [f"  {purpose:7} {command}" for purpose, command in ways_of(status)]
    for line in lines:
        session.console.print(line)
    return code


@frozen
class RollbackRequest(Request):
    """What a call of `handrail rollback` asks for, which is about one run that can be undone.

    Attributes:
        journal: The journal; it stays open until the request was carried out.
        row: The run.
        recovery: Prepares the undo, with the packs and in the folder of the run.
        request: The options that `resume` and `rollback` have in common.
        asks: Whether somebody is to be asked before anything is undone; see `says_yes`.
        words: What a command has to say beside the number of the run to ask for the same.
    """

    journal: Journal
    row: RunRow
    recovery: Callable[[], Recovery]
    request: RecoveryRequest
    asks: bool
    words: str = ""


def _roll_back(session: Session, journal: Journal, request: RecoveryRequest) -> int:
    row = _found(session, journal, request)
    if row.outcome == "rolled_back":
        [status] = with_left(journal, [status_of(journal, row)])
        return _nothing_left(session, status, request)
    asks = not (request.yes or request.dry_run) and _is_terminal()
    asked = RollbackRequest(
        session=session,
        values=click.get_current_context().params,
        carry_out=_undo,
        recovery=lambda: recovery_of(session, journal, "rollback", row, request),
        journal=journal,
        row=row,
        request=request,
        asks=asks,
    )
    asked = applied(asked, "rollback")
    if not (asks or request.yes or request.dry_run):
        _check_named(row, asked.words)
    return asked.carry_out(asked)


def _undo(asked: RollbackRequest) -> int:
    """Preview the undo of a run, ask, and undo it; return the exit code."""
    session, journal, row, request = asked.session, asked.journal, asked.row, asked.request
    asks, mine = asked.asks, session.settings.project_id
    recovery = asked.recovery()
    recovery.check_ready()
    if asks or request.dry_run or not request.quiet:
        whose = "" if row.project == mine else f" · of {row.project}"
        whose += "" if row.parent is None else f" · part of run {row.parent}"
        preview = _preview(journal, recovery, whose)
        _show(session, preview, dry=request.dry_run, asks=asks)
        if request.dry_run:
            return preview.code(strict=request.strict)
    if asks:
        if not says_yes(session):
            return ExitCode.INTERRUPTED
        _check_unchanged(journal, row)
    return carry_on(session, journal, recovery, request)


def _nothing_left(session: Session, status: RunStatus, request: RecoveryRequest) -> int:
    """Say that a run was rolled back before, as to a script that tries again; return the code."""
    row = status.row
    if session.json:
        preview = _Preview(
            status=status, whose="", undone=(), not_undone=status.not_undone, unsure=()
        )
        session.console.json_line(preview.to_dict())
    number = row.number
    result = {"rolled_back": True, "number": number}
    if not (session.json and request.dry_run):
        session.show(
            Listing(
                json=lambda: {"event": "Result", "number": number, "result": result},
                title=[
                    f"run {row.number} · {row.action} was {status.described}; nothing left to undo"
                ],
            )
        )
    return ExitCode.ROLLBACK if request.strict and status.not_undone else ExitCode.DONE


def _found(session: Session, journal: Journal, request: RecoveryRequest) -> RunRow:
    """Return the run that is meant, if it can be undone, or was undone and is given by number.

    Raises:
        NotFoundError: The run does not exist.
        RollbackRefusedError: The run is sealed; or it is the latest one and has nothing to undo.
        RunHeldError: The run belongs to a process that is alive, or may be.
    """
    if request.run:
        recorded = journal.read(number_in(journal, request.run))
        if recorded.outcome == "rolled_back":
            return recorded
    else:
        recorded = journal.read(latest_run(session, journal, "rollback", request))
    try:
        check(recorded, "rollback")
    except (RunClosedError, RollbackRefusedError) as error:
        if request.run:
            raise
        raise RollbackRefusedError(
            f"the latest run of {request.project_shown} cannot be undone: {error.message}",
            ways_out=("name another one:  handrail runs",),
        ) from None
    holder = after_orphans(lambda: journal.holder(recorded.number))
    if holder is not None and not (request.take_over and holder.stale):
        raise held_error(recorded.number, holder)
    return recorded


def _check_named(row: RunRow, more: str) -> None:
    """Raise ConfirmationError for a completed or kept run, as there is no terminal to ask on."""
    state = {"completed": "is completed", "failed": "was kept after a failure"}.get(
        row.outcome or ""
    )
    if state is not None:
        raise ConfirmationError(
            f"run {row.number} {state}; without a terminal its rollback needs --yes",
            ways_out=(
                f"see   {command_line(f'rollback {row.number}{more} --dry-run')}",
                f"do    {command_line(f'rollback {row.number}{more} --yes')}",
            ),
        )


def _check_unchanged(journal: Journal, row: RunRow) -> None:
    """Raise RollbackRefusedError if the run has changed since the preview."""
    now = journal.read(row.number, fields=False)
    if (now.fence, now.outcome) != (row.fence, row.outcome):
        raise RollbackRefusedError(
            f"another process has worked on run {row.number} meanwhile; nothing was undone",
            ways_out=(f"look again:  {command_line(f'rollback {row.number}')}",),
        )


def says_yes(session: Session) -> bool:
    """Ask whether to undo it, and say so if it is not; the end of the input means no."""
    try:
        with like_interrupts():
            if click.confirm("Undo it?", default=False, err=True):
                return True
    except (click.Abort, KeyboardInterrupt):
        pass
    session.console.note("nothing was undone")
    return False


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


@frozen
class _Preview:
    """The effect of an undo, before it begins.

    Attributes:
        status: The status of the run.
        whose: Name of the project, if it is another one.
        undone: The steps that are undone, in the order of the undo.
        not_undone: Names of the steps that have ended, and have no undo.
        unsure: Names of those that were interrupted and have no undo.
    """

    status: RunStatus
    whose: str
    undone: Sequence[StepUndo]
    not_undone: Sequence[str]
    unsure: Sequence[str]

    def code(self, *, strict: bool) -> ExitCode:
        """Return the exit code with which the undo would end, as far as that is known."""
        for undo in self.undone:
            if undo.refusal is not None:
                return undo.refusal.exit_code
        left = self.unsure or (strict and self.not_undone)
        return ExitCode.ROLLBACK if left else ExitCode.DONE

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object for programs."""
        row = self.status.row
        return {
            "event": "RollbackPreview",
            "run": row.number,
            "action": row.action,
            "project": row.project,
            "state": self.status.state,
            "relied_on_by": list(self.status.reliance.relied_on_by),
            "undo": [each.to_dict() for each in self.undone],
            "not_undone": self.not_undone,
            "may_have_left": self.unsure,
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield the lines for people, each with what stands before it."""
        yield "", self._head()
        width = min(max((columns(each.step) for each in self.undone), default=0), _WIDEST)
        for each in self.undone:
            first, *rest = _facts(each)
            yield f" ↶ {each.step}{' ' * (width - columns(each.step))}  ", first
            shown = rest if len(rest) <= _MOST else rest[: _MOST - 1]
            if shown != rest:
                more = plural(len(rest) - len(shown), "line")
                shown = [*shown, f"... and {more} more (--json)"]
            yield from ((" " * (width + 5), line) for line in shown)
        if not (self.undone or self.unsure):
            yield "   ", "nothing to undo"
        yield from (("", f" {line}") for line in reliance_lines(self.status.reliance))
        if self.not_undone:
            they = "it has" if len(self.not_undone) == 1 else "they have"
            yield "   ", f"not undone: {', '.join(self.not_undone)} ({they} no way back)"
        for step in self.unsure:
            yield " ! ", f"{step} may have left something: it was interrupted, and has no way back"
            number = self.status.row.number
            by_hand = f"rollback {number} --by-hand {shlex.quote(step)} --reason TEXT"
            yield "   ", f"look, and afterwards:  {command_line(by_hand)}"

    def _head(self) -> str:
        row, owner = self.status.row, self.status.owner
        ended = row.closed or row.heard or row.opened
        ago = max(0.0, (datetime.now(UTC) - parse_time(ended)).total_seconds())
        return (
            f"run {row.number} · {row.action} · {self.status.described} {seconds(ago)} ago · "
            f"{owner['user']} on {owner['host']}{self.whose}"
        )


def _preview(journal: Journal, recovery: Recovery, whose: str) -> _Preview:
    steps = recorded_steps(recovery.recorded, running=False, journal=journal)
    [status] = with_reliance(journal, [status_of(journal, recovery.recorded)])
    with whole_locks():
        undone = preview_rollback(recovery)
    return _Preview(
        status=status,
        whose=whose,
        undone=undone,
        not_undone=[step.name for step in reversed(steps) if step.is_not_undone],
        unsure=[step.name for step in steps if step.state == "may have left something"],
    )


def _show(session: Session, preview: _Preview, *, dry: bool, asks: bool) -> None:
    """Show the preview: as the result of a dry run, otherwise on standard error."""
    if session.json:
        session.console.json_line(preview.to_dict())
    if asks or not session.json:
        console = session.console
        write, stream = (console.print, None) if dry else (console.note, console.err)
        for head, line in preview.lines():
            for each in folded(line, stream, head=head):
                write(each)


def _facts(undo: StepUndo) -> Sequence[str]:
    facts: list[str] = []
    if undo.items:
        facts.append(f"{undo.items:,} item{'s' * (undo.items != 1)}, the last one first")
    if undo.lines:
        facts += undo.lines
    elif undo.lines is None and undo.recorded:
        counted = ", ".join(f"{key}: {count:,}" for key, count in undo.recorded.items())
        facts.append(f"undone from what it recorded ({counted})")
    if not facts:
        facts.append("undone; it recorded nothing" if undo.lines is None else "nothing to do")
    if undo.waits_for:
        facts.append(f"waits for {', '.join(dict.fromkeys(undo.waits_for))}")
    return facts
