"""Carries out an action for `handrail run`, and tells how it went."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast

import click

from handrail.actions import orchestrator_of, result_of
from handrail.cli.hints import command_line
from handrail.cli.journals import WITHOUT
from handrail.cli.reapplied import about_run
from handrail.cli.signals import like_interrupts
from handrail.cli.view.console import Console, moves
from handrail.cli.view.failure import (
    exited_run,
    failed_action,
    interrupted_run,
    report,
    show,
    step_failure,
)
from handrail.cli.view.progress import JsonView, LineView, Outcome, brief
from handrail.cli.view.text import plural, seconds
from handrail.errors import (
    ActionError,
    ContextError,
    ExitCode,
    HandrailError,
    JournalError,
    LeaseLostError,
    StepFailedError,
    add_ways_out,
)
from handrail.orchestrator import run_awaitable
from handrail.plan.preview import preview_plan
from handrail.runtime import RuntimeContext

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.cli.reapplied import Durable
    from handrail.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.orchestrator import Observer
    from handrail.packs.provider import PackProvider
    from handrail.plan.plan import Plan
    from handrail.recovery.status import Aim


class _Silent:
    """Takes what steps log through the runtime context; the view hears of it as events."""

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Take an event."""

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Take a position."""

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Take values."""


def silent_runtime() -> RuntimeContext:
    """Return a runtime context that writes nothing itself."""
    return RuntimeContext(logger=_Silent())


_COUNTS = ("success", "steps_executed", "steps_total")


def made_action(
    action_class: type[BaseAction[Any]],
    params: Mapping[str, Any],
    runtime: RuntimeContext,
    packs: PackProvider,
) -> BaseAction[Any]:
    """Return the action with these params.

    Raises:
        ParamsError: They are not valid.
        ActionError: The action has an `__init__` of its own that does not take what it should.
    """
    try:
        return action_class(params, runtime, packs=packs)
    except TypeError as error:
        trace = error.__traceback__
        if trace is None or trace.tb_next is not None:
            raise  # It came from within that `__init__`, not from the call.
        raise ActionError(
            f"{action_class.__qualname__} cannot be made: {error}",
            ways_out=("its __init__ has to take (params, ctx, *, packs), as BaseAction's does",),
        ) from error


def run_simple(session: Session, action: BaseAction[Any], values: Mapping[str, Any]) -> int:
    """Run an action that has no steps, and return the exit code."""
    name = action.info.name
    console = session.console
    if values["only"] or values["start"] or values["skip"]:
        raise click.UsageError(f"{name} has no steps to choose from")
    if values["dry_run"]:
        console.print(f"{name} · no steps · not previewed")
        return ExitCode.DONE
    try:
        with like_interrupts():
            answer = _executed(action)
    except HandrailError:
        raise
    except SystemExit as error:
        if error.code not in (None, 0):
            return show(session, failed_action(session, name, error))
        answer = None
    except Exception as error:  # noqa: BLE001 - the action's own code
        return show(session, failed_action(session, name, error))
    if values["as_json"]:
        console.json_line({"event": "Result", "result": answer})
    elif isinstance(answer, Mapping):
        console.print(brief(cast("Mapping[str, Any]", answer)))
    elif answer is not None:
        console.print(str(answer))
    return ExitCode.DONE


def _executed(action: BaseAction[Any]) -> Any:
    """Return what the action returns; `run` would check its plan against the lock again."""
    answer: Any = action.execute()
    return run_awaitable(answer) if isawaitable(answer) else answer


def run_plan(
    session: Session,
    action: BaseAction[Any],
    plan: Plan,
    values: Mapping[str, Any],
    observers: Sequence[Observer] = (),
    durable: Durable | None = None,
) -> int:
    """Run a plan that was checked against the lock, and return the exit code."""
    dry = values["dry_run"]
    journal = durable.journal if durable else None
    head = head_of(plan, journal, dry=dry)
    played = preview_plan(plan) if dry else plan
    about = None if durable is None else about_run(session, action, durable, values)

    def run(views: Sequence[Observer]) -> Mapping[str, Any]:
        orchestrator = orchestrator_of(
            action,
            played,
            observers=(*observers, *views),
            journal=journal,
            on_failure="undo" if durable is None else durable.on_failure,
            about=about,
        )
        try:
            counts = orchestrator.execute()
        except ContextError as error:
            if journal is not None and orchestrator.run_number is None:
                add_ways_out(error, WITHOUT)
            raise
        return result_of(action, counts, orchestrator.context)

    return carry_out(session, played, head, run, values, journal=journal, dry=dry)


def head_of(plan: Plan, journal: Journal | None, *, dry: bool = False) -> str:
    """Return the line that a run begins with."""
    lock = {True: " (locked)", False: " · not locked (--no-lock)", None: ""}[plan.locked]
    facts = f"plan {plan.fingerprint[:8]}{lock}"
    if journal is not None:
        return f"{plan.action} · {facts} · journal {journal.shown}"
    mode = " · dry run, nothing is changed" if dry else ""
    return f"{plan.action} · {plural(len(plan.steps), 'step')} · {facts}{mode}"


def carry_out(
    session: Session,
    plan: Plan,
    head: str,
    run: Callable[[Sequence[Observer]], Mapping[str, Any]],
    values: Mapping[str, Any],
    *,
    journal: Journal | None = None,
    dry: bool = False,
    aim: Aim | None = None,
    undoes: bool = False,
) -> int:
    """Run something, show how it goes and how it ended, and return the exit code.

    Args:
        session: The call.
        plan: The plan of the run.
        head: The line to begin with.
        run: Runs it, told to the observers it is given.
        values: Options of the call: `as_json`, `quiet` and perhaps `on_failure`.
        journal: The journal of the run, if it has one.
        dry: Whether nothing is changed.
        aim: Whether a recorded run is to be finished or undone; None for a new one.
        undoes: Whether a recorded run goes back, as it is asked to, or was before.
    """
    console = session.console
    undo = aim == "rollback"
    as_json, quiet = values["as_json"], values["quiet"]
    moving = moves(console.err) and not as_json
    view: Any = (
        JsonView(console)
        if as_json
        else LineView(
            console, head, moving=moving, keeps=values.get("on_failure") == "keep", undoes=undoes
        )
    )
    outcome = Outcome()
    began = time.monotonic()
    try:
        with like_interrupts():
            result = run((outcome,) if quiet and not as_json else (outcome, view))
    except StepFailedError as error:
        _close(view)
        return show(session, step_failure(session, plan, error, outcome, aim))
    except JournalError as error:
        _close(view)
        if outcome.number is None:
            raise
        add_ways_out(error, *_ways_after(error, outcome))
        return report(session, error)
    except KeyboardInterrupt as error:
        _close(view)
        return show(session, interrupted_run(session, plan, error, outcome, aim))
    except SystemExit as error:
        _close(view)
        return show(session, exited_run(session, plan, error, outcome))
    _close(view)
    if journal is not None and outcome.number is not None and not undo:
        outcome.sealed = _is_sealed(journal, outcome.number)
    took = seconds(time.monotonic() - began)
    if as_json:
        numbered = {} if outcome.number is None else {"number": outcome.number}
        console.json_line({"event": "Result", **numbered, "result": result})
    elif dry:
        would = plural(len(plan.steps), "step")
        console.print(f"{plan.action} would run {would}; nothing was done")
    else:
        _show_done(console, plan, outcome, None if undo else result, took)
    return ExitCode.DONE


def _ways_after(error: JournalError, outcome: Outcome) -> list[str]:
    """Return what to do about a run that its journal does not take any more."""
    if isinstance(error, LeaseLostError):
        return [f"what became of it:  {command_line(f'show {outcome.number}')}"]
    return [f"{purpose} it:  {command}" for purpose, command in outcome.ways]


def _is_sealed(journal: Journal, number: int) -> bool:
    """Return whether a run that has just ended can no longer be rolled back."""
    # Others may have begun since.
    rows = (row for row in journal.runs(limit=100, plans=False) if row.number == number)
    return any(row.sealed is not None for row in rows)


def _show_done(
    console: Console, plan: Plan, outcome: Outcome, result: Mapping[str, Any] | None, took: str
) -> None:
    """Tell about a run that was completed, or, without a result, rolled back as it was asked."""
    if result is None:
        console.print(f"{plan.action} rolled back in {took}")
        _show_next(console, outcome, None)
        return
    extra = {key: value for key, value in result.items() if key not in (*_COUNTS, "next")}
    if extra:
        console.print(brief(extra, limit=8))
    done, total = result["steps_executed"], result["steps_total"]
    executed = f"{done} of {plural(total, 'step')} executed"
    console.print(f"{plan.action} completed in {took} · {executed}")
    _show_next(console, outcome, result.get("next"))


def _show_next(console: Console, outcome: Outcome, commands: object) -> None:
    """Show what can be done next, each command under what it is good for."""
    ways: dict[object, object] = {}
    if outcome.number is not None:
        ways["see"] = command_line(f"show {outcome.number}")
    if isinstance(commands, Mapping):
        ways |= cast("Mapping[object, object]", commands)
    # An action that knows a better way to undo it says so under the same word.
    ways |= {purpose: command for purpose, command in outcome.ways if purpose not in ways}
    if ways and not commands:
        line = "     ".join(f"{purpose}  {command}" for purpose, command in ways.items())
        console.print(f"  {line}")
        return
    for purpose, command in ways.items():
        console.print(f"  {purpose:7} {command}")


def _close(view: Any) -> None:
    if isinstance(view, LineView):
        view.close()
