"""`handrail run`: any action, with options made from its params."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import click

from handrail.cli.actions import ActionGroup
from handrail.cli.ending import show_failure, show_interrupt
from handrail.cli.given import labelled, params_from
from handrail.cli.live import JsonView, LineView, brief
from handrail.cli.local import Target
from handrail.cli.options import ActionCommand, ParamOptions, options_of
from handrail.cli.output import plural, seconds
from handrail.cli.session import Session, session_of, warn
from handrail.cli.signals import like_interrupts
from handrail.context import RuntimeContext
from handrail.errors import ExitCode, ParamsError, StepFailedError, StepNotFoundError
from handrail.origin import Origin
from handrail.plan.preview import preview_plan
from handrail.plan.selection import select

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.plan.plan import Plan
    from handrail.workflow import Workflow


class _Silent:
    """Takes what steps log through the runtime context; the view hears of it as events."""

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Take an event."""

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Take a position."""

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Take values."""


def run_options() -> list[click.Parameter]:
    """Return the options that `run` has for every action."""
    return [
        click.Option(["--params"], metavar="FILE", help="Read params from a JSON or TOML file."),
        click.Option(
            ["-p", "pairs"],
            multiple=True,
            metavar="KEY=VALUE",
            help="Set one param; the value is JSON or text, the key may be dotted. Repeatable.",
        ),
        click.Option(
            ["--dry-run"],
            is_flag=True,
            help="Only run steps that read; the others tell what they would do.",
        ),
        click.Option(
            ["--only"], multiple=True, metavar="STEP", help="Run only this step. Repeatable."
        ),
        click.Option(["--from", "start"], metavar="STEP", help="Start at this step."),
        click.Option(
            ["--skip"], multiple=True, metavar="STEP", help="Leave this step out. Repeatable."
        ),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Write one event per line to standard output."
        ),
        click.Option(["-q", "--quiet"], is_flag=True, help="Show only the result, and errors."),
    ]


def command_for(session: Session, target: Target, program: str | None = None) -> click.Command:
    """Return the command that runs `target`."""
    shared = run_options()
    taken = {name for parameter in shared for name in parameter.opts} | {"--help", "-h"}
    action_class = target.action_class
    options = options_of(action_class.params_model, action_class.action_name, taken)

    def callback(**_values: Any) -> int:
        return _run(session, click.get_current_context(), action_class, options)

    # A workflow has no docstring of its own; the one of its params tells what they are for.
    documented = (action_class, action_class.params_model)
    docs = (vars(each).get("__doc__") for each in documented if each is not None)
    doc = next((text for text in docs if text), f"Run {target.name}.")
    summary = inspect.cleandoc(doc).partition("\n\n")[0]
    from_where = target.origin.owner
    return ActionCommand(
        program or target.name,
        arguments=options.arguments,
        params=[*options.parameters, *shared],
        callback=callback,
        help=f"{summary}\n\nFrom {from_where}.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


def command_for_workflow(workflow: Workflow) -> click.Command:
    """Return the command that runs a workflow as a program of its own."""
    target = Target(
        name=workflow.name,
        action_class=workflow.action_class,
        origin=Origin(module=workflow.__module__, file=sys.argv[0]),
    )
    made = command_for(Session(), target)
    made.callback = _late(target)
    return made


def _late(target: Target) -> Callable[..., int]:
    def callback(**_values: Any) -> int:
        context = click.get_current_context()
        action_class = target.action_class
        taken = {name for parameter in run_options() for name in parameter.opts}
        options = options_of(action_class.params_model, action_class.action_name, taken)
        return _run(session_of(context), context, action_class, options)

    return callback


@click.command(
    cls=ActionGroup,
    command_for=command_for,
    leaf_options=run_options,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def run() -> None:
    """Run an action.

    ACTION is an installed one (`upload`, or `pack:upload` where two packs have it), one of your own
    in a file (`flows.py:nightly`) or in a module (`company.flows:nightly`).

    \b
    handrail run ACTION --help        the options of that action
    handrail run ACTION --dry-run     what it would do
    """  # noqa: D301 - the escape tells click to keep the lines


def _run(
    session: Session,
    context: click.Context,
    action_class: type[BaseAction[Any]],
    options: ParamOptions,
) -> int:
    values = context.params
    warn(session)
    params = params_from(context, options, file=values["params"], pairs=values["pairs"])
    runtime = RuntimeContext(logger=_Silent())
    try:
        action = action_class(params, runtime, packs=session.packs)
    except ParamsError as error:
        raise labelled(error, options) from error.__cause__
    plan = action.plan()
    if not plan.steps and action.is_simple:
        return _run_simple(session, action, values)
    try:
        plan = select(plan, only=values["only"], start=values["start"], skip=values["skip"])
    except StepNotFoundError as error:
        raise click.UsageError(error.message) from error
    return _run_plan(session, action, plan, values)


def _run_simple(session: Session, action: BaseAction[Any], values: Mapping[str, Any]) -> int:
    if values["only"] or values["start"] or values["skip"]:
        raise click.UsageError(f"{action.info.name} has no steps to choose from")
    if values["dry_run"]:
        session.console.print(f"{action.info.name} · no steps · not previewed")
        return ExitCode.DONE
    with like_interrupts():
        answer: Any = action.run()
    if values["as_json"]:
        session.console.json_line({"event": "Result", "result": answer})
    elif answer is not None:
        is_mapping = isinstance(answer, Mapping)
        session.console.print(
            brief(cast("Mapping[str, Any]", answer)) if is_mapping else str(answer)
        )
    return ExitCode.DONE


def _run_plan(
    session: Session, action: BaseAction[Any], plan: Plan, values: Mapping[str, Any]
) -> int:
    console = session.console
    as_json, quiet, dry = values["as_json"], values["quiet"], values["dry_run"]
    moving = console.err.isatty() and not as_json
    mode = " · dry run, nothing is changed" if dry else ""
    head = f"{plan.action} · {plural(len(plan.steps), 'step')} · plan {plan.fingerprint[:8]}{mode}"
    view: Any = JsonView(console) if as_json else LineView(console, head, moving=moving)
    if dry:
        plan = preview_plan(plan)
    began = time.monotonic()
    try:
        with like_interrupts():
            result = action.run_plan(plan, observers=() if quiet and not as_json else (view,))
    except StepFailedError as error:
        _close(view)
        return show_failure(session, plan, error, as_json=as_json)
    except KeyboardInterrupt as error:
        _close(view)
        return show_interrupt(session, plan, error, as_json=as_json)
    _close(view)
    took = seconds(time.monotonic() - began)
    if as_json:
        console.json_line({"event": "Result", "result": result})
    elif dry:
        would = plural(len(plan.steps), "step")
        console.print(f"{plan.action} would run {would}; nothing was done")
    else:
        extra = {
            key: value
            for key, value in result.items()
            if key not in ("success", "steps_executed", "steps_total")
        }
        if extra:
            console.print(brief(extra, limit=8))
        done, total = result["steps_executed"], result["steps_total"]
        executed = f"{done} of {plural(total, 'step')} executed"
        console.print(f"{plan.action} completed in {took} · {executed}")
    return ExitCode.DONE


def _close(view: Any) -> None:
    if isinstance(view, LineView):
        view.close()
