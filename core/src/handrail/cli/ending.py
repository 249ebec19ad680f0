"""How a run that did not complete is told: what failed, why, where, and what was undone."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from handrail.cli.report import lines_of
from handrail.errors import ExitCode, HandrailError, StepFailedError, describe

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.plan.plan import Plan


def show_failure(session: Session, plan: Plan, error: StepFailedError, *, as_json: bool) -> int:
    """Tell about a run in which a step failed, and return the exit code."""
    console = session.console
    incomplete = bool(error.rollback_errors) or error.outcome == "completed"
    code = ExitCode.ROLLBACK if incomplete else ExitCode.FAILED
    if as_json:
        console.json_line({"event": "Error", "error": {**error.to_dict(), "exit_code": int(code)}})
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


def show_interrupt(session: Session, plan: Plan, error: KeyboardInterrupt, *, as_json: bool) -> int:
    """Tell about a run that was interrupted, and return the exit code."""
    notes: list[str] = getattr(error, "__notes__", [])
    if as_json:
        document = {"code": "interrupted", "message": "; ".join(notes) or "interrupted"}
        session.console.json_line({"event": "Error", "error": {**document, "exit_code": 130}})
        return ExitCode.INTERRUPTED
    ending = "; ".join(notes) or "rolled back"
    session.console.note(f"{plan.action} was interrupted, {ending}")
    _debug(session, error)
    return ExitCode.INTERRUPTED


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
