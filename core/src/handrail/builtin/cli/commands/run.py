"""`handrail run`: runs any action, with options from its params."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING

import click

from handrail import Origin
from handrail.builtin.cli.action_group import ActionGroup, action_command, param_options
from handrail.builtin.cli.completion import complete_steps
from handrail.builtin.cli.journals import executor_option, journal_option, strict_option
from handrail.builtin.cli.options import applied, with_options
from handrail.builtin.cli.session import event_options
from handrail.packs import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handrail import Workflow
    from handrail.builtin.cli.params.options import ParamOptions
    from handrail.builtin.cli.session import Session


def run_options() -> list[click.Parameter]:
    """Return the options that `run` has for every action."""
    return [
        *param_options(),
        click.Option(
            ["--dry-run"],
            is_flag=True,
            help="Run only the steps without effects; the others print what they would do.",
        ),
        click.Option(
            ["--all", "everything"],
            is_flag=True,
            help="With --dry-run: show every line of what the steps would do.",
        ),
        click.Option(
            ["--only"],
            multiple=True,
            metavar="STEP",
            help="Run only this step. Repeatable.",
            shell_complete=complete_steps,
        ),
        click.Option(
            ["--from", "start"],
            metavar="STEP",
            help="Start at this step.",
            shell_complete=complete_steps,
        ),
        click.Option(
            ["--skip"],
            multiple=True,
            metavar="STEP",
            help="Skip this step. Repeatable.",
            shell_complete=complete_steps,
        ),
        click.Option(
            ["--no-lock"], is_flag=True, help="Run the plan even if it differs from the lock."
        ),
        click.Option(
            ["--on-failure"],
            type=click.Choice(["undo", "keep"]),
            default="undo",
            show_default=True,
            help="If a step fails, undo what was done, or keep it for `handrail resume`.",
        ),
        executor_option(),
        strict_option(),
        journal_option(),
        click.Option(
            ["--no-journal"],
            is_flag=True,
            help="Record nothing: only this process can undo the run.",
        ),
        *event_options(),
    ]


def command_for(target: Target, shared: Sequence[click.Parameter]) -> click.Command:
    """Return the command that runs `target`, with the options that every action has."""

    def act(context: click.Context, options: ParamOptions) -> int:
        # Not for the help of an action, which runs nothing.
        from handrail.builtin.cli.new_run import RunRequest  # noqa: PLC0415

        request = applied(RunRequest.of(context, target, options), "run")
        return request.carry_out(request)

    # A workflow has no docstring; that of its params describes it.
    documented = (target.action_class, target.action_class.params_model)
    docs = (vars(each).get("__doc__") for each in documented if each is not None)
    doc = next((text for text in docs if text), f"Run {target.name}.")
    summary = inspect.cleandoc(doc).partition("\n\n")[0]
    return action_command(target, shared, act, f"{summary}\n\nFrom {target.origin.owner}.")


def program_of(workflow: Workflow, session: Session) -> click.Command:
    """Return the command that runs a workflow as a program of its own."""
    target = Target(
        name=workflow.name,
        action_class=workflow.action_class,
        origin=Origin(module=workflow.__module__, file=sys.argv[0]),
    )
    return command_for(target, with_options(run, "run", session).params)


@click.command(
    cls=ActionGroup,
    command_for=command_for,
    params=run_options(),
)
def run(**_early: object) -> None:
    """Run an action.

    ACTION is an installed one (`upload`, or `pack:upload` where two packs have it), a workflow or
    local action of the project's settings, or one of your own in a file (`flows.py:nightly`) or in
    a module (`company.flows:nightly`).

    \b
    handrail run flows.py:nightly             run it; Ctrl-C stops and undoes
    handrail run flows.py:nightly --help      the options of that action
    handrail run flows.py:nightly --dry-run   what it would do
    """  # noqa: D301 - the escape tells click to keep the lines
