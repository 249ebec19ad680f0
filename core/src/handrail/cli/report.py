"""How errors look: one message, where it comes from, the ways out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from handrail.cli.view.text import one_line
from handrail.errors import (
    ExitCode,
    HandrailError,
    PackError,
    ParamsError,
    PlanError,
    Problem,
    SettingsError,
    describe,
)

if TYPE_CHECKING:
    from handrail.cli.session import Session


def report(session: Session, error: BaseException) -> ExitCode:
    """Show `error` and return the exit code that it calls for."""
    code = error.exit_code if isinstance(error, HandrailError) else ExitCode.FAILED
    if session.debug:
        import traceback  # noqa: PLC0415 - only where it is shown

        session.console.note("".join(traceback.format_exception(error)).rstrip())
    if session.json:
        document: dict[str, object] = (
            error.to_dict()
            if isinstance(error, HandrailError)
            else {
                "code": "unexpected",
                "message": f"{type(error).__name__}: {describe(error)}",
                "exit_code": int(code),
                "origin": None,
                "ways_out": [],
            }
        )
        json_error(session, document)
        return code
    if isinstance(error, HandrailError):
        for line in lines_of(session, error):
            session.console.note(line)
    else:
        session.console.note(_headline(session, f"{type(error).__name__}: {describe(error)}"))
        session.console.note("  this is not one of Handrail's own errors; --debug shows where")
    return code


def json_error(session: Session, document: Mapping[str, object]) -> None:
    """Write an error as JSON: as the last event of a run, or as the one object of a command."""
    kind = {"event": "Error"} if session.events else {}
    session.console.json_line({**kind, "error": document})


def lines_of(session: Session, error: HandrailError) -> list[str]:
    """Return the lines that tell a person about `error`."""
    lines = [_headline(session, error.message)]
    cause = error.__cause__
    # Params errors say everything themselves; pydantic's text would repeat it, values included.
    told = isinstance(error, ParamsError) or cause is None or _is_told(cause, error.message)
    if cause is not None and not told:
        # Some libraries put a dump of their state behind what they say; --debug shows it.
        said = describe(cause).partition("\n\n")[0]
        lines.append(f"  cause   {type(cause).__name__}: {one_line(said, limit=300)}")
    if error.origin is not None and error.origin.place:
        owner = f" ({error.origin})" if error.origin.pack else ""
        lines.append(f"  at      {error.origin.place}{owner}")
    problems = error.problems if isinstance(error, PlanError | PackError | SettingsError) else ()
    if len(problems) == 1 and problems[0].message in error.message:
        lines += [f"  {line}" for line in (*problems[0].details, *problems[0].ways_out)]
    else:
        for number, problem in enumerate(problems, 1):
            lines += problem_lines(session, problem, number)
    # Problems repeat each other's ways out: each of them has to be complete.
    ways = dict.fromkeys(f"  {way}" for way in error.ways_out)
    return [*lines, *(way for way in ways if way not in lines)]


def _is_told(cause: BaseException, message: str) -> bool:
    """Whether the message has the words of its cause already, however they are spaced."""
    words = [describe(cause)]
    if isinstance(cause, OSError) and cause.strerror:
        words.append(cause.strerror)
    spaced = " ".join(message.split())
    return any(" ".join(each.split()) in spaced for each in words)


def problem_lines(session: Session, problem: Problem, number: int | None = None) -> list[str]:
    """Return the lines that tell a person about one problem."""
    label = problem.code.replace("-", " ")
    head = session.console.style(label, "bold", err=True)
    mark = f"{number} " if number is not None else ""
    return [
        f"{mark}{head}  {problem.message}",
        *(f"    {line}" for line in problem.details),
        *(f"    {line}" for line in problem.ways_out),
    ]


def _headline(session: Session, message: str) -> str:
    return f"{session.console.style('error:', 'red', 'bold', err=True)} {message}"
