"""How a run that did not complete is told: what failed, why, where, and what was undone."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from handrail.cli.report import json_error, lines_of
from handrail.errors import ExitCode, HandrailError, StepFailedError, describe
from handrail.events import Event, RunFinished

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.plan.plan import Plan


def show_failure(session: Session, plan: Plan, error: StepFailedError, *, as_json: bool) -> int:
    """Tell about a run in which a step failed, and return the exit code."""
    console = session.console
    incomplete = bool(error.rollback_errors) or error.outcome == "completed"
    code = ExitCode.ROLLBACK if incomplete else ExitCode.FAILED
    if as_json:
        json_error(session, {**error.to_dict(), "exit_code": int(code)})
        return code
    ending = {
        "rolled_back": "rolled back",
        "rollback_incomplete": "rolled back, but not completely",
        "completed": "completed, but a step that always runs failed",
    }.get(error.outcome, error.outcome)
    origin = f" ({error.origin})" if error.origin is not None and error.origin.pack else ""
    console.note(
        f"{console.style('error:', 'red', 'bold', err=True)} {plan.action} failed at "
        f"{error.step}{origin}, {ending}"
    )
    cause = error.__cause__
    if cause is None:
        console.note(f"  cause   {error.error}")
    elif isinstance(cause, HandrailError):
        for number, line in enumerate(lines_of(session, cause)):
            console.note(f"  cause   {cause.message}" if number == 0 else f"  {line}")
    else:
        console.note(f"  cause   {type(cause).__name__}: {describe(cause)}")
        console.note(f"  at      {_line_of(cause)}")
    for problem in error.rollback_errors:
        console.note(f"  undo    {problem.message}")
    _debug(session, error)
    return code


class Outcome:
    """Remembers how a run ended, for an error that does not tell.

    Attributes:
        value: The outcome, or None while the run goes on.
    """

    def __init__(self) -> None:
        self.value: str | None = None

    def __call__(self, event: Event) -> None:
        """Take one event of the run."""
        if isinstance(event, RunFinished):
            self.value = event.outcome


def show_interrupt(
    session: Session,
    plan: Plan,
    error: KeyboardInterrupt,
    outcome: str | None,
    *,
    as_json: bool,
) -> int:
    """Tell about a run that was interrupted, and return the exit code."""
    notes: list[str] = getattr(error, "__notes__", [])
    ending = {
        "completed": "after all its steps were done; nothing was undone",
        "rolled_back": "and rolled back",
        "rollback_incomplete": "and rolled back, but not completely",
    }.get(outcome or "", "before anything was undone")
    told = "; ".join([f"{plan.action} was interrupted, {ending}", *notes])
    failure = error.__cause__
    if as_json:
        _json_ending(session, "interrupted", told, ExitCode.INTERRUPTED, failure)
        return ExitCode.INTERRUPTED
    if isinstance(failure, StepFailedError):
        show_failure(session, plan, failure, as_json=False)
    session.console.note(told)
    _debug(session, error)
    return ExitCode.INTERRUPTED


def show_exit(
    session: Session, plan: Plan, error: SystemExit, outcome: str | None, *, as_json: bool
) -> int:
    """Tell about a run in which a step called `sys.exit`, and return the exit code.

    Whatever a step asks for there, the run did not complete: 0 would say that it did.
    """
    code = ExitCode.FAILED if outcome == "rolled_back" else ExitCode.ROLLBACK
    ending = "rolled back" if code is ExitCode.FAILED else "rolled back, but not completely"
    told = f"{plan.action} failed: a step called {describe(error)}, {ending}"
    if as_json:
        _json_ending(session, "step-failed", told, code, error.__cause__)
        return code
    session.console.note(f"{session.console.style('error:', 'red', 'bold', err=True)} {told}")
    session.console.note(f"  at      {_line_of(error)}")
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
