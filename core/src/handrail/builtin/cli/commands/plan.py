"""`handrail plan`: shows the plan of a run, explains a step, and compares plans."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any

import click

from handrail.amounts import percent
from handrail.builtin.cli.action_group import ActionGroup, action_command, param_options
from handrail.builtin.cli.completion import complete_steps
from handrail.builtin.cli.params.defaults import defaults_of, take_pack_values
from handrail.builtin.cli.params.values import labelled, labelled_need, params_from
from handrail.builtin.cli.session import json_option, session_of, warn
from handrail.builtin.cli.view.explanation import explanation
from handrail.builtin.cli.view.table import (
    SHARES,
    Listing,
    Row,
    counts,
    names,
    owner_cell,
    reasons,
    write_document,
)
from handrail.builtin.cli.view.text import (
    AT_THE_END,
    columns,
    group_mark,
    lane_mark,
    lanes_of,
    steps_of,
    terminal_width,
)
from handrail.builtin.project.lock import ProjectLock
from handrail.builtin.project.targets import lock_name
from handrail.errors import ExitCode, ParamsError, ParamsNeededError
from handrail.frozen import replace
from handrail.packs import shown_as

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handrail import BaseAction, Plan, PlannedStep
    from handrail.builtin.cli.params.options import ParamOptions
    from handrail.builtin.cli.session import Session
    from handrail.builtin.project.lock import Comparison
    from handrail.packs import Target


def plan_options() -> list[click.Parameter]:
    """Return the options that `plan` has for every action."""
    return [
        *param_options(),
        click.Option(
            ["--explain"],
            metavar="STEP",
            help="Show the chain of edits that put STEP there.",
            shell_complete=complete_steps,
        ),
        click.Option(
            ["--mermaid"], is_flag=True, help="Write the plan as a flowchart in Mermaid's language."
        ),
        click.Option(
            ["-o", "--output"],
            metavar="FILE",
            help="Write what --mermaid makes to this file; by default, to standard output.",
        ),
        json_option(),
    ]


def command_for(target: Target, shared: Sequence[click.Parameter]) -> click.Command:
    """Return the command that plans `target`, with the options that every action has."""

    def act(context: click.Context, options: ParamOptions) -> int:
        session, values = session_of(context), context.params
        _check_asked(session, values)
        warn(session, goes_on=False)
        pairs = take_pack_values(session, values["pairs"], options)
        defaults = defaults_of(session, target.action_class, options)
        params = params_from(
            context, options, file=values["params"], pairs=pairs, defaults=defaults
        )
        return _answer(session, target, planned(session, target, params, options), values)

    text = f"Show what a run of {target.name} would do, and who put each step there."
    more = "Params may be left out as long as no step depends on them."
    return action_command(target, shared, act, f"{text}\n\n{more}")


def planned(
    session: Session, target: Target, params: Mapping[str, Any], options: ParamOptions
) -> Plan:
    """Return the plan of an action, whose params may be left out where no step depends on them.

    Raises:
        ParamsError: A param is invalid; it is named as on the command line.
        ParamsNeededError: A step depends on a param that is not given.
    """
    action: type[BaseAction[Any]] = target.action_class
    try:
        return action.partial(params, packs=session.packs).plan()
    except ParamsError as error:
        raise labelled(error, options) from error.__cause__
    except ParamsNeededError as error:
        raise labelled_need(error, options) from None


@click.command(
    cls=ActionGroup,
    command_for=command_for,
    params=plan_options(),
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
    handrail plan flows.py:nightly --mermaid     a flowchart of it; -o FILE to a file
    """  # noqa: D301 - the escape tells click to keep the lines


def _check_asked(session: Session, values: dict[str, Any]) -> None:
    """Refuse two questions at once, and options that go with another one."""
    if values["explain"] and values["mermaid"]:
        raise click.UsageError("--explain and --mermaid are two questions; ask one")
    if values["mermaid"] and session.json:
        raise click.UsageError("--mermaid is no JSON, which has the same plan: leave one out")
    if values["output"] and not values["mermaid"]:
        raise click.UsageError("-o goes with --mermaid")


def _answer(session: Session, target: Target, plan: Plan, values: dict[str, Any]) -> int:
    """Show the plan or the explanation; return the exit code."""
    if values["mermaid"]:
        chart = shown_as(plan, "mermaid", session.packs) or ""
        write_document(session, chart, values["output"])
    elif values["explain"]:
        session.show(explanation(session, plan, values["explain"]))
    else:
        comparison = ProjectLock.of(session.packs).compare(lock_name(target, session.packs), plan)
        session.show(plan_table(session, plan, target.name, comparison))
    return ExitCode.DONE


_HEAD = (
    counts(" #"),
    names("STEP"),
    counts("SHARE", lost=SHARES),
    counts("UNDO"),
    names("FROM"),
    reasons("WHY HERE"),
    counts("RULES"),
)


def plan_table(session: Session, plan: Plan, name: str, comparison: Comparison) -> Listing:
    """Return the plan of the action that was called `name`."""

    def json() -> dict[str, object]:
        return {**plan.to_dict(), "lock": comparison.to_dict()}

    if not plan.steps:
        return Listing(json=json, title=[f"{plan.action} has no steps; it runs in one piece"])
    facts = [
        plan.action,
        steps_of(plan),
        f"plan {plan.fingerprint[:8]}",
        *([str(comparison)] if comparison.exists else []),
        *(f"policy {policy.origin}" for policy in session.settings.policies),
    ]
    return Listing(
        json=json,
        title=[session.console.style(" · ".join(facts), "bold")],
        head=_HEAD,
        rows=_rows(plan),
        dims_head=True,
        foot=_foot(session, plan, name, comparison),
    )


def _rows(plan: Plan) -> Iterator[Row]:
    """Yield the rows of all steps, with a heading above those of an action or of a group."""
    if not plan.inner:
        yield from _rows_within(plan, count(1), plan.steps)
        return
    numbers = count(1)
    closing: list[PlannedStep] = []
    for planned in plan.steps:
        if planned.inner is None:
            yield from _rows_within(plan, numbers, [planned], indent="  ")
        else:
            inner, share = planned.inner, planned.weight_share
            yield ("", planned.name, "", "", "", "", "")
            yield from (f"└ {param} = {source}" for param, source in planned.inputs.items())
            ordinary = inner.steps[: inner.ordinary]
            yield from _rows_within(inner, numbers, ordinary, indent="  ", share=share)
            closing += [_called(planned, each) for each in inner.steps[inner.ordinary :]]
    if closing:
        yield ("", AT_THE_END, "", "", "", "", "")
        yield from _rows_within(plan, numbers, closing, indent="  ")


def _called(outer: PlannedStep, planned: PlannedStep) -> PlannedStep:
    """Return a step of a run as one of the step that makes the run."""
    share = outer.weight_share * planned.weight_share
    facts = replace(planned.facts, weight_share=share)
    return replace(planned, name=f"{outer.name}.{planned.name}", facts=facts)


def _rows_within(
    plan: Plan,
    numbers: Iterator[int],
    steps: Iterable[PlannedStep],
    *,
    indent: str = "",
    share: float = 1.0,
) -> Iterator[Row]:
    """Yield the rows of steps of a plan, which has this share of the whole one."""
    begins = {group.lanes[0].start: group for group in plan.groups}
    lanes = {group.name: len(group.lanes) for group in plan.groups}
    for planned in steps:
        group = begins.get(plan.positions.get(planned.name, -1))
        if group is not None:
            many = lanes_of(len(group.lanes), group.limit)
            yield ("", f"{indent}{group_mark(group.name)}", "", "", "", many, "")
        mark = lane_mark(planned.lane, lanes.get(planned.group or "", 0))
        name = f"{indent}{mark}{planned.name}"
        yield from _rows_of(next(numbers), planned, name, in_lane=bool(mark), share=share)


def _rows_of(
    number: int, planned: PlannedStep, name: str, *, in_lane: bool, share: float
) -> Iterator[Row]:
    """Yield the row of a step, and what stands below it about its layers."""
    yield (
        f"{number:2d}",
        name,
        f"{percent(planned.weight_share * share):>5}",
        "yes" if planned.undoable else "items" if planned.facts.undoes_items else "-",
        owner_cell(planned.origin.pack, str(planned.origin)),
        planned.reason,
        ", ".join(_rules(planned)),
    )
    if planned.layers:
        stack = "(".join([layer.name for layer in planned.layers] + ["·"])
        owners = ", ".join(dict.fromkeys(str(layer.origin) for layer in planned.layers))
        places = dict.fromkeys(layer.reason for layer in planned.layers if layer.reason)
        order = "outermost first" if len(planned.layers) > 1 else "around it"
        layers = f"{stack}{')' * len(planned.layers)}"
        changing = [layer.name for layer in planned.layers if layer.changes]
        changes = [f"{' and '.join(changing)} changes it"] if changing else []
        yield f"{'│ ' * in_lane}└ {layers}  {', '.join([owners, *places, order, *changes])}"
    limits = limits_text(planned)
    if limits:
        yield f"{'│ ' * in_lane}└ {limits}"


def limits_text(planned: PlannedStep) -> str:
    """Return the limits of a step and its undo policy in words."""
    limits, policy = planned.limits, planned.rollback_policy
    parts: list[str] = []
    if limits is not None:
        parts += [f"timeout {limits.timeout:g}s"] if limits.timeout is not None else []
        heartbeat = limits.heartbeat_timeout
        parts += [f"heartbeat timeout {heartbeat:g}s"] if heartbeat is not None else []
        parts += [*["may overrun"] * planned.may_overrun, *["isolated"] * limits.isolated]
        parts += [f"memory {limits.memory}"] if limits.memory is not None else []
    if policy is not None:
        parts += [f"undo timeout {policy.timeout:g}s"] if policy.timeout is not None else []
        times = "once" if policy.retries == 1 else f"{policy.retries} times, first"
        parts += [f"undo retried {times} after {policy.wait:g}s"] if policy.retries else []
    return ", ".join(parts)


def _rules(planned: PlannedStep) -> list[str]:
    facts = planned.facts
    rules = {
        "always runs": planned.always_run,
        "required": facts.required,
        "final": facts.final,
        "only reads": not planned.effects and not facts.required,
    }
    return [rule for rule, holds in rules.items() if holds]


def _foot(session: Session, plan: Plan, name: str, comparison: Comparison) -> list[str]:
    """Return the text below the plan, on one line if it fits."""
    records = session.packs.records
    off = [f"{record.id} ({record.why})" for record in records if record.status == "off"]
    parts = [f"Off: {', '.join(off)}"] if off else []
    steps = [*_all_steps(plan)]
    leaving = [planned.name for planned in steps if planned.facts.leaves]
    if leaving:
        parts.append(f"Not undone, also after a kill: {', '.join(leaving)}")
    if comparison.problems:
        parts.append(f"What differs: handrail lock --check {name}")
    brought = [each for each in steps if each.reason != "base"]
    if brought:
        placed = (each for each in brought if each.reason.startswith(("before ", "after ")))
        inserted = next(placed, brought[0])
        parts.append(f"Why a step is here: handrail plan {name} --explain {inserted.name}")
    line = ".   ".join(parts)
    return parts if columns(line) > terminal_width() else [line] if line else []


def _all_steps(plan: Plan) -> Iterator[PlannedStep]:
    """Yield the steps of a plan, those of runs that steps make in the place of these."""
    for planned in plan.steps:
        if planned.inner is None:
            yield planned
        else:
            yield from (_called(planned, each) for each in _all_steps(planned.inner))
