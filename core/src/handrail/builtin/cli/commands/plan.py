"""`handrail plan`: shows the plan of a run, explains a step, and compares plans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from handrail.builtin.cli.action_group import ActionGroup
from handrail.builtin.cli.completion import complete_packs, complete_steps
from handrail.builtin.cli.document import write_document
from handrail.builtin.cli.params.defaults import defaults_of, take_pack_values
from handrail.builtin.cli.params.options import ActionCommand, options_of
from handrail.builtin.cli.params.values import labelled, labelled_need, params_from
from handrail.builtin.cli.session import OWN_OPTIONS, json_option, session_of, warn
from handrail.builtin.cli.view.explanation import explanation, work_of
from handrail.builtin.cli.view.plan_table import plan_table
from handrail.builtin.project.lock import ProjectLock
from handrail.builtin.project.targets import lock_name
from handrail.errors import (
    ExitCode,
    NotFoundError,
    ParamsError,
    ParamsNeededError,
)
from handrail.packs import shown_as
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handrail import Plan
    from handrail.builtin.cli.session import Session
    from handrail.packs import PackRecord
    from handrail.packs.configuration import Target

_QUESTIONS = ("explain", "pack", "mermaid")


def plan_options() -> list[click.Parameter]:
    """Return the options that `plan` has for every action."""
    return [
        click.Option(["--params"], metavar="FILE", help="Read params from a JSON or TOML file."),
        click.Option(
            ["-p", "pairs"],
            multiple=True,
            metavar="KEY=VALUE",
            help="Set one param, or with PACK.KEY a setting of a pack. Repeatable.",
        ),
        click.Option(
            ["--explain"],
            metavar="STEP",
            help="Show the chain of edits that put STEP there.",
            shell_complete=complete_steps,
        ),
        click.Option(
            ["--pack"],
            metavar="PACK",
            help="Show only what PACK does to the plan: its steps, layers and other edits.",
            shell_complete=complete_packs,
        ),
        click.Option(
            ["--mermaid"], is_flag=True, help="Write the plan as a flowchart in Mermaid's language."
        ),
        click.Option(
            ["-o", "--output"],
            metavar="FILE",
            help="Write what --mermaid makes to FILE. [default: -, standard output]",
        ),
        json_option(),
    ]


def command_for(target: Target, shared: Sequence[click.Parameter]) -> click.Command:
    """Return the command that plans `target`, with the options that every action has."""
    taken = {name for parameter in shared for name in parameter.opts} | OWN_OPTIONS
    action_class = target.action_class
    options = options_of(action_class.params_model, action_class.action_name, taken)

    def callback(**values: Any) -> int:
        context = click.get_current_context()
        session = session_of(context)
        _check_asked(session, values)
        warn(session, goes_on=False)
        pairs = take_pack_values(session, values["pairs"], options)
        defaults = defaults_of(session, action_class, options)
        defaults.check()
        params = params_from(
            context, options, file=values["params"], pairs=pairs, defaults=defaults.values
        )
        try:
            made = action_class.partial(params, packs=session.packs).plan()
        except ParamsError as error:
            raise labelled(error, options) from error.__cause__
        except ParamsNeededError as error:
            raise labelled_need(error, options) from None
        return _answer(session, target, made, values)

    return ActionCommand(
        target.name,
        options=options,
        params=[*options.parameters, *shared],
        callback=callback,
        help=f"Show what a run of {target.name} would do, and who put each step there.\n\n"
        "Params may be left out as long as no step depends on them.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )


@click.command(
    cls=ActionGroup,
    command_for=command_for,
    params=plan_options(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def plan(**_early: object) -> None:
    """Show what a run would do, and who put each step there.

    No target is touched, and nothing is run; `handrail run --dry-run` tells what each step would
    do. ACTION is named as for `handrail run`. For each step, the table shows its share of the
    progress, whether it can be undone, the pack that it is from, and the reason for its place;
    layers around a step have their own lines.

    \b
    handrail plan flows.py:nightly               with the packs that are on
    handrail plan flows.py:nightly --explain S   who put the step S where it is
    handrail plan flows.py:nightly --pack X      what one of them does
    handrail plan flows.py:nightly --mermaid     a flowchart of it; -o FILE to a file
    """  # noqa: D301 - the escape tells click to keep the lines


def _check_asked(session: Session, values: dict[str, Any]) -> None:
    """Refuse two questions at once, and options that go with another one."""
    asked = [name for name in _QUESTIONS if values[name]]
    if len(asked) > 1:
        raise click.UsageError(f"--{asked[0]} and --{asked[1]} are two questions; ask one")
    if values["mermaid"] and session.json:
        raise click.UsageError("--mermaid is no JSON, which has the same plan: leave one out")
    if values["output"] and not values["mermaid"]:
        raise click.UsageError("-o goes with --mermaid")


def _answer(session: Session, target: Target, plan: Plan, values: dict[str, Any]) -> int:
    """Show the plan or the explanation; return the exit code."""
    if values["mermaid"]:
        chart = shown_as(plan, "mermaid", session.packs) or ""
        write_document(session, chart, values["output"] or "-")
    elif values["explain"]:
        session.show(explanation(session, plan, values["explain"]))
    elif values["pack"]:
        session.show(work_of(session, plan, _record(session, values["pack"])))
    else:
        comparison = ProjectLock.of(session.packs).compare(lock_name(target, session.packs), plan)
        session.show(plan_table(session, plan, target.name, comparison))
    return ExitCode.DONE


def _record(session: Session, name: str) -> PackRecord:
    record = session.packs.catalog.pack(name)
    if record is None:
        known = dict.fromkeys(each.id for each in session.packs.records)
        raise NotFoundError(
            f"no installed pack is called '{name}'",
            ways_out=(did_you_mean(name, known), "the installed ones:  handrail packs"),
        )
    return record
