"""`handrail resume` and `handrail rollback`: finish or undo a run that another process began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.cli.all_dead import all_dead
from handrail.cli.commands import typed
from handrail.cli.journals import journal_option, number_of, opened
from handrail.cli.session import session_of, warn
from handrail.cli.standing import moment, standing
from handrail.errors import ExitCode, NotFoundError

if TYPE_CHECKING:
    from handrail.cli.local import Target
    from handrail.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RecordedRun, RunRow
    from handrail.orchestrator import Observer
    from handrail.plan.plan import Plan
    from handrail.recovery.recovered import Aim, Recovery


def _options(aim: Aim) -> list[click.Parameter]:
    done = "resume" if aim == "resume" else "roll back"
    keep = click.Option(
        ["--on-failure"],
        type=click.Choice(["undo", "keep"]),
        default="undo",
        show_default=True,
        help="Undo what was done when a step fails, or keep it.",
    )
    no_lock = click.Option(
        ["--no-lock"], is_flag=True, help="Go on also where it is not what the lock holds."
    )
    return [
        click.Argument(["run"], required=False, metavar="[RUN]"),
        click.Option(
            ["--all-dead"],
            is_flag=True,
            help=f"{done.capitalize()} every run whose process is gone, the oldest first.",
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
        *([no_lock, keep] if aim == "resume" else []),
        journal_option(),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Write one event per line to standard output."
        ),
        click.Option(["-q", "--quiet"], is_flag=True, help="Show only the result, and errors."),
    ]


def _command(aim: Aim, text: str) -> click.Command:
    def callback(**values: Any) -> int:
        return _go_on(session_of(click.get_current_context()), aim, values)

    return click.Command(aim, params=_options(aim), callback=callback, help=text)


resume = _command(
    "resume",
    """Finish a run that was interrupted, or kept after a failure.

    RUN is its number; without one it is the latest that can be resumed, which is named first. The
    run goes on in its own working folder, with its own params, packs and part of the plan; secrets
    are read from their variables again. A step that was interrupted is undone and run again, or
    goes on as its `resume` says. A run that was undoing goes on with that, and ends with 1.
    """,
)
rollback = _command(
    "rollback",
    """Undo a run: one that was interrupted, one that was kept, or a completed one.

    RUN is its number; without one it is the latest that can be rolled back, which is named first.
    What the steps recorded before each effect is enough, so this works after a kill too. Only the
    steps that began have to be what they were: the lock and what is required do not count. Of a
    rollback that was not complete, only what failed is tried again.
    """,
)


def _go_on(session: Session, aim: Aim, values: Mapping[str, Any]) -> int:
    if values["all_dead"]:
        return all_dead(session, aim, values)
    number = number_of(values["run"]) if values["run"] else None
    journal = opened(session, values["journal"])
    try:
        return _one(session, journal, aim, number, values)
    finally:
        journal.close()


def _one(
    session: Session, journal: Journal, aim: Aim, number: int | None, values: Mapping[str, Any]
) -> int:
    # Lists need none of this.
    from handrail.cli.execution import carry_out, head_of  # noqa: PLC0415
    from handrail.recovery.drift import news  # noqa: PLC0415
    from handrail.recovery.made_ready import latest  # noqa: PLC0415
    from handrail.recovery.recovered import check  # noqa: PLC0415

    told = not values["as_json"] and not values["quiet"]
    found = latest(journal, aim) if number is None else number
    recorded = journal.read(found)
    if number is None and told:
        session.console.note(_named(journal, recorded.row))
    if aim == "resume" and recorded.row.outcome == "completed":
        return _completed(session, recorded.row, as_json=values["as_json"])
    check(recorded, aim)
    recovery = _recovery(session, journal, aim, recorded, values)
    for line in news(recorded, recovery.plan) if told else ():
        session.console.note(f"since run {found} began: {line}")
    for line in recovery.ignored if told else ():
        session.console.note(f"no matter for an undo: {line}")

    def run(views: Sequence[Observer]) -> Mapping[str, Any]:
        recovery.options["observers"] = views
        return recovery.run()

    head = head_of(recovery.plan, journal)
    if aim == "rollback":
        return carry_out(session, recovery.plan, head, run, values, undo=True)
    return carry_out(session, recovery.plan, head, run, values, journal=journal)


def _recovery(
    session: Session,
    journal: Journal,
    aim: Aim,
    recorded: RecordedRun,
    values: Mapping[str, Any],
) -> Recovery:
    """Return the run with its action, in its own folder, with its own packs and plan."""
    # All of these import what runs need.
    from handrail.cli.execution import silent_runtime  # noqa: PLC0415
    from handrail.recovery.chosen import Chosen  # noqa: PLC0415
    from handrail.recovery.folder import enter  # noqa: PLC0415
    from handrail.recovery.made_ready import only_undoes, prepare  # noqa: PLC0415

    row = recorded.row
    chosen = Chosen.of_json(row.packs)
    enter(row, values["folder"], "--folder PATH")
    session.move(chosen.selection, chosen.values)
    # What would stop a plan does not stop an undo.
    warn(session, goes_on=only_undoes(row, aim))
    for name in chosen.left_out:
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
        typed=typed,
        hold=lambda plan: _held(session, target, plan, values.get("no_lock") or chosen.no_lock),
    )
    if values.get("on_failure") == "keep":
        recovery.options |= {"journal": journal, "on_failure": "keep"}
    return recovery


def _held(session: Session, target: Target, plan: Plan, no_lock: bool) -> Plan:
    """Return the whole plan of a run that goes forward, held against the lock."""
    from handrail.cli.locked_name import locked  # noqa: PLC0415 - imports what runs need
    from handrail.locking import held  # noqa: PLC0415 - imports what runs need

    forced_by = session.packs.settings.locked_by
    name = locked(session, target)
    return held(session.packs, name, plan, no_lock=no_lock, forced_by=forced_by)


def _target(session: Session, journal: Journal, aim: Aim, row: RunRow, named: str | None) -> Target:
    """Return the action of a run, from where it was or from where it is said to be now."""
    from handrail.cli.local import find_target  # noqa: PLC0415 - imports what runs need
    from handrail.recovery.made_ready import check_action  # noqa: PLC0415 - likewise

    try:
        target = find_target(session, named or row.action)
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
    state = standing(journal, row).told
    return f"run {row.number} · {row.action} · {state}, started {moment(row.opened):%d %b %H:%M:%S}"


def _completed(session: Session, row: RunRow, *, as_json: bool) -> int:
    if as_json:
        session.console.json_line({"event": "Result", "number": row.number, "result": None})
    else:
        session.console.print(f"run {row.number} is completed; there is nothing to resume")
    return ExitCode.DONE
