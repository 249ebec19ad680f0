"""Carries out an action for `handrail run`, and tells how it went."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from handrail.cli.ending import Outcome, show_exit, show_failure, show_interrupt, show_simple
from handrail.cli.live import JsonView, LineView, brief
from handrail.cli.output import Console, moves
from handrail.cli.plain import plural, seconds
from handrail.cli.signals import like_interrupts
from handrail.errors import ActionError, ExitCode, HandrailError, StepFailedError
from handrail.plan.preview import preview_plan

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.cli.session import Session
    from handrail.context import RuntimeContext
    from handrail.orchestrator import Observer
    from handrail.plan.plan import Plan
    from handrail.planning import PackProvider

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
            answer: Any = action.run()
    except HandrailError:
        raise
    except SystemExit as error:
        if error.code not in (None, 0):
            return show_simple(session, name, error)
        answer = None
    except Exception as error:  # noqa: BLE001 - the action's own code
        return show_simple(session, name, error)
    if values["as_json"]:
        console.json_line({"event": "Result", "result": answer})
    elif isinstance(answer, Mapping):
        console.print(brief(cast("Mapping[str, Any]", answer)))
    elif answer is not None:
        console.print(str(answer))
    return ExitCode.DONE


def run_plan(
    session: Session,
    action: BaseAction[Any],
    plan: Plan,
    values: Mapping[str, Any],
    observers: Sequence[Observer] = (),
) -> int:
    """Run the steps of an action, told to `observers` too, and return the exit code."""
    console = session.console
    as_json, quiet, dry = values["as_json"], values["quiet"], values["dry_run"]
    moving = moves(console.err) and not as_json
    mode = " · dry run, nothing is changed" if dry else ""
    lock = {True: " (locked)", False: " · not locked (--no-lock)", None: ""}[plan.locked]
    steps = plural(len(plan.steps), "step")
    head = f"{plan.action} · {steps} · plan {plan.fingerprint[:8]}{lock}{mode}"
    view: Any = JsonView(console) if as_json else LineView(console, head, moving=moving)
    outcome = Outcome()
    if dry:
        plan = preview_plan(plan)
    began = time.monotonic()
    try:
        with like_interrupts():
            views = (outcome,) if quiet and not as_json else (outcome, view)
            result = action.run_plan(plan, observers=(*observers, *views))
    except StepFailedError as error:
        _close(view)
        return show_failure(session, plan, error, as_json=as_json)
    except KeyboardInterrupt as error:
        _close(view)
        return show_interrupt(session, plan, error, outcome.value, as_json=as_json)
    except SystemExit as error:
        _close(view)
        return show_exit(session, plan, error, outcome.value, as_json=as_json)
    _close(view)
    took = seconds(time.monotonic() - began)
    if as_json:
        console.json_line({"event": "Result", "result": result})
    elif dry:
        would = plural(len(plan.steps), "step")
        console.print(f"{plan.action} would run {would}; nothing was done")
    else:
        extra = {key: value for key, value in result.items() if key not in (*_COUNTS, "next")}
        if extra:
            console.print(brief(extra, limit=8))
        done, total = result["steps_executed"], result["steps_total"]
        executed = f"{done} of {plural(total, 'step')} executed"
        console.print(f"{plan.action} completed in {took} · {executed}")
        _show_next(console, result.get("next"))
    return ExitCode.DONE


def _show_next(console: Console, commands: object) -> None:
    """Show the commands that an action proposes, each under what it is good for."""
    if isinstance(commands, Mapping):
        for purpose, command in cast("Mapping[object, object]", commands).items():
            console.print(f"  {purpose!s:7} {command}")


def _close(view: Any) -> None:
    if isinstance(view, LineView):
        view.close()
