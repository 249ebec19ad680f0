"""`handrail run`: any action, with options made from its params."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import click

from handrail.cli.commands.actions import ActionGroup
from handrail.cli.execution import made_action, run_plan, run_simple, silent_runtime
from handrail.cli.journals import journal_option, opened
from handrail.cli.params.defaults import defaults_of, take_pack_values
from handrail.cli.params.options import ActionCommand, ParamOptions, options_of
from handrail.cli.params.values import labelled, params_from, variables_of
from handrail.cli.reapplied import Durable, chosen
from handrail.cli.session import OWN_OPTIONS, session_of, warn
from handrail.errors import ParamsError, StepNotFoundError
from handrail.lock.last_plan import LastPlan
from handrail.lock.model import LockUse
from handrail.origin import Origin
from handrail.plan.selection import select
from handrail.targets import Target, lock_name, recorded_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handrail.cli.session import Session
    from handrail.lock.differences import Change
    from handrail.workflow import Workflow

_MOST_CHANGES = 5  # Lines about the last run, before `handrail plan` is named instead.


def run_options() -> list[click.Parameter]:
    """Return the options that `run` has for every action."""
    return [
        click.Option(["--params"], metavar="FILE", help="Read params from a JSON or TOML file."),
        click.Option(
            ["-p", "pairs"],
            multiple=True,
            metavar="KEY=VALUE",
            help="Set one param; the value is JSON or text, the key may be dotted. With PACK.KEY "
            "set a setting of a pack. Repeatable.",
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
            ["--no-lock"], is_flag=True, help="Run it also where it is not what the lock holds."
        ),
        click.Option(
            ["--on-failure"],
            type=click.Choice(["undo", "keep"]),
            default="undo",
            show_default=True,
            help="Undo what was done when a step fails, or keep it for `handrail resume`.",
        ),
        journal_option(),
        click.Option(
            ["--no-journal"],
            is_flag=True,
            help="Keep no record: only this process can undo the run.",
        ),
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Write one event per line to standard output."
        ),
        click.Option(["-q", "--quiet"], is_flag=True, help="Show only the result, and errors."),
    ]


def command_for(target: Target, program: str | None = None) -> click.Command:
    """Return the command that runs `target`."""
    shared = run_options()
    taken = {name for parameter in shared for name in parameter.opts} | OWN_OPTIONS
    action_class = target.action_class
    options = options_of(action_class.params_model, action_class.action_name, taken)

    def callback(**_values: Any) -> int:
        return _run(click.get_current_context(), target, options)

    # A workflow has no docstring of its own; the one of its params tells what they are for.
    documented = (action_class, action_class.params_model)
    docs = (vars(each).get("__doc__") for each in documented if each is not None)
    doc = next((text for text in docs if text), f"Run {target.name}.")
    summary = inspect.cleandoc(doc).partition("\n\n")[0]
    from_where = target.origin.owner
    return ActionCommand(
        program or target.name,
        options=options,
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
    return command_for(target)


@click.command(
    cls=ActionGroup,
    command_for=command_for,
    leaf_options=run_options,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def run() -> None:
    """Run an action.

    ACTION is an installed one (`upload`, or `pack:upload` where two packs have it), a workflow or
    local action of the project's settings, or one of your own in a file (`flows.py:nightly`) or in
    a module (`company.flows:nightly`).

    \b
    handrail run flows.py:nightly             run it; Ctrl-C stops and undoes
    handrail run flows.py:nightly --help      the options of that action
    handrail run flows.py:nightly --dry-run   what it would do
    """  # noqa: D301 - the escape tells click to keep the lines


def _run(context: click.Context, target: Target, options: ParamOptions) -> int:
    session, values = session_of(context), context.params
    warn(session, goes_on=False)
    pairs = take_pack_values(session, values["pairs"], options)
    defaults = defaults_of(session, target.action_class, options)
    params = params_from(
        context, options, file=values["params"], pairs=pairs, defaults=defaults.values
    )
    if not defaults.covered_by(params):
        defaults.check()
    try:
        action = made_action(target.action_class, params, silent_runtime(), session.packs)
    except ParamsError as error:
        defaults.check()
        raise labelled(error, options) from error.__cause__
    named = lock_name(target, session.packs)
    plan = action.plan()
    use = LockUse(name=named, no_lock=values["no_lock"])
    whole = session.packs.check_lock(plan, target.action_class, lambda: plan, use)
    if not whole.steps and action.is_simple:
        if values["on_failure"] == "keep":
            raise click.UsageError(f"{action.info.name} has no steps, so nothing can be kept")
        return run_simple(session, action, values)
    try:
        part = select(whole, only=values["only"], start=values["start"], skip=values["skip"])
    except StepNotFoundError as error:
        raise click.UsageError(error.message) from error
    if values["dry_run"]:
        return run_plan(session, action, part, values)
    durable = _durable(context, target, options)
    last = LastPlan(
        session.packs.settings.project.folder,
        session.packs.outline(named, whole, with_files=False),
    )
    if not whole.locked and not values["quiet"]:
        _show_changes(session, named.shown, last.changes())
    try:
        return run_plan(session, action, part, values, observers=(last,), durable=durable)
    finally:
        if durable is not None:
            durable.journal.close()


def _show_changes(session: Session, action: str, changes: Sequence[Change]) -> None:
    """Say on standard error what has changed since the last run."""
    if not changes:
        return
    session.console.note(f"changed since the last run of {action}:")
    for change in changes[:_MOST_CHANGES]:
        session.console.note(f"  {change.mark} {change}")
    if len(changes) > _MOST_CHANGES:
        more = len(changes) - _MOST_CHANGES
        session.console.note(f"  and {more} more:  handrail plan {action}")


def _durable(context: click.Context, target: Target, options: ParamOptions) -> Durable | None:
    """Open the journal of a run, unless it is to have none."""
    session, values = session_of(context), context.params
    if values["no_journal"]:
        if values["journal"]:
            raise click.UsageError("--journal and --no-journal exclude each other")
        if values["on_failure"] == "keep":
            raise click.UsageError("--on-failure keep needs a journal to resume from")
        return None
    return Durable(
        journal=opened(session, values["journal"], create=True),
        recorded_as=recorded_name(target),
        packs=chosen(session, values).to_json(),
        on_failure=values["on_failure"],
        variables=variables_of(context, options),
    )
