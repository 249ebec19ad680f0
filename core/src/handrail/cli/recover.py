"""`handrail resume` and `handrail rollback`: finish or undo a run that another process began."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from handrail.cli.journals import journal_option, named, number_of, opened, usual
from handrail.cli.reapplied import Chosen
from handrail.cli.session import session_of, warn
from handrail.cli.signals import like_interrupts
from handrail.cli.standing import moment, standing
from handrail.errors import ExitCode, NotFoundError

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RecordedRun, RunRow
    from handrail.orchestrator import Observer
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
            ["--no-lock"], is_flag=True, help="Go on also where it is not what the lock holds."
        ),
        *([keep] if aim == "resume" else []),
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
    What the steps recorded before each effect is enough, so this works after a kill too. Of a
    rollback that was not complete, only what failed is tried again.
    """,
)


def _go_on(session: Session, aim: Aim, values: Mapping[str, Any]) -> int:
    if values["all_dead"] and values["run"]:
        raise click.UsageError("--all-dead takes no number: it is for every run that is dead")
    number = number_of(values["run"]) if values["run"] else None
    journal = opened(session, values["journal"])
    try:
        if values["all_dead"]:
            return _all_dead(session, journal, aim, values)
        return _one(session, journal, aim, number, values)
    finally:
        journal.close()


def _one(
    session: Session, journal: Journal, aim: Aim, number: int | None, values: Mapping[str, Any]
) -> int:
    # Lists need none of this.
    from handrail.cli.execution import carry_out, head_of  # noqa: PLC0415
    from handrail.recovery.drift import news  # noqa: PLC0415
    from handrail.recovery.recovered import check, latest  # noqa: PLC0415

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
    from handrail.cli.execution import silent_runtime  # noqa: PLC0415 - imports what runs need
    from handrail.cli.local import find_target  # noqa: PLC0415 - imports what runs need
    from handrail.cli.locked_name import locked  # noqa: PLC0415 - imports what runs need
    from handrail.locking import held  # noqa: PLC0415 - imports what runs need
    from handrail.recovery.recovered import prepare  # noqa: PLC0415 - imports what runs need

    row = recorded.row
    chosen = Chosen.of_json(row.packs)
    _enter(row)
    session.move(no_packs=chosen.no_packs, only_packs=chosen.only_packs, values=chosen.values)
    warn(session, goes_on=False)
    for name in chosen.left_out:
        session.console.note(f"-p {name} looked like a secret and was not kept; set its variable")
    try:
        target = find_target(session, row.action)
    except NotFoundError as error:
        raise NotFoundError(
            f"the action of run {row.number}: {error.message}",
            origin=error.origin,
            ways_out=(*error.ways_out, f"a run of a program:  handrail.{aim}(...) in Python"),
        ) from error
    recovery = prepare(
        target.action_class,
        recorded,
        journal,
        aim,
        ctx=silent_runtime(),
        packs=session.packs,
        accept_drift=values["accept_drift"],
        take_over=values["take_over"],
    )
    if values.get("on_failure") == "keep":
        recovery.options |= {"journal": journal, "on_failure": "keep"}
    whole = held(
        session.packs,
        locked(session, target),
        recovery.plan,
        no_lock=values["no_lock"] or chosen.no_lock,
        forced_by=session.packs.settings.locked_by,
    )
    recovery.plan = chosen.part_of(whole)
    return recovery


def _enter(row: RunRow) -> None:
    try:
        os.chdir(row.cwd)
    except OSError as error:
        raise NotFoundError(
            f"run {row.number} ran in {row.cwd}, which cannot be entered: {error.strerror}",
            ways_out=("its paths lead from there: put the folder back, then try again",),
        ) from error


def _named(journal: Journal, row: RunRow) -> str:
    state = standing(journal, row).told
    return f"run {row.number} · {row.action} · {state}, started {moment(row.opened):%d %b %H:%M:%S}"


def _completed(session: Session, row: RunRow, *, as_json: bool) -> int:
    if as_json:
        session.console.json_line({"event": "Result", "number": row.number, "result": None})
    else:
        session.console.print(f"run {row.number} is completed; there is nothing to resume")
    return ExitCode.DONE


def _all_dead(session: Session, journal: Journal, aim: Aim, values: Mapping[str, Any]) -> int:
    """Resume or undo every run whose owner is gone, each in a process of its own."""
    dead = [
        row.number
        for row in reversed(journal.runs())
        if row.outcome is None
        and journal.holder(row.number) is None
        and not (aim == "rollback" and row.sealed is not None)
    ]
    if not dead:
        if not values["as_json"]:
            session.console.print(f"no run in {journal.shown} was left by a process that is gone")
        return ExitCode.DONE
    where = named(values["journal"]) or os.path.abspath(usual(session))
    words = [*_words(session, values), "--journal", where]
    worst = 0  # What a boot script has to know.
    with like_interrupts():
        for number in dead:
            code, interrupted = _in_process([aim, str(number), *words])
            if interrupted:
                return ExitCode.INTERRUPTED
            worst = max(worst, code)
    return worst


def _in_process(words: Sequence[str]) -> tuple[int, bool]:
    """Run a command to its end; return its exit code, and whether a signal came meanwhile."""
    process = subprocess.Popen([sys.executable, "-m", "handrail", *words])
    interrupted = False
    while True:
        try:
            return abs(process.wait()), interrupted
        except KeyboardInterrupt:
            interrupted = True
            # A terminal tells both, an init system only this one; two at once count as one.
            process.terminate()


def _words(session: Session, values: Mapping[str, Any]) -> list[str]:
    flags = {"accept_drift": "--accept-drift", "no_lock": "--no-lock", "quiet": "--quiet"}
    words = [flag for name, flag in flags.items() if values[name]]
    words += ["--json"] if values["as_json"] else []
    words += ["--debug"] if session.debug else []
    if "on_failure" in values:
        words += ["--on-failure", values["on_failure"]]
    for pack in session.no_packs:
        words += ["--no-pack", pack]
    if session.only_packs is not None:
        words += [f"--only-packs={','.join(session.only_packs)}"]
    return words
