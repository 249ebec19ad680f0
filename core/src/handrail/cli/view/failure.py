"""How a run that did not complete is told: what failed, why, where, and what was undone."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from handrail.cli.hints import command_line
from handrail.cli.report import json_error, lines_of, report
from handrail.cli.run_text import commands_for
from handrail.cli.view.text import one_line
from handrail.engine.rollback_data import ASKED
from handrail.errors import (
    ExitCode,
    HandrailError,
    JournalError,
    LeaseLostError,
    StepFailedError,
    describe,
)
from handrail.events import Event, RunFinished, RunStarted, UndoStarted
from handrail.recovery.status import purposes_of

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.plan.plan import Plan
    from handrail.recovery.status import Aim

_CAUSE = 400  # Letters of a cause; all of it is in the record of the run.
_ENDINGS = {
    "rolled_back": "rolled back",
    "rollback_incomplete": "rolled back, but not completely",
    "completed": "completed, but a step that always runs failed",
    "failed": "what was done is kept",
    "interrupted": "its undo was stopped",
}


class Outcome:
    """Remembers what a run told of itself, for an error that does not tell.

    Attributes:
        value: The outcome, or None while the run goes on.
        number: Its number in its journal, or None where it has none.
        undoes: Whether it has begun to undo.
        sealed: Whether it can no longer be rolled back.
    """

    def __init__(self) -> None:
        self.value: str | None = None
        self.number: int | None = None
        self.undoes = False
        self.sealed = False

    def __call__(self, event: Event) -> None:
        """Take one event of the run."""
        if isinstance(event, RunStarted):
            self.number = event.number
        elif isinstance(event, UndoStarted):
            self.undoes = True
        elif isinstance(event, RunFinished):
            self.value = event.outcome

    @property
    def ways(self) -> tuple[tuple[str, str], ...]:
        """The commands that can be used on the run as it was left."""
        if self.number is None:
            return ()
        left = "undoing" if self.undoes else "interrupted"
        outcome = left if self.value in (None, "interrupted") else self.value
        return commands_for(self.number, purposes_of(outcome, sealed=self.sealed))


def show_failure(
    session: Session,
    plan: Plan,
    error: StepFailedError,
    outcome: Outcome,
    *,
    as_json: bool,
    aim: Aim | None = None,
) -> int:
    """Tell about a run in which a step failed, and return the exit code.

    Args:
        session: The call.
        plan: The plan of the run.
        error: Why it failed.
        outcome: What it told of itself.
        as_json: Whether to tell it as JSON.
        aim: Whether a recorded run was to be finished or undone; None for a new one.
    """
    console = session.console
    # Nothing failed but the undo, where somebody had asked for it.
    asked = error.error == ASKED
    incomplete = bool(error.rollback_errors) or error.outcome == "completed"
    kept = error.outcome == "failed"
    code = ExitCode.ROLLBACK if incomplete else ExitCode.KEPT if kept else ExitCode.FAILED
    if as_json:
        numbered = {} if outcome.number is None else {"number": outcome.number}
        json_error(session, {**error.to_dict(), **numbered, "exit_code": int(code)})
        return code
    if asked:
        label = console.style("error:", "red", "bold", err=True)
        number = "" if outcome.number is None else f"run {outcome.number} · "
        ended = _ENDINGS.get(error.outcome, error.outcome)
        before = " before; it was not resumed" if aim == "resume" else ""
        console.note(f"{label} {number}{plan.action} was {ended}, as was asked{before}")
    else:
        _tell_cause(session, plan, error, recorded=outcome.number is not None)
    for problem in error.rollback_errors:
        message = one_line(problem.message, limit=_CAUSE) if outcome.number else problem.message
        console.note(f"  undo    {message}")
        if problem.__cause__ is not None and (place := _line_of(problem.__cause__)):
            console.note(f"  at      {place}")
    # What goes on can be kept no more than it was.
    kept_next = aim is None and not asked and plan.positions.get(error.step) != 0
    show_ways(session, outcome, failed=not asked, keeps=kept_next)
    _debug(session, error)
    for problem in error.rollback_errors:
        _debug(session, problem)
    return code


def show_ways(session: Session, outcome: Outcome, *, failed: bool, keeps: bool = False) -> None:
    """Show where more is known about a durable run, and what can be done about it.

    Args:
        session: The call.
        outcome: How the run ended.
        failed: Whether a step failed, so that there is a traceback.
        keeps: Whether a run like it could keep what it has done.
    """
    if outcome.number is None:
        return
    note = session.console.note
    traceback_too = " --traceback" if failed else ""
    note(f"  full    {command_line(f'show {outcome.number}{traceback_too}')}")
    for purpose, command in outcome.ways:
        note(f"  {purpose:7} {command}")
    if keeps and outcome.value == "rolled_back":
        note("  next    to keep what is done and resume, run it with  --on-failure keep")


def show_unwritten(session: Session, error: JournalError, outcome: Outcome) -> int:
    """Tell about a run that its journal did not take any more, and return the exit code."""
    more = [f"{purpose} it:  {command}" for purpose, command in outcome.ways]
    if isinstance(error, LeaseLostError):
        more = [f"what became of it:  {command_line(f'show {outcome.number}')}"]
    error.ways_out = (*error.ways_out, *more)
    return report(session, error)


def _tell_cause(session: Session, plan: Plan, error: StepFailedError, *, recorded: bool) -> None:
    """Tell why a step failed; what is recorded can be long, since all of it can be read there."""

    def cut(text: str) -> str:
        return one_line(text, limit=_CAUSE) if recorded else text

    console = session.console
    ending = _ENDINGS.get(error.outcome, error.outcome)
    origin = f" ({error.origin})" if error.origin is not None and error.origin.pack else ""
    console.note(
        f"{console.style('error:', 'red', 'bold', err=True)} {plan.action} failed at "
        f"{error.step}{origin}, {ending}"
    )
    cause = error.__cause__
    if cause is None:
        told = "it was interrupted" if error.error == "KeyboardInterrupt" else cut(error.error)
        console.note(f"  cause   {told}")
    elif isinstance(cause, HandrailError):
        for number, line in enumerate(lines_of(session, cause)):
            console.note(f"  cause   {cause.message}" if number == 0 else f"  {line}")
    else:
        console.note(f"  cause   {cut(f'{type(cause).__name__}: {describe(cause)}')}")
        console.note(f"  at      {_line_of(cause)}")


def show_interrupt(
    session: Session,
    plan: Plan,
    error: KeyboardInterrupt,
    outcome: Outcome,
    *,
    as_json: bool,
    asked: bool = False,
) -> int:
    """Tell about a run that was interrupted, and return the exit code.

    Args:
        session: The call.
        plan: The plan of the run.
        error: What interrupted it.
        outcome: What it told of itself.
        as_json: Whether to tell it as JSON.
        asked: Whether it was asked to undo.
    """
    notes: list[str] = getattr(error, "__notes__", [])
    ending = {
        "completed": "after all its steps were done; nothing was undone",
        "rolled_back": "and rolled back",
        "rollback_incomplete": "and rolled back, but not completely",
        "failed": "what was done is kept",
    }.get(outcome.value or "", "" if notes else "before anything was undone")
    what = f"the rollback of {plan.action}" if asked else plan.action
    told = "; ".join([f"{what} was interrupted{f', {ending}' * bool(ending)}", *notes])
    failure = error.__cause__
    if as_json:
        _json_ending(session, "interrupted", told, ExitCode.INTERRUPTED, failure)
        return ExitCode.INTERRUPTED
    if isinstance(failure, StepFailedError) and not asked:
        _tell_cause(session, plan, failure, recorded=outcome.number is not None)
    session.console.note(told)
    show_ways(session, outcome, failed=False)
    _debug(session, error)
    return ExitCode.INTERRUPTED


def show_exit(
    session: Session, plan: Plan, error: SystemExit, outcome: Outcome, *, as_json: bool
) -> int:
    """Tell about a run in which a step called `sys.exit`, and return the exit code.

    Whatever a step asks for there, the run did not complete: 0 would say that it did.
    """
    code = {"rolled_back": ExitCode.FAILED, "failed": ExitCode.KEPT}.get(
        outcome.value or "", ExitCode.ROLLBACK
    )
    ending = _ENDINGS["rollback_incomplete" if code is ExitCode.ROLLBACK else outcome.value or ""]
    told = f"{plan.action} failed: a step called {describe(error)}, {ending}"
    if as_json:
        _json_ending(session, "step-failed", told, code, error.__cause__)
        return code
    session.console.note(f"{session.console.style('error:', 'red', 'bold', err=True)} {told}")
    session.console.note(f"  at      {_line_of(error)}")
    show_ways(session, outcome, failed=True)
    _debug(session, error)
    return code


def show_simple(session: Session, name: str, error: Exception | SystemExit) -> int:
    """Tell about an action without steps that raised, and return the exit code."""
    kind = "" if isinstance(error, SystemExit) else f"{type(error).__name__}: "
    cause = f"{kind}{describe(error)}"
    if session.json:
        _json_ending(session, "action-failed", f"{name} failed: {cause}", ExitCode.FAILED, None)
        return ExitCode.FAILED
    label = session.console.style("error:", "red", "bold", err=True)
    session.console.note(f"{label} {name} failed; it has no steps, so nothing was undone")
    session.console.note(f"  cause   {cause}")
    session.console.note(f"  at      {_line_of(error)}")
    _debug(session, error)
    return ExitCode.FAILED


def _json_ending(
    session: Session, kind: str, told: str, code: ExitCode, cause: BaseException | None
) -> None:
    document: dict[str, object] = {
        "code": kind,
        "message": told,
        "exit_code": int(code),
        "origin": None,
        "ways_out": [],
    }
    if isinstance(cause, HandrailError):
        document["cause"] = cause.to_dict()
    json_error(session, document)


def _line_of(error: BaseException) -> str:
    trace = error.__traceback__
    place = ""
    while trace is not None:
        code = trace.tb_frame.f_code
        name = str(trace.tb_frame.f_globals.get("__name__", ""))
        if not name.startswith("handrail.") or not place:
            file = code.co_filename.replace("\\", "/").rpartition("/")[2]
            place = f"{file}:{trace.tb_lineno} in {code.co_name}"
        trace = trace.tb_next
    return place


def _debug(session: Session, error: BaseException) -> None:
    if session.debug:
        session.console.note("".join(traceback.format_exception(error)).rstrip())
