"""Executes a run and shows it: its progress, its outcome, and the commands that can follow."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, cast

from handrail.amounts import plural, seconds
from handrail.builtin.cli.signals import like_interrupts
from handrail.builtin.cli.starting import collect_again
from handrail.builtin.cli.view.console import moves
from handrail.builtin.cli.view.failure import failure_of, report, show
from handrail.builtin.cli.view.progress import JsonView, LogView, Outcome, RunView, StepView, brief
from handrail.builtin.cli.view.table import Listing
from handrail.builtin.cli.view.text import (
    columns,
    command_line,
    one_line,
    steps_of,
    terminal_width,
)
from handrail.errors import (
    ExecutorLostError,
    ExitCode,
    HandrailError,
    JournalError,
    LeaseLostError,
    StepFailedError,
    add_ways_out,
)
from handrail.frozen import frozen

if TYPE_CHECKING:
    from handrail import Plan
    from handrail.builtin.cli.dry_run import DryRunListing
    from handrail.builtin.cli.session import Session
    from handrail.derived import Observer
    from handrail.journal import Journal
    from handrail.recovery import Aim

_TOLD = ("success", "steps_executed", "steps_total", "completed_with", "next")


@frozen
class Execution:
    """A run that is ready to be carried out.

    Attributes:
        plan: Its plan.
        head: Its first line.
        run: Carries it out with these observers, and returns the result of the action.
        journal: Its journal, if it has one.
        quiet: Whether only the result and errors are shown.
        keeps: Whether finished steps are kept after a failure.
        dry: The list of a dry run; None if it is none.
        aim: Whether to finish or undo a recorded run; None for a new one.
        undoes: Whether it undoes from the start.
        strict: Whether a step that is not undone, because it has no undo, counts as one whose undo
            failed.
    """

    plan: Plan
    head: str
    run: Callable[[Sequence[Observer]], Mapping[str, Any]]
    journal: Journal | None = None
    quiet: bool = False
    keeps: bool = False
    dry: DryRunListing | None = None
    aim: Aim | None = None
    undoes: bool = False
    strict: bool = False


def head_of(plan: Plan, journal: Journal | None, *, dry: bool = False) -> str:
    """Return the line that a run begins with."""
    lock = {True: " (locked)", False: " · not locked (--no-lock)", None: ""}[plan.locked]
    facts = f"plan {plan.fingerprint[:8]}{lock}"
    if journal is not None:
        steps = f"{steps_of(plan)} · " if plan.size != len(plan.steps) else ""
        return f"{plan.action} · {steps}{facts} · journal {journal.shown}"
    mode = " · dry run, nothing is changed" if dry else ""
    return f"{plan.action} · {steps_of(plan)} · {facts}{mode}"


def carry_out(session: Session, execution: Execution) -> int:
    """Execute a run, show its progress and outcome, and return the exit code."""
    outcome = Outcome()
    began = time.monotonic()
    session.works = execution.dry is None
    collect_again()
    try:
        with like_interrupts(), ExitStack() as stack:
            views = [stack.enter_context(closing(view)) for view in _views(session, execution)]
            listing = () if execution.dry is None else (execution.dry,)
            result = execution.run((outcome, *listing, *views))
    except (JournalError, ExecutorLostError) as error:
        if outcome.number is None:
            raise
        add_ways_out(error, *_ways_after(error, outcome))
        return report(session, error)
    except (StepFailedError, KeyboardInterrupt, SystemExit) as error:
        failure = failure_of(session, execution, outcome, error)
        if execution.dry is not None and isinstance(error, StepFailedError) and not session.json:
            for line in execution.dry.lines():
                session.console.print(line)
        return show(session, failure)
    took = seconds(time.monotonic() - began)
    _find_seal(execution, outcome)
    number = {} if outcome.number is None else {"number": outcome.number}
    kept = {"not_undone": list(outcome.not_undone)} if execution.aim == "rollback" else {}
    session.show(
        Listing(
            json=lambda: {"event": "Result", **number, "result": {**result, **kept}},
            title=_result_lines(execution, outcome, result, took),
        )
    )
    return ExitCode.ROLLBACK if execution.strict and outcome.not_undone else ExitCode.DONE


def _views(session: Session, execution: Execution) -> list[JsonView | RunView]:
    """Return the views of a run: events for programs, and progress for people."""
    console, progress = session.console, session.progress
    views: list[JsonView | RunView] = []
    if session.json:
        views.append(JsonView(console.json_line))
    if execution.quiet or progress == "off" or (session.json and progress == "auto"):
        return views
    if progress == "json":
        return [*views, JsonView(console.json_note)]
    if progress == "plain" or (progress == "auto" and not moves(console.err)):
        return [*views, LogView(console, execution)]
    # Events on the same terminal would tear the line.
    if not moves(console.err) or (session.json and moves(console.out)):
        return [*views, StepView(console, execution)]
    # It imports rich, which takes longer than a small run.
    from handrail.builtin.cli.view.live_view import LiveView  # noqa: PLC0415

    return [*views, LiveView(console, execution)]


def _ways_after(error: HandrailError, outcome: Outcome) -> list[str]:
    """Return the ways out for a run whose journal accepts no more writes."""
    if isinstance(error, LeaseLostError):
        return [f"what became of it:  {command_line(f'show {outcome.number}')}"]
    return [f"{purpose} it:  {command}" for purpose, command in outcome.ways]


def _find_seal(execution: Execution, outcome: Outcome) -> None:
    """Note whether a run that has just ended can no longer be rolled back."""
    if execution.journal is None or outcome.number is None or execution.aim == "rollback":
        return
    # Others may have begun since.
    rows = execution.journal.runs(limit=100, parts=True)
    outcome.sealed = any(row.sealed is not None for row in rows if row.number == outcome.number)


def _result_lines(
    execution: Execution, outcome: Outcome, result: Mapping[str, Any], took: str
) -> Iterator[str]:
    """Yield the lines about a completed run, or one that was rolled back on request."""
    plan = execution.plan
    if execution.dry is not None:
        yield from execution.dry.lines()
        done, total = result["steps_executed"], result["steps_total"]
        some = "" if done == total else f"{done} of "  # The others would be skipped.
        yield f"{plan.action} would run {some}{plural(total, 'step')}; nothing was done"
        return
    if execution.aim == "rollback":
        yield f"{plan.action} rolled back{outcome.exception} in {took}"
        yield from _next_lines(outcome)
        return
    made = [each.name for each in plan.steps if each.inner is not None and each.inner.steps]
    results = {name: result.get(name, {}) for name in made}
    width = max(map(columns, results), default=0)
    for name, entries in results.items():
        if told := _extra(entries):
            yield f"{name}{' ' * (width - columns(name))}  {told}"
    if not results and (extra := _extra(result)):
        yield extra
    every = (result, *results.values())
    done, total = result["steps_executed"], result["steps_total"]
    executed = f"{done} of {plural(total, 'step')} executed"
    told = ", ".join(str(each["completed_with"]) for each in every if "completed_with" in each)
    but = f" with {one_line(told, limit=200)}" if told else ""
    yield f"{plan.action} completed{but} in {took} · {executed}"
    yield from _next_lines(outcome, *filter(None, (each.get("next") for each in every)))


def _extra(result: Mapping[str, Any]) -> str:
    """Return what a result has beside the counts."""
    extra = {key: value for key, value in result.items() if key not in _TOLD}
    return brief(extra, limit=8) if extra else ""


def _next_lines(outcome: Outcome, *commands: object) -> Iterator[str]:
    """Yield the commands that can follow, each with its purpose."""
    ways: list[tuple[object, object]] = []
    for each in commands:
        # Actions of a chain may have different commands for one purpose.
        ways += cast("Mapping[object, object]", each).items() if isinstance(each, Mapping) else ()
    # An action can replace a command, such as its undo, under the same word.
    known = {purpose for purpose, _ in ways}
    if outcome.number is not None and "see" not in known:
        ways.insert(0, ("see", command_line(f"show {outcome.number}")))
    ways += ((purpose, command) for purpose, command in outcome.ways if purpose not in known)
    line = "  " + "     ".join(f"{purpose}  {command}" for purpose, command in ways)
    if ways and not commands and columns(line) <= terminal_width():
        yield line
    else:
        yield from (f"  {purpose:7} {command}" for purpose, command in ways)
