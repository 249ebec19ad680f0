"""`handrail resume`, and what it shares with `handrail rollback`: the run, its action, its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from handrail.cli.hints import command_line
from handrail.cli.journals import (
    journal_option,
    number_of,
    opened,
    project_of,
    shown_project,
)
from handrail.cli.recover_all import all_dead
from handrail.cli.session import session_of, warn
from handrail.cli.view.run_text import moment
from handrail.errors import ExitCode, NotFoundError
from handrail.recovery.status import check, status_of

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RecordedRun, RunRow
    from handrail.orchestrator import Observer
    from handrail.recovery.resume_run import Recovery
    from handrail.recovery.status import Aim
    from handrail.targets import Target


def options_of(aim: Aim) -> list[click.Parameter]:
    """Return the parameters that `resume` and `rollback` have in common."""
    done = "resume" if aim == "resume" else "roll back"
    return [
        click.Argument(["run"], required=False, metavar="[RUN]"),
        click.Option(
            ["--all-dead"],
            is_flag=True,
            help=f"{done.capitalize()} every run of this project whose process is gone, the oldest "
            "first, and ask nothing.",
        ),
        click.Option(
            ["--project"],
            metavar="DIR",
            help="Take the runs of the project in this folder instead, or of the one that has this "
            "name, where others keep their runs in the journal too.",
        ),
        click.Option(
            ["--all-projects"],
            is_flag=True,
            help="With --all-dead: the runs of every project in the journal.",
        ),
        click.Option(
            ["--take-over"],
            is_flag=True,
            help="Take the run from a process that gives no sign of life.",
        ),
        click.Option(
            ["--accept-drift"],
            is_flag=True,
            help="Go on although the steps that began are not what they were.",
        ),
        click.Option(
            ["--action"],
            metavar="X",
            help="The action of the run, where it is not found any more where it was.",
        ),
        click.Option(
            ["--folder"],
            metavar="PATH",
            help="The folder to work in, where that of the run was moved or is on another machine.",
        ),
        journal_option(),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Write one event per line to standard output."
        ),
        click.Option(["-q", "--quiet"], is_flag=True, help="Show only the result, and errors."),
    ]


@click.command(params=options_of("resume"))
@click.option("--no-lock", is_flag=True, help="Go on also where it is not what the lock holds.")
@click.option(
    "--on-failure",
    type=click.Choice(["undo", "keep"]),
    default="undo",
    show_default=True,
    help="Undo what was done when a step fails, or keep it.",
)
@click.pass_context
def resume(ctx: click.Context, /, **values: Any) -> int:
    """Finish a run that was interrupted, or kept after a failure.

    RUN is its number; without one it is the latest of this project that can be resumed, which is
    named first. The run goes on in its own working folder, with its own params, packs and part of
    the plan; secrets are read from their variables again. A step that was interrupted is undone and
    run again, or goes on as its `resume` says. A run that was undoing goes on with that, and ends
    with 1. Where a source, the params or a step that began is not what it was, it stops with 3 and
    undoes nothing.
    """
    session = session_of(ctx)
    check_words(values)
    if values["all_dead"]:
        return all_dead(session, "resume", values)
    with closing(opened(session, values["journal"])) as journal:
        return _resume(session, journal, values)


def check_words(values: Mapping[str, Any]) -> None:
    """Refuse words that do not go together.

    Raises:
        click.UsageError: They do not.
    """
    if values["all_projects"] and not values["all_dead"]:
        raise click.UsageError(
            "--all-projects goes with --all-dead; one run is named by its number"
        )
    if values["all_projects"] and values["project"]:
        raise click.UsageError("--all-projects takes no --project")
    if values["run"] and values["project"]:
        raise click.UsageError("a number names the run, whatever its project: leave --project out")


def _resume(session: Session, journal: Journal, values: Mapping[str, Any]) -> int:
    from handrail.recovery.prepare import latest_to_resume  # noqa: PLC0415 - lists need it not

    shows = not values["as_json"] and not values["quiet"]
    if values["run"]:
        number = number_of(values["run"])
    else:
        project = project_of(session, values)
        assert project is not None
        number = latest_to_resume(journal, project=project, shown=shown_project(values))
    recorded = journal.read(number)
    if not values["run"] and shows:
        session.console.note(_named(journal, recorded.row))
    if recorded.row.outcome == "completed":
        return _completed(session, recorded.row, as_json=values["as_json"])
    check(recorded.row, "resume")
    recovery = recovery_of(session, journal, "resume", recorded, values)
    return go_on(session, journal, recovery, values)


def go_on(session: Session, journal: Journal, recovery: Recovery, values: Mapping[str, Any]) -> int:
    """Carry out what is to be done to a run, show how it goes, and return the exit code."""
    from handrail.cli.execution import carry_out, head_of  # noqa: PLC0415 - lists need it not
    from handrail.recovery.drift import news  # noqa: PLC0415 - likewise

    shows = not values["as_json"] and not values["quiet"]
    number = recovery.recorded.row.number
    for line in news(recovery.recorded, recovery.plan) if shows else ():
        session.console.note(f"since run {number} began: {line}")
    for line in recovery.ignored if shows else ():
        session.console.note(f"ignored for the undo: {line}")

    def run(views: Sequence[Observer]) -> Mapping[str, Any]:
        recovery.options["observers"] = views
        return recovery.run()

    head = head_of(recovery.plan, journal)
    undoes = recovery.aim == "rollback" or recovery.recorded.row.direction == "undo"
    return carry_out(
        session,
        recovery.plan,
        head,
        run,
        values,
        journal=journal,
        aim=recovery.aim,
        undoes=undoes,
    )


def recovery_of(
    session: Session,
    journal: Journal,
    aim: Aim,
    recorded: RecordedRun,
    values: Mapping[str, Any],
) -> Recovery:
    """Return the run with its action, in its own folder, with its own packs and plan."""
    # All of these import what runs need.
    from handrail.cli.execution import silent_runtime  # noqa: PLC0415
    from handrail.lock.model import LockUse  # noqa: PLC0415
    from handrail.recovery.folder import enter  # noqa: PLC0415
    from handrail.recovery.invocation import Invocation  # noqa: PLC0415
    from handrail.recovery.prepare import only_undoes, prepare  # noqa: PLC0415
    from handrail.targets import lock_name  # noqa: PLC0415

    row = recorded.row
    invocation = Invocation.from_json(row.packs)
    enter(row, values["folder"], "--folder PATH")
    session.move(invocation.selection, invocation.values)
    # What would stop a plan does not stop an undo.
    warn(session, goes_on=only_undoes(row, aim))
    for name in invocation.left_out:
        session.console.note(f"-p {name} looked like a secret and was not kept; set its variable")
    target = _target(session, journal, aim, row, values["action"])
    recovery = prepare(
        target.action_class,
        recorded,
        journal,
        aim,
        ctx=silent_runtime(),
        packs=session.packs,
        accept_drift=values["accept_drift"],
        take_over=values["take_over"],
        command_line=command_line,
        lock=LockUse(name=lock_name(target, session.packs), no_lock=values.get("no_lock", False)),
    )
    if values.get("on_failure") == "keep":
        recovery.options |= {"journal": journal, "on_failure": "keep"}
    return recovery


def _target(session: Session, journal: Journal, aim: Aim, row: RunRow, named: str | None) -> Target:
    """Return the action of a run, from where it was or from where it is said to be now."""
    from handrail.recovery.prepare import check_action  # noqa: PLC0415 - likewise
    from handrail.targets import find_target  # noqa: PLC0415 - imports what runs need

    try:
        target = find_target(session.packs, session.folder, named or row.action)
    except NotFoundError as error:
        if named:
            raise
        elsewhere = f"say where it is now:  handrail {aim} {row.number} --action FILE.py:NAME"
        # A workflow of the project is where its settings say.
        more = () if error.origin is not None else (elsewhere,)
        raise NotFoundError(
            f"the action of run {row.number}: {error.message}",
            origin=error.origin,
            ways_out=(*error.ways_out, *more),
        ) from error
    if named:
        check_action(row, target.action_class.action_name, journal)
    return target


def _named(journal: Journal, row: RunRow) -> str:
    state = status_of(journal, row).described
    return f"run {row.number} · {row.action} · {state}, started {moment(row.opened):%d %b %H:%M:%S}"


def _completed(session: Session, row: RunRow, *, as_json: bool) -> int:
    if as_json:
        session.console.json_line({"event": "Result", "number": row.number, "result": None})
    else:
        session.console.print(f"run {row.number} is completed; there is nothing to resume")
    return ExitCode.DONE
