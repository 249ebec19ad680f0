"""The common part of `resume` and `rollback`: options, the run and its plan; all dead runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import fields
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

import click

from handrail.amounts import plural
from handrail.builtin.cli.completion import RunType
from handrail.builtin.cli.execution import Execution, carry_out, head_of
from handrail.builtin.cli.journals import (
    absolute_place,
    executor_option,
    given_url,
    journal_address,
    journal_option,
    session_journal,
)
from handrail.builtin.cli.session import event_options, warn
from handrail.builtin.cli.signals import like_interrupts
from handrail.builtin.cli.view.table import Listing
from handrail.builtin.cli.view.text import command_line
from handrail.builtin.project.targets import find_target
from handrail.derived import silent_runtime
from handrail.errors import DriftError, ExitCode, NotFoundError, RestoreError
from handrail.frozen import frozen
from handrail.packs import configuration_at
from handrail.records import is_derived, status_of
from handrail.recovery import (
    Invocation,
    check_action,
    check_alone,
    enter,
    is_of,
    only_undoes,
    prepare,
    refusal,
    steps_of,
)

if TYPE_CHECKING:
    from handrail import BaseAction, Plan
    from handrail.builtin.cli.session import Session
    from handrail.derived import Observer
    from handrail.journal import Journal
    from handrail.journal.records import RunRow
    from handrail.packs import Target
    from handrail.recovery import Aim, Recovery


@frozen
class RecoveryRequest:
    """The options of a call of `resume` or `rollback`.

    Attributes:
        run: The number of the run, if it is named.
        all_dead: Whether to take every run whose process is gone.
        project: The folder or the name of another project, if given.
        all_projects: Whether to take the runs of every project.
        take_over: Whether to take the run from a process without a sign of life.
        accept_drift: Whether to continue although steps that began have changed.
        action: The action of the run, if given.
        folder: The folder to work in, if not that of the run.
        executor: The executor for items, if not that of the run.
        journal: The journal, if given.
        quiet: Whether to show only the result and errors.
        no_lock: Whether to ignore the lock; for `resume`.
        failed_only: Whether to try items that failed again; for `resume`.
        on_failure: Whether a failure undoes the finished steps or keeps them; for `resume`.
        strict: Whether it is exit code 5 that a step was not undone, as it has no undo.
        strict_results: Whether a result that cannot be stored is an error; for `resume`.
        dry_run: Whether to only show the preview; for `rollback`.
        yes: Whether to undo without confirmation; for `rollback`.
        by_hand: The step that a person has undone; for `rollback`.
        reason: What that person did; for `rollback`.
    """

    run: str | None
    all_dead: bool
    project: str | None
    all_projects: bool
    take_over: bool
    accept_drift: bool
    action: str | None
    folder: str | None
    executor: str | None
    journal: str | None
    quiet: bool
    strict: bool = False
    no_lock: bool = False
    failed_only: bool = False
    on_failure: Literal["undo", "keep"] = "undo"
    strict_results: bool = False
    dry_run: bool = False
    yes: bool = False
    by_hand: str | None = None
    reason: str | None = None

    @classmethod
    def of(cls, context: click.Context) -> RecoveryRequest:
        """Return the request that click has parsed.

        Raises:
            click.UsageError: Some of its options exclude each other.
        """
        names = {field.name for field in fields(cls)} & context.params.keys()
        request = cls(**{name: context.params[name] for name in names})
        if request.all_projects and not request.all_dead:
            raise click.UsageError(
                "--all-projects goes with --all-dead; one run is named by its number"
            )
        if request.all_projects and request.project:
            raise click.UsageError("--all-projects takes no --project")
        if request.run and request.project:
            raise click.UsageError(
                "a number names the run, whatever its project: leave --project out"
            )
        return request

    @property
    def project_shown(self) -> str:
        """Name of the requested project in messages."""
        return f"the project {self.project}" if self.project else "this project"


def recovery_options(aim: Aim) -> list[click.Parameter]:
    """Return the parameters that `resume` and `rollback` have in common."""
    done = "resume" if aim == "resume" else "roll back"
    return [
        click.Argument(["run"], required=False, metavar="[RUN]", type=RunType()),
        click.Option(
            ["--all-dead"],
            is_flag=True,
            help=f"{done.capitalize()} every run of this project whose process is gone, the oldest "
            "first, without asking.",
        ),
        click.Option(
            ["--project"],
            metavar="DIR",
            help="Use the runs of another project in the journal: that of this folder, or of this "
            "name.",
        ),
        click.Option(
            ["--all-projects"],
            is_flag=True,
            help="With --all-dead: the runs of all projects in the journal.",
        ),
        click.Option(
            ["--take-over"],
            is_flag=True,
            help="Take the run from a process that no longer shows signs of life.",
        ),
        click.Option(
            ["--accept-drift"],
            is_flag=True,
            help="Continue although steps that began have changed since.",
        ),
        click.Option(
            ["--action"],
            metavar="X",
            help="The action of the run, if it has moved since.",
        ),
        click.Option(
            ["--folder"],
            metavar="PATH",
            help="The folder to work in, if that of the run has moved or is on another machine.",
        ),
        click.Option(
            ["--strict"],
            is_flag=True,
            help="Exit with 5 if a step with effects is not undone because it has no undo.",
        ),
        executor_option(),
        journal_option(),
        *event_options(),
    ]


def project_of(session: Session, request: RecoveryRequest) -> str:
    """Return the id of the requested project."""
    named = request.project
    if not named:
        return session.settings.project_id
    if os.path.isdir(named):
        return configuration_at(named).project_id
    # A name, or a deleted folder.
    return os.path.realpath(named) if os.sep in named else named


def latest_run(session: Session, journal: Journal, aim: Aim, request: RecoveryRequest) -> int:
    """Return the number of the latest run of the project; to resume one, of those that can be.

    Raises:
        NotFoundError: There is none; the ways out name the latest of another project.
    """

    def runs(project: str | None) -> Iterator[RunRow]:
        for row in journal.runs(limit=None if aim == "resume" else 1, project=project):
            status = status_of(journal, row)
            if aim != "resume" or (refusal(status.row, "resume") is None and status.is_left):
                yield row

    for row in runs(project_of(session, request)):
        return row.number
    resumed = " that can be resumed" if aim == "resume" else ""
    # No command to paste, because the run belongs to another project.
    others = (f"the latest one is run {row.number}, of {row.project}" for row in runs(None))
    raise NotFoundError(
        f"there is no run of {request.project_shown} in {journal.shown}{resumed}",
        ways_out=tuple(islice(others, 1)),
    )


def recovery_of(
    session: Session,
    journal: Journal,
    aim: Aim,
    row: RunRow,
    request: RecoveryRequest,
    params: Mapping[str, Any] | None = None,
) -> Recovery:
    """Return the run with its action, in its own folder, with its own packs and plan.

    Args:
        session: The call.
        journal: The journal of the run.
        aim: Whether to finish or undo the run.
        row: The run.
        request: The options of the call.
        params: Values of its params in place of the recorded ones.
    """
    check_alone(journal, row, aim)
    if row.parent is not None and not request.action and not params:
        whole = journal.read(row.parent)
        if not is_derived(whole):
            return _of_whole(session, journal, aim, row, whole, request)
    invocation = Invocation.of_row(row)
    enter(row, request.folder, "--folder PATH")
    session.move(invocation.selection, invocation.values)
    # Problems that prevent a plan do not prevent an undo.
    warn(session, goes_on=only_undoes(row, aim))
    for name in invocation.left_out:
        session.console.note(f"-p {name} looked like a secret and was not kept; set its variable")
    target = _target(session, journal, aim, row, request.action)
    action: type[BaseAction[Any]] = target.action_class
    known = action.params_model.model_fields if action.params_model is not None else ()
    for name in params or ():
        if name not in known:
            raise click.UsageError(f"run {row.number} of {row.action} has no param {name}")
    recovery = prepare(
        action,
        row,
        journal,
        aim,
        ctx=silent_runtime(),
        packs=session.packs,
        accept_drift=request.accept_drift,
        take_over=request.take_over,
        command_line=command_line,
        failed_only=request.failed_only,
        params=params,
        asked={"target": target, "no_lock": request.no_lock},
    )
    if request.on_failure == "keep":
        recovery.options["on_failure"] = "keep"
    if request.strict_results:
        recovery.options["strict_results"] = True
    if request.executor:
        recovery.options["executor"] = request.executor
    return recovery


def _of_whole(
    session: Session,
    journal: Journal,
    aim: Aim,
    row: RunRow,
    whole: RunRow,
    request: RecoveryRequest,
) -> Recovery:
    """Return a part of a run, with the action that its step has: it may have no name of its own."""
    above = recovery_of(session, journal, aim, whole, request)
    for planned, part in above.parts():
        if part.number == row.number:
            return above.of_part(planned, row, aim)
    raise DriftError(
        f"run {whole.number} began with other steps: {row.parent_step}, which has made run "
        f"{row.number}, is not in the plan any more",
        ways_out=(f"say where its action is:  handrail {aim} {row.number} --action FILE.py:NAME",),
    )


def carry_on(
    session: Session, journal: Journal, recovery: Recovery, request: RecoveryRequest
) -> int:
    """Finish or undo a run, show its progress, and return the exit code."""
    row = recovery.recorded
    if not session.json and not request.quiet:
        for line in news(recovery.recorded, recovery.plan):
            session.console.note(f"since run {row.number} began: {line}")
        for line in recovery.ignored:
            session.console.note(f"ignored for the undo: {line}")

    def run(views: Sequence[Observer]) -> Mapping[str, Any]:
        recovery.options["observers"] = views
        return recovery.run()

    execution = Execution(
        plan=recovery.plan,
        head=head_of(recovery.plan, journal),
        run=run,
        journal=journal,
        quiet=request.quiet,
        keeps=recovery.options.get("on_failure") == "keep",
        aim=recovery.aim,
        undoes=recovery.aim == "rollback" or row.direction == "undo",
        strict=request.strict,
    )
    try:
        return carry_out(session, execution)
    except RestoreError as error:
        if not execution.undoes:
            vars(error).update(exit_code=ExitCode.PLAN)  # Nothing was to be undone.
        raise


def news(recorded: RunRow, plan: Plan) -> list[str]:
    """Return differences that do not prevent a resume: versions of packs, and later steps."""
    if is_of(recorded, plan):
        return []
    steps = steps_of(recorded)
    before = {step["name"]: step["origin"]["version"] for step in steps}
    lines = [
        f"{planned.name} is of {planned.origin}, was {before[planned.name]}"
        for planned in plan.steps
        if planned.name in before and before[planned.name] != planned.origin.version
    ]
    names = [planned.name for planned in plan.steps]
    lines += [f"{name} is new" for name in names if name not in before]
    lines += [f"{name} is gone" for name in before if name not in names]
    return lines


def _target(session: Session, journal: Journal, aim: Aim, row: RunRow, named: str | None) -> Target:
    """Return the action of a run, from its recorded location or from the given one."""
    try:
        target = find_target(session.packs, session.folder, named or row.action)
    except NotFoundError as error:
        if named:
            raise
        elsewhere = f"say where it is now:  handrail {aim} {row.number} --action FILE.py:NAME"
        # The location of a project's workflow is in its settings.
        more = [] if error.origin is not None else [elsewhere]
        if row.parent is not None:
            more.append(f"or undo the whole:  handrail rollback {row.parent}")
        raise NotFoundError(
            f"the action of run {row.number}: {error.message}",
            origin=error.origin,
            ways_out=(*error.ways_out, *more),
        ) from error
    if named:
        check_action(row, target.action_class.action_name, journal)
    return target


# A run that ended, or has an owner, when its turn comes is refused with one of these.
_REFUSED = (ExitCode.USAGE, ExitCode.PLAN)
_DONE = {"resume": "resumed", "rollback": "rolled back"}


def recover_all(session: Session, aim: Aim, request: RecoveryRequest) -> int:
    """Resume or undo every dead run, the oldest first; return the highest of their exit codes.

    A failure does not stop the others from being tried. A run that another process has claimed
    meanwhile is left to it.
    """
    _check_whole(request)
    try:
        journal = session_journal(session, request.journal)
    except NotFoundError as error:
        if given_url(request.journal):
            raise
        return _tell_nothing(session, error.message, request)
    with closing(journal):
        project = None if request.all_projects else project_of(session, request)
        dead = _dead(journal, project)
        if not dead:
            of_project = "" if project is None else " of this project"
            text = f"no run{of_project} in {journal.shown} was left by a process that is gone"
            return _tell_nothing(session, f"{text}{_others(journal, project)}", request)
        place = absolute_place(journal_address(session, request.journal).value)
        words = [*_words_of_call(session, aim, request), "--journal", place]
        worst = 0
        with like_interrupts():
            for number in dead:
                code, interrupted = _in_process([aim, str(number), *words])
                if interrupted:
                    return ExitCode.INTERRUPTED
                if code in _REFUSED and _is_taken(journal, number, project):
                    session.console.note(f"run {number} was taken by another process")
                    continue
                if code in (*_REFUSED, ExitCode.PACK):  # The error may not say of which run it is.
                    session.console.note(f"run {number} was not {_DONE[aim]}")
                worst = max(worst, code)
        return worst


def _check_whole(request: RecoveryRequest) -> None:
    excluded = {
        "number": request.run,
        "--action": request.action,
        "--folder": request.folder,
        "--take-over": request.take_over,
    }
    for shown, given in excluded.items():
        if given:
            raise click.UsageError(f"--all-dead takes no {shown}: it is for every run that is dead")


def _dead(journal: Journal, project: str | None) -> list[int]:
    """Return the unfinished runs of a project that no process owns, the oldest first.

    Damaged ones are among them, so that their error is reported.
    """
    rows = journal.runs(outcome="interrupted", project=project)
    return [row.number for row in reversed(rows) if status_of(journal, row).is_left]


def _is_taken(journal: Journal, number: int, project: str | None) -> bool:
    """Return whether a run is no longer dead, unless a step refused to be undone."""
    incomplete = journal.runs(outcome="rollback_incomplete", project=project)
    return number not in (*_dead(journal, project), *(row.number for row in incomplete))


def _others(journal: Journal, project: str | None) -> str:
    """Return the way to recover dead runs of other projects, if there are any."""
    others = [] if project is None else _dead(journal, None)
    if not others:
        return ""
    return f"; {plural(len(others), 'run')} of other projects: --all-projects"


def _tell_nothing(session: Session, text: str, request: RecoveryRequest) -> int:
    lines = [] if request.quiet else [text]
    session.show(Listing(json=lambda: {"event": "Result", "result": None}, title=lines))
    return ExitCode.DONE


def _in_process(words: Sequence[str]) -> tuple[int, bool]:
    """Run a command to its end; return its exit code, and whether a signal came meanwhile."""
    # -P: otherwise Python would import modules from the working folder, which may be untrusted.
    process = subprocess.Popen([sys.executable, "-P", "-m", "handrail", *words])
    interrupted = False
    while True:
        try:
            code = process.wait()
            return code if code >= 0 else ExitCode.INTERRUPTED, interrupted
        except KeyboardInterrupt:
            interrupted = True
            # A terminal signals both, an init system only this process; two at once count as one.
            process.terminate()


def _words_of_call(session: Session, aim: Aim, request: RecoveryRequest) -> list[str]:
    """Return the options of this call, as each process gets them."""
    flags = {
        "--accept-drift": request.accept_drift,
        "--no-lock": request.no_lock,
        "--strict": request.strict,
        "--strict-results": request.strict_results,
        "--quiet": request.quiet,
        "--json": session.json,
        "--debug": session.debug,
        # A process may run at a terminal, and is not to ask.
        "--yes": aim == "rollback",
    }
    words = [flag for flag, given in flags.items() if given]
    if aim == "resume":
        words += ["--on-failure", request.on_failure]
    if request.executor:
        words += ["--executor", request.executor]
    for pack in session.no_packs:
        words += ["--no-pack", pack]
    if session.only_packs is not None:
        words += [f"--only-packs={','.join(session.only_packs)}"]
    return words
