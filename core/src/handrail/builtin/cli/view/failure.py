"""Failures in output: the failed step, the cause, the place, and the ways out; as text and JSON."""

from __future__ import annotations

import os
import shlex
import traceback
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from handrail.builtin.cli.view.text import command_line, folded, lines_of, one_line
from handrail.builtin.records.step_state import is_failure
from handrail.errors import (
    ExitCode,
    HandrailError,
    PackError,
    ParamsError,
    PlanError,
    Problem,
    RefusedError,
    SettingsError,
    StepFailedError,
    StepTimeoutError,
    describe,
)
from handrail.frozen import frozen, replace
from handrail.journal import ASKED

if TYPE_CHECKING:
    import click

    from handrail import Origin, Plan
    from handrail.builtin.cli.execution import Execution
    from handrail.builtin.cli.session import Session
    from handrail.builtin.cli.view.progress import Outcome
    from handrail.builtin.records.run_record import RecordedStep, RunRecord

_LONGEST = 400  # Letters of a cause that the record of the run has in full.
_INSTALLED = frozenset({"site-packages", "dist-packages"})  # Folders of installed distributions.
_MOST = 5  # Recorded failures that are shown.
_ENDINGS = {
    "rolled_back": "rolled back",
    "rollback_incomplete": "rolled back, but not completely",
    "completed": "completed, but a step that always runs failed",
    "failed": "what was done is kept",
    "interrupted": "its undo was stopped",
}
_WORDS = {
    "failed": "failed",
    "stopped": "interrupted",
    "undo": "undo failed",
    "look": "may have left something",
}
_INTERRUPTED = {
    "completed": "after all its steps were done; nothing was undone",
    "rolled_back": "and rolled back",
    "rollback_incomplete": "and rolled back, but not completely",
    "failed": "what was done is kept",
}


@frozen
class Failure:
    """A failure with two views.

    Attributes:
        exit_code: The exit code of the command.
        lines: The view for people.
        document: The view for programs.
        errors: The errors whose tracebacks are shown with `--debug`.
    """

    exit_code: ExitCode
    lines: Sequence[str]
    document: Mapping[str, object]
    errors: Sequence[BaseException] = ()


def show(session: Session, failure: Failure) -> ExitCode:
    """Show a failure, and return its exit code.

    As JSON it is the last event of a run, or the one object of another command.
    """
    if session.json:
        kind = {"event": "Error"} if session.events else {}
        session.console.json_line({**kind, "error": failure.document})
        return failure.exit_code
    if session.console.structured:
        session.console.json_note({"event": "Error", "error": failure.document})
    else:
        for line in failure.lines:
            _note(session, line)
    for error in failure.errors:
        _debug(session, error)
    return failure.exit_code


def _note(session: Session, text: str) -> None:
    """Write a text to standard error; a message of several lines is indented from the second on."""
    first, *others = lines_of(text, "")
    for line in (first, *(f"          {line}".rstrip() for line in others)):
        for piece in folded(line, session.console.err):
            session.console.note(piece)


def report(session: Session, error: BaseException) -> ExitCode:
    """Show an error that stopped a command, and return the exit code."""
    _debug(session, error)
    if isinstance(error, HandrailError):
        _keep_open_ways(session, error)
        lines = _lines_of(session, error)
        return show(
            session, Failure(exit_code=error.exit_code, lines=lines, document=error.to_dict())
        )
    message = _described(error)
    hint = "  this is not one of Handrail's own errors; --debug shows where"
    lines = [_headline(session, message), hint]
    return show(session, _failure("unexpected", message, ExitCode.FAILED, lines))


def report_usage(session: Session, error: click.ClickException) -> ExitCode:
    """Show a mistake on the command line, and return the exit code."""
    message = error.format_message()
    lines = [_headline(session, message)]
    context: click.Context | None = getattr(error, "ctx", None)
    if context is not None:
        help_line = f"  {context.command_path} --help shows what it takes"
        lines = [*context.get_usage().split("\n"), *lines, help_line]
    return show(session, _failure("usage", message, ExitCode.USAGE, lines))


def report_interrupt(session: Session) -> ExitCode:
    """Show that a command was interrupted outside a run, and return the exit code."""
    lines = ["interrupted"]
    return show(session, _failure("interrupted", "interrupted", ExitCode.INTERRUPTED, lines))


def failure_of(
    session: Session,
    execution: Execution,
    outcome: Outcome,
    error: StepFailedError | KeyboardInterrupt | SystemExit,
) -> Failure:
    """Return the failure of a run that an error has ended, with its outcome."""
    if isinstance(error, KeyboardInterrupt):
        return _interrupted(session, execution, outcome, error)
    if isinstance(error, SystemExit):
        return _exited(session, execution.plan, outcome, error)
    if execution.dry is not None:
        return _would_fail(session, execution, outcome, error)
    return _step_failed(session, execution, outcome, error)


def _step_failed(
    session: Session, execution: Execution, outcome: Outcome, error: StepFailedError
) -> Failure:
    # Not a failure: the undo was requested.
    asked = error.error == ASKED
    told = _asked if asked else _cause_lines
    lines = told(session, execution, outcome, error)
    for problem in error.rollback_errors:
        message = one_line(problem.message, limit=_LONGEST) if outcome.number else problem.message
        lines.append(f"  undo    {message}")
        cause = problem.__cause__
        at = None if isinstance(cause, HandrailError | None) else _place_of(cause, problem.origin)
        lines += [f"  at      {at}"] * bool(at)
    waiting = list(error.held_back.items())[:_MOST]
    lines += [f"  waits   {step} is undone after {other}" for step, other in waiting]
    if outcome.not_undone and not outcome.exception:
        lines.append(f"  not undone: {', '.join(outcome.not_undone)} (no way back)")
    lines += _ways(outcome, failed=not asked)
    lines += _left(outcome, error)
    # A run that is resumed can be kept no more than it was, and one that was refused would meet
    # the same again.
    refused = isinstance(error.__cause__, RefusedError)
    undone = outcome.number is not None and outcome.value == "rolled_back"
    keepable = execution.aim is None and execution.plan.positions.get(error.step) != 0
    if undone and keepable and not asked and not refused:
        lines.append("  next    to keep what is done and resume, run it with  --on-failure keep")
    code = ExitCode.ROLLBACK if execution.strict and outcome.not_undone else _exit_code(error)
    number = {} if outcome.number is None else {"number": outcome.number}
    kept = {"not_undone": list(outcome.not_undone)}
    return Failure(
        exit_code=code,
        lines=lines,
        document={**error.to_dict(), **number, **kept, "exit_code": int(code)},
        errors=(error, *error.rollback_errors),
    )


def _would_fail(
    session: Session, execution: Execution, outcome: Outcome, error: StepFailedError
) -> Failure:
    """Return the failure of a dry run, with the exit code that the run would have."""
    lines = _cause_lines(session, execution, outcome, error)
    keeps = execution.keeps and execution.plan.positions.get(error.step)
    code = ExitCode.KEPT if keeps else _exit_code(error)
    document = {**error.to_dict(), "exit_code": int(code)}
    return Failure(exit_code=code, lines=lines, document=document, errors=(error,))


def _exit_code(error: StepFailedError) -> ExitCode:
    """Return the exit code for a run in which a step failed: first for what was left behind."""
    causes = [problem.__cause__ for problem in error.rollback_errors]
    if len(causes) == 1 and isinstance(causes[0], RefusedError):
        return causes[0].exit_code
    if causes:
        return ExitCode.ROLLBACK
    # All steps of a completed run were done before one that always runs failed.
    return ExitCode.KEPT if error.outcome in ("failed", "completed") else error.exit_code


def _interrupted(
    session: Session, execution: Execution, outcome: Outcome, error: KeyboardInterrupt
) -> Failure:
    notes: list[str] = getattr(error, "__notes__", [])
    ending = _INTERRUPTED.get(outcome.value or "", "" if notes else "before anything was undone")
    ending += outcome.exception
    undoes = execution.aim == "rollback"
    run = f"the rollback of {execution.plan.action}" if undoes else execution.plan.action
    message = "; ".join([f"{run} was interrupted{f', {ending}' * bool(ending)}", *notes])
    cause = error.__cause__
    lines: list[str] = []
    if isinstance(cause, StepFailedError) and not undoes:
        lines += _cause_lines(session, execution, outcome, cause)
    lines += [message, *_ways(outcome, failed=False)]
    return _failure("interrupted", message, ExitCode.INTERRUPTED, lines, error, cause)


def _exited(session: Session, plan: Plan, outcome: Outcome, error: SystemExit) -> Failure:
    """Return the failure of a run in which a step called `sys.exit`.

    The run did not complete, so the exit code is never that of `sys.exit`.
    """
    codes = {"rolled_back": ExitCode.FAILED, "failed": ExitCode.KEPT, "completed": ExitCode.KEPT}
    code = codes.get(outcome.value or "", ExitCode.ROLLBACK)
    ending = _ENDINGS["rollback_incomplete" if code is ExitCode.ROLLBACK else outcome.value or ""]
    ending += outcome.exception
    message = f"{plan.action} failed: a step called {describe(error)}, {ending}"
    lines = [_headline(session, message), f"  at      {_place_of(error)}"]
    lines += _ways(outcome, failed=True)
    return _failure("step-failed", message, code, lines, error, error.__cause__)


def failed_action(session: Session, name: str, error: Exception | SystemExit) -> Failure:
    """Return the failure of an action without steps that raised."""
    cause = describe(error) if isinstance(error, SystemExit) else _described(error)
    lines = [
        _headline(session, f"{name} failed; it has no steps, so nothing was undone"),
        f"  cause   {cause}",
        f"  at      {_place_of(error)}",
    ]
    return _failure("action-failed", f"{name} failed: {cause}", ExitCode.FAILED, lines, error)


def recorded_failures(record: RunRecord, *, everything: bool) -> list[str]:
    """Return the lines about the failures of a recorded run, shortened unless `everything`."""
    failures = list(_failures(record))
    lines = whole = [f"  {word:7} {step}: {error}" for word, step, error, _ in failures]
    if not everything:
        short = ((word, step, one_line(error, limit=_LONGEST)) for word, step, error, _ in failures)
        lines = [f"  {word:7} {step}: {error}" for word, step, error in islice(short, _MOST)]
        if len(whole) > _MOST:
            lines.append(f"  and {len(whole) - _MOST} more that failed")
        if any(trace for *_, trace in failures) or whole != lines:
            lines.append(f"  full    {command_line(f'show {record.row.number} --traceback')}")
    return [*lines, *(line for step in record.steps for line in _failed_items(step))]


def _failures(record: RunRecord) -> Iterator[tuple[str, str, str, str | None]]:
    """Yield what went wrong: a word, the step, its error, and the traceback; the cause first."""
    for step in sorted(record.steps, key=lambda step: step.name != record.cause):
        if step.error:
            yield (
                "failed" if is_failure(step.error) else "stopped",
                step.name,
                step.error,
                step.traceback,
            )
    for step in record.steps:
        if step.undo_error:
            word = "undo" if step.state == "undo failed" else "look"
            yield word, step.name, step.undo_error, step.undo_traceback


def _failed_items(step: RecordedStep) -> Iterator[str]:
    """Yield the lines about the items of a step that failed, the first few."""
    if step.items is None or step.error:
        return
    shown = step.items.failures[:_MOST]
    for each in shown:
        yield f"  item    {each.item} of {step.name}: {one_line(each.error, limit=_LONGEST)}"
    if step.items.failed > len(shown):
        yield f"  and {step.items.failed - len(shown):,} more items that failed"


def recorded_tracebacks(record: RunRecord) -> Iterator[str]:
    """Yield the lines with the tracebacks of a recorded run."""
    number = record.row.number
    failures = list(_failures(record))
    if not failures:
        yield f"nothing failed in run {number}"
    for word, step, error, trace in failures:
        yield f"run {number} · {step} · {_WORDS[word]}: {one_line(error, limit=200)}"
        if trace:
            yield from lines_of(trace.rstrip())
        elif word in ("failed", "undo"):
            yield "no traceback was kept"


def problem_lines(session: Session, problem: Problem, number: int | None = None) -> list[str]:
    """Return the lines about one problem; numbered if there are several."""
    head = session.console.style(problem.code.replace("-", " "), "bold", err=True)
    mark = f"{number} " if number is not None else ""
    below = (*problem.details, *_open_ways(session, problem.ways_out))
    return [f"{mark}{head}  {problem.message}", *(f"    {line}" for line in below)]


def _keep_open_ways(session: Session, error: HandrailError) -> None:
    """Take the ways out of an error, and of its problems, that are not open here."""
    error.ways_out = tuple(_open_ways(session, error.ways_out))
    error.problems = tuple(
        replace(each, ways_out=tuple(_open_ways(session, each.ways_out))) for each in error.problems
    )


def _open_ways(session: Session, ways: Sequence[str]) -> list[str]:
    """Return the ways out that are open: a required pack cannot be left out or uninstalled."""
    if not any("-pack " in way or "[packs]" in way for way in ways):
        return list(ways)
    kept, reasons = list(ways), dict[str, None]()
    for each in session.settings.required.packs:
        closed = (f"--no-pack {each.id}", f'disable = ["{each.id}"]', f"pip uninstall {each.id}")
        for way in [way for way in kept if way.endswith(closed)]:
            kept.remove(way)
            reasons[f"{each.id} cannot be left out: it is required by {each.source}"] = None
    return [*kept, *reasons]


def _failure(
    code: str,
    message: str,
    exit_code: ExitCode,
    lines: Sequence[str],
    error: BaseException | None = None,
    cause: BaseException | None = None,
) -> Failure:
    """Return a failure that is not a Handrail error, with the cause that `error` has."""
    document: dict[str, object] = {
        "code": code,
        "message": message,
        "exit_code": int(exit_code),
        "origin": None,
        "ways_out": [],
    }
    if isinstance(cause, HandrailError):
        document["cause"] = cause.to_dict()
    errors = () if error is None else (error,)
    return Failure(exit_code=exit_code, lines=lines, document=document, errors=errors)


def _lines_of(session: Session, error: HandrailError) -> list[str]:
    lines = [_headline(session, error.message)]
    if isinstance(error, ParamsError):
        head = _headline(session, error.message.partition("\n")[0])
        fields = (f"  {path}: {text}" if path else f"  {text}" for path, text in error.fields)
        lines = [head, *fields]
    cause = error.__cause__
    if hasattr(cause, "frames"):  # The traceback in the process of an isolated step.
        lines.append(f"  at      {_place_of(error)}")
    # The message of a ParamsError is complete; pydantic's would repeat it, with the values.
    elif cause is not None and not isinstance(error, ParamsError):
        # Some libraries append a dump of their state to the message; --debug shows it.
        text = describe(cause).partition("\n\n")[0]
        if not _is_within(cause, error.message):
            lines.append(f"  cause   {type(cause).__name__}: {one_line(text, limit=300)}")
    if error.origin is not None and error.origin.place:
        owner = f" ({error.origin})" if error.origin.pack else ""
        lines.append(f"  at      {error.origin.place}{owner}")
    problems = error.problems if isinstance(error, PlanError | PackError | SettingsError) else ()
    if len(problems) == 1 and problems[0].message in error.message:
        lines += [f"  {line}" for line in (*problems[0].details, *problems[0].ways_out)]
    else:
        for number, problem in enumerate(problems, 1):
            lines += problem_lines(session, problem, number)
    # Problems may repeat each other's ways out: each has to be complete.
    ways = dict.fromkeys(f"  {way}" for way in error.ways_out)
    return [*lines, *(way for way in ways if way not in lines)]


def _is_within(cause: BaseException, message: str) -> bool:
    """Return whether a message quotes its cause already, however it is spaced."""
    texts = [describe(cause)]
    if isinstance(cause, OSError) and cause.strerror:
        texts.append(cause.strerror)
    spaced = " ".join(message.split())
    return any(" ".join(text.split()) in spaced for text in texts)


def _cause_lines(
    session: Session, execution: Execution, outcome: Outcome, error: StepFailedError
) -> list[str]:
    """Return the lines about the cause of a failed step; cut if the journal has the full text."""

    def cut(text: str) -> str:
        return text if outcome.number is None else one_line(text, limit=_LONGEST)

    plan, dry = execution.plan, execution.dry is not None
    ending = "nothing was done" if dry else _ending(outcome, error)
    origin = f" ({error.origin})" if error.origin is not None and error.origin.pack else ""
    cause = error.__cause__
    if isinstance(cause, RefusedError):
        stops = "would stop" if dry else "stopped"
        stopped = f"  run     {plan.action} {stops} at {error.step}{origin}, {ending}"
        return [*_lines_of(session, cause), stopped]
    failed = "would fail" if dry else "failed"
    head = _headline(session, f"{plan.action} {failed} at {error.step}{origin}, {ending}")
    if cause is None:
        interrupted = error.error == "KeyboardInterrupt"
        return [head, f"  cause   {'it was interrupted' if interrupted else cut(error.error)}"]
    caught = cause.__cause__ if isinstance(cause, StepTimeoutError) else None
    if caught is not None and not hasattr(caught, "frames"):
        at = f"  at      {_place_of(caught, error.origin)}"  # Where it was interrupted.
        return [head, f"  cause   {cut(error.error)}", at]
    if isinstance(cause, HandrailError):
        below = (f"  {line}" for line in _lines_of(session, cause)[1:])
        return [head, f"  cause   {cause.message}", *below]
    return [
        head,
        f"  cause   {cut(_described(cause))}",
        f"  at      {_place_of(cause, error.origin)}",
    ]


def _asked(
    session: Session, execution: Execution, outcome: Outcome, error: StepFailedError
) -> list[str]:
    number = "" if outcome.number is None else f"run {outcome.number} · "
    before = " before; it was not resumed" if execution.aim == "resume" else ""
    was = f"{execution.plan.action} was {_ending(outcome, error)}, as was asked{before}"
    return [_headline(session, f"{number}{was}")]


def _ending(outcome: Outcome, error: StepFailedError) -> str:
    return _ENDINGS.get(error.outcome, error.outcome) + outcome.exception


def _ways(outcome: Outcome, *, failed: bool) -> Iterator[str]:
    """Yield the commands that show more of a durable run or recover it."""
    if outcome.number is None:
        return
    traceback = " --traceback" if failed else ""
    yield f"  full    {command_line(f'show {outcome.number}{traceback}')}"
    for purpose, command in outcome.ways:
        yield f"  {purpose:7} {command}"


def _left(outcome: Outcome, error: StepFailedError) -> Iterator[str]:
    """Yield what to do about the steps that could not be undone."""
    if outcome.number is None or outcome.value != "rollback_incomplete":
        return
    for step in [problem.step for problem in error.rollback_errors][:_MOST]:
        word = shlex.quote(step)
        yield f"  left    what {step} did: {command_line(f'show {outcome.number} --step {word}')}"
        by_hand = command_line(f"rollback {outcome.number} --by-hand {word} --reason TEXT")
        yield f"  record  {by_hand}    once you have undone it"


def _headline(session: Session, message: str) -> str:
    return f"{session.console.style('error:', 'red', 'bold', err=True)} {message}"


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {describe(error)}"


def _place_of(error: BaseException, origin: Origin | None = None) -> str:
    """Return the line that an error went through last in the code of the step, or in local code.

    What it went through further down, in the standard library or in a dependency, helps nobody who
    has to mend the step. If it went through neither, that is the innermost line outside Handrail.

    Args:
        error: The error.
        origin: Where the step came from.
    """
    home = "" if origin is None else origin.module.partition(".")[0]
    outside = found = place = ""
    for module, path, line, function in _frames_of(error):
        file = path.replace("\\", "/")
        place = f"{file.rpartition('/')[2]}:{line} in {function}"
        if not module.startswith("handrail."):
            outside = place
            if (home and module.partition(".")[0] == home) or _is_local(file):
                found = place
    return found or outside or place


def _frames_of(error: BaseException) -> Iterator[tuple[str, str, int, str]]:
    """Yield the module, file, line and function of each frame that an error went through."""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        module = str(frame.f_globals.get("__name__", ""))
        yield module, frame.f_code.co_filename, trace.tb_lineno, frame.f_code.co_name
        trace = trace.tb_next
    # Those in the process of an isolated step.
    yield from getattr(error.__cause__, "frames", ())


def _is_local(file: str) -> bool:
    """Return whether a file is neither of Python nor of an installed distribution."""
    if file.startswith("<") or not _INSTALLED.isdisjoint(file.split("/")):
        return False
    library = os.path.dirname(os.__file__).replace("\\", "/")
    return not file.startswith(f"{library}/")


def _debug(session: Session, error: BaseException) -> None:
    if session.debug:
        text = "".join(traceback.format_exception(error))
        for line in lines_of(text.rstrip()):
            session.console.note(line)
