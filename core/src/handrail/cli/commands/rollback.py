"""`handrail rollback`: show what an undo would do, ask, and undo."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from handrail.cli.commands.resume import check_words, go_on, options_of, recovery_of
from handrail.cli.hints import command_line
from handrail.cli.journals import number_of, opened, project_of, shown_project
from handrail.cli.recover_all import all_dead
from handrail.cli.session import session_of
from handrail.cli.view.run_text import moment
from handrail.cli.view.text import columns, plural, seconds
from handrail.errors import ConfirmationError, ExitCode, RollbackRefusedError, RunClosedError
from handrail.recovery.status import check, status_of

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RecordedRun, RunRow
    from handrail.recovery.preview import StepUndo
    from handrail.recovery.resume_run import Recovery

_MOST = 20  # Lines of one step that are shown before the question.
_WIDEST = 40


@click.command(params=options_of("rollback"))
@click.option("--dry-run", is_flag=True, help="Only show what would be undone.")
@click.option("--yes", is_flag=True, help="Do not ask. RUN has to be named.")
@click.pass_context
def rollback(ctx: click.Context, /, **values: Any) -> int:
    """Undo a run: one that was interrupted, one that was kept, or a completed one.

    It first shows what will be undone, and what cannot be. On a terminal it asks; elsewhere a run
    that is completed or was kept is undone with --yes only.

    RUN is its number; without one it is the latest run of this project, whatever became of it, and
    no other. What the steps recorded before each effect is enough, so this works after a kill too.
    Only the steps that began have to be what they were: the lock and what is required do not count.
    Of a rollback that was not complete, only what failed is tried again.
    """
    session = session_of(ctx)
    check_words(values)
    if values["yes"] and not values["run"]:
        raise click.UsageError("--yes needs the number of the run: handrail rollback RUN --yes")
    if values["all_dead"]:
        if values["dry_run"]:
            raise click.UsageError("--all-dead takes no --dry-run; handrail runs lists the runs")
        return all_dead(session, "rollback", values)
    with closing(opened(session, values["journal"])) as journal:
        return _roll_back(session, journal, values)


def _roll_back(session: Session, journal: Journal, values: Mapping[str, Any]) -> int:
    mine = session.packs.settings.project_id
    recorded = _found(session, journal, values)
    row = recorded.row
    asks = not (values["yes"] or values["dry_run"]) and _is_terminal()
    if not (asks or values["yes"] or values["dry_run"]):
        _check_named(row)
    recovery = recovery_of(session, journal, "rollback", recorded, values)
    recovery.check_drift()
    whose = "" if row.project == mine else f" · of {row.project}"
    _show(session, journal, recovery, values, whose, asks=asks)
    if values["dry_run"]:
        return ExitCode.DONE
    if asks:
        if not _says_yes():
            session.console.note("nothing was undone")
            return ExitCode.INTERRUPTED
        _check_unchanged(journal, row)
    return go_on(session, journal, recovery, values)


def _found(session: Session, journal: Journal, values: Mapping[str, Any]) -> RecordedRun:
    """Return the run that is meant, if it can be undone.

    Raises:
        NotFoundError: There is no such run.
        RollbackRefusedError: It is sealed; or it is the latest one, and there is nothing to undo.
        RunClosedError: It was named, and there is nothing to undo.
        RunHeldError: It belongs to a process that lives, or may live.
    """
    from handrail.journal.backend.lease_errors import held_error  # noqa: PLC0415 - lists need none of this
    from handrail.recovery.prepare import latest_of_project  # noqa: PLC0415 - likewise

    if values["run"]:
        recorded = journal.read(number_of(values["run"]))
    else:
        project = project_of(session, values)
        assert project is not None
        recorded = journal.read(latest_of_project(journal, project, shown_project(values)))
    try:
        check(recorded.row, "rollback")
    except (RunClosedError, RollbackRefusedError) as error:
        if values["run"]:
            raise
        raise RollbackRefusedError(
            f"the latest run of {shown_project(values)} cannot be undone: {error.message}",
            ways_out=("name another one:  handrail runs",),
        ) from None
    holder = journal.holder(recorded.row.number)
    if holder is not None and not (values["take_over"] and holder.stale):
        raise held_error(recorded.row.number, holder)
    return recorded


def _check_named(row: RunRow) -> None:
    """Refuse to undo what was done to the end, or kept, where nobody can be asked."""
    state = {"completed": "is completed", "failed": "was kept after a failure"}.get(
        row.outcome or ""
    )
    if state is not None:
        raise ConfirmationError(
            f"run {row.number} {state}; without a terminal its rollback needs --yes",
            ways_out=(
                f"see   {command_line(f'rollback {row.number} --dry-run')}",
                f"do    {command_line(f'rollback {row.number} --yes')}",
            ),
        )


def _check_unchanged(journal: Journal, row: RunRow) -> None:
    """Refuse to undo something else than what was shown."""
    now = journal.read(row.number, fields=False).row
    if (now.fence, now.outcome) != (row.fence, row.outcome):
        raise RollbackRefusedError(
            f"another process has worked on run {row.number} meanwhile; nothing was undone",
            ways_out=(f"look again:  {command_line(f'rollback {row.number}')}",),
        )


def _says_yes() -> bool:
    """Ask; a signal, or the end of the input, means no."""
    from handrail.cli.signals import like_interrupts  # noqa: PLC0415 - lists need it not

    try:
        with like_interrupts():
            return click.confirm("Undo it?", default=False, err=True)
    except (click.Abort, KeyboardInterrupt):
        return False


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def _show(
    session: Session,
    journal: Journal,
    recovery: Recovery,
    values: Mapping[str, Any],
    whose: str,
    *,
    asks: bool,
) -> None:
    """Show what will be undone: as the result of a dry run, else beside it."""
    from handrail.recovery.preview import preview_rollback  # noqa: PLC0415 - lists need it not
    from handrail.recovery.recorded_steps import (  # noqa: PLC0415 - likewise
        recorded_steps,
        steps_that_stay,
    )

    if values["quiet"] and not (asks or values["dry_run"]):
        return
    undone = preview_rollback(recovery)
    stays = steps_that_stay(recorded_steps(recovery.recorded, running=False))
    row = recovery.recorded.row
    if values["as_json"]:
        document = {
            "run": row.number,
            "action": row.action,
            "project": row.project,
            "state": status_of(journal, row).state,
            "undo": [each.to_dict() for each in undone],
            "stays": stays,
        }
        session.console.json_line({"event": "RollbackPreview", **document})
    if values["as_json"] and not asks:
        return
    write = session.console.print if values["dry_run"] else session.console.note
    write(f"{_head(journal, row)}{whose}")
    for line in _lines(undone, stays):
        write(line)


def _head(journal: Journal, row: RunRow) -> str:
    ended = row.closed or row.heard or row.opened
    ago = (datetime.now(UTC) - moment(ended)).total_seconds()
    status = status_of(journal, row)
    owner = status.owner
    return (
        f"run {row.number} · {row.action} · {status.described} {seconds(max(0.0, ago))} ago · "
        f"{owner['user']} on {owner['host']}"
    )


def _lines(undone: Sequence[StepUndo], stays: Sequence[str]) -> Iterator[str]:
    width = min(max((columns(each.step) for each in undone), default=0), _WIDEST)
    for each in undone:
        first, *rest = _facts(each)
        yield f" ↶ {each.step}{' ' * (width - columns(each.step))}  {first}"
        shown = rest if len(rest) <= _MOST else rest[: _MOST - 1]
        yield from (f"   {' ' * width}  {line}" for line in shown)
        if shown != rest:
            more = plural(len(rest) - len(shown), "line")
            yield f"   {' ' * width}  ... and {more} more (--json)"
    if not undone:
        yield "   nothing to undo"
    if stays:
        they = "it has" if len(stays) == 1 else "they have"
        yield f"   not undone: {', '.join(stays)} ({they} no way back)"


def _facts(undo: StepUndo) -> Sequence[str]:
    if undo.lines is not None:
        return undo.lines or ("nothing to do",)
    if not undo.recorded:
        return ("undone; it recorded nothing",)
    counted = ", ".join(f"{key}: {count:,}" for key, count in undo.recorded.items())
    return (f"undone from what it recorded ({counted})",)
