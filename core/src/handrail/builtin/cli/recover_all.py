"""`--all-dead`: finishes or undoes every run whose process is gone, each in a new process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import click

from handrail.amounts import plural
from handrail.builtin.cli.journals import (
    absolute_place,
    given_url,
    journal_address,
    session_journal,
)
from handrail.builtin.cli.recovery import RecoveryRequest, project_of
from handrail.builtin.cli.signals import like_interrupts
from handrail.builtin.cli.view.table import Listing
from handrail.errors import ExitCode, NotFoundError
from handrail.records import status_of

if TYPE_CHECKING:
    from handrail.builtin.cli.session import Session
    from handrail.journal import Journal
    from handrail.recovery.status import Aim

# A run that ended, or has an owner, when its turn comes is refused with one of these.
_REFUSED = (ExitCode.USAGE, ExitCode.PLAN)
_DONE = {"resume": "resumed", "rollback": "rolled back"}


def recover_all(session: Session, aim: Aim, request: RecoveryRequest) -> int:
    """Resume or undo every dead run, the oldest first; return the highest of their exit codes.

    A failure does not stop the others from being tried. A run that another process has claimed
    meanwhile is left to it.
    """
    _check(request)
    try:
        journal = session_journal(session, request.journal)
    except NotFoundError as error:
        if given_url(request.journal):
            raise
        return _nothing(session, error.message, request)
    with closing(journal):
        project = None if request.all_projects else project_of(session, request)
        dead = _dead(journal, project)
        if not dead:
            of_project = "" if project is None else " of this project"
            text = f"no run{of_project} in {journal.shown} was left by a process that is gone"
            return _nothing(session, f"{text}{_others(journal, project)}", request)
        place = absolute_place(journal_address(session, request.journal).value)
        words = [*_words(session, aim, request), "--journal", place]
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


def _check(request: RecoveryRequest) -> None:
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


def _nothing(session: Session, text: str, request: RecoveryRequest) -> int:
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


def _words(session: Session, aim: Aim, request: RecoveryRequest) -> list[str]:
    """Return the options of this call, as each process gets them."""
    flags = {
        "--accept-drift": request.accept_drift,
        "--no-lock": request.no_lock,
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
