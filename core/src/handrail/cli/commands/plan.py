"""`handrail plan`: what a run would do, and who put each step there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from handrail.cli.commands.actions import ActionGroup
from handrail.cli.comparison import show_without
from handrail.cli.explanation import show_explanation
from handrail.cli.params.defaults import defaults_of, take_pack_values
from handrail.cli.params.options import ActionCommand, options_of
from handrail.cli.params.values import labelled, labelled_need, params_from
from handrail.cli.session import OWN_OPTIONS, session_of, warn
from handrail.cli.trace import show_trace
from handrail.cli.view.text import WIDTH, columns, percent, plural, table
from handrail.errors import ExitCode, ParamsError, ParamsNeededError
from handrail.targets import lock_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from handrail.cli.session import Session
    from handrail.lock.check import Comparison
    from handrail.packs.provider import PackProvider
    from handrail.plan.plan import Plan, PlannedStep
    from handrail.targets import Target


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
            ["--explain"], metavar="STEP", help="Show the chain of edits that put STEP there."
        ),
        click.Option(
            ["--trace"], is_flag=True, help="Show what each pack was asked, and answered."
        ),
        click.Option(
            ["--without"],
            multiple=True,
            metavar="PACK",
            help="Show what would change without PACK. Repeatable.",
        ),
        click.Option(["--json", "as_json"], is_flag=True, help="Write JSON."),
    ]


def command_for(target: Target) -> click.Command:
    """Return the command that plans `target`."""
    shared = plan_options()
    taken = {name for parameter in shared for name in parameter.opts} | OWN_OPTIONS
    action_class = target.action_class
    options = options_of(action_class.params_model, action_class.action_name, taken)

    def callback(**values: Any) -> int:
        context = click.get_current_context()
        session = session_of(context)
        warn(session, goes_on=False)
        pairs = take_pack_values(session, values["pairs"], options)
        defaults = defaults_of(session, action_class, options)
        defaults.check()
        params = params_from(
            context, options, file=values["params"], pairs=pairs, defaults=defaults.values
        )

        def make(packs: PackProvider) -> Plan:
            try:
                return action_class.partial(params, packs=packs).plan()
            except ParamsError as error:
                raise labelled(error, options) from error.__cause__
            except ParamsNeededError as error:
                raise labelled_need(error, options) from None

        return _show(session, target, make, values)

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
    leaf_options=plan_options,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def plan() -> None:
    """Show what a run would do, and who put each step there.

    Nothing is run, and no target is touched. ACTION is named as for `handrail run`. The table has
    the share of the progress of each step, whether it can be undone, which pack it is from, and why
    it stands where it stands; layers around a step are on a line of their own.

    \b
    handrail plan flows.py:nightly               with the packs that are on
    handrail plan flows.py:nightly --without X   what one of them changes
    handrail plan flows.py:nightly --explain S   who put the step S where it is
    handrail plan flows.py:nightly --trace       what each pack was asked, and what it answered
    """  # noqa: D301 - the escape tells click to keep the lines


def _show(
    session: Session, target: Target, make: Callable[[PackProvider], Plan], values: dict[str, Any]
) -> int:
    """Show what was asked for, and return the exit code."""
    as_json: bool = values["as_json"]
    chosen = [name for name in ("explain", "trace", "without") if values[name]]
    if len(chosen) > 1:
        raise click.UsageError(f"--{chosen[0]} and --{chosen[1]} are two questions; ask one")
    if values["trace"]:
        return show_trace(session, target.name, make, as_json=as_json)
    if values["without"]:
        return show_without(session, target, make, values["without"], as_json=as_json)
    plan = make(session.packs)
    if values["explain"]:
        return show_explanation(session, plan, values["explain"], as_json=as_json)
    comparison = session.packs.lock.compare(lock_name(target, session.packs), plan)
    if as_json:
        session.console.json({**plan.to_dict(), "lock": comparison.to_dict()})
    elif plan.steps:
        for line in plan_lines(session, plan, target.name, comparison):
            session.console.print(line)
    else:
        session.console.print(f"{plan.action} has no steps; it runs in one piece")
    return ExitCode.DONE


def plan_lines(session: Session, plan: Plan, name: str, comparison: Comparison) -> list[str]:
    """Return the plan of what a person called `name` as a table with a head and a foot."""
    console = session.console
    facts = [
        plan.action,
        plural(len(plan.steps), "step"),
        f"plan {plan.fingerprint[:8]}",
        *([str(comparison)] if comparison.exists else []),
        *(f"policy {policy.origin}" for policy in session.packs.settings.policies),
    ]
    head = " · ".join(facts)
    rows: list[tuple[str, ...]] = []
    for number, planned in enumerate(plan.steps, 1):
        why, *more = planned.reason.split(", ")
        rows.append(
            (
                f"{number:2d}",
                planned.name,
                f"{percent(planned.weight_share):>5}",
                "yes" if planned.undoable else "-",
                str(planned.origin),
                why,
                ", ".join([*more, *_remarks(planned)]),
            )
        )
        if planned.layers:
            stack = "(".join([layer.name for layer in planned.layers] + ["·"])
            owners = ", ".join(dict.fromkeys(str(layer.origin) for layer in planned.layers))
            order = "outermost first" if len(planned.layers) > 1 else "around it"
            places = dict.fromkeys(layer.reason for layer in planned.layers if layer.reason)
            said = (", ".join(places), order) if places else (order, "")
            rows.append(("", f"└ {stack}{')' * len(planned.layers)}", "", "", owners, *said))
    lines = table((" #", "STEP", "SHARE", "UNDO", "FROM", "WHY HERE", ""), rows)
    lines[0] = console.style(lines[0], "dim")
    records = session.packs.records
    off = [f"{record.id} ({record.why})" for record in records if record.status == "off"]
    foot = [f"Off: {', '.join(off)}"] if off else []
    leaving = [planned.name for planned in plan.steps if planned.facts.leaves]
    if leaving:
        foot.append(f"Not undone, also after a kill: {', '.join(leaving)}")
    if comparison.problems:
        foot.append(f"What differs: handrail lock --check {name}")
    brought = [each for each in plan.steps if each.reason != "base"]
    if brought:
        placed = (each for each in brought if each.reason.startswith(("before ", "after ")))
        inserted = next(placed, brought[0])
        foot.append(f"Why a step is here: handrail plan {name} --explain {inserted.name}")
    return [console.style(head, "bold"), *lines, *_joined(foot)]


def _joined(parts: list[str]) -> list[str]:
    """Return the parts on one line, where they fit."""
    line = ".   ".join(parts)
    return parts if columns(line) > WIDTH else [line] if line else []


def _remarks(planned: PlannedStep) -> list[str]:
    remarks: list[str] = []
    if planned.always_run:
        remarks.append("always runs")
    if planned.facts.required:
        remarks.append("required")
    if planned.facts.required or planned.step.final:
        remarks.append("final")
    if not planned.effects and not planned.facts.required:
        remarks.append("only reads")
    return remarks
