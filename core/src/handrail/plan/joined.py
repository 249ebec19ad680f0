"""Joins the plans of the actions of a chain to one, and parts it again: its steps, its edits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from handrail.errors import Problem
from handrail.frozen import replace, values_of
from handrail.plan.edits import EditSet, Insertion
from handrail.plan.plan import Plan, PlannedAction, PlannedStep, groups_of
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from fractions import Fraction

    from handrail.origin import Origin
    from handrail.plan.plan import Facts
    from handrail.settings.requirements import RequiredStep


def qualified(action: str, name: str) -> str:
    """Return the name by which a chain calls a step, or something else, of one of its actions."""
    return f"{action}.{name}"


def joined(name: str, actions: Sequence[PlannedAction], origin: Origin) -> Plan:
    """Return the plan of the chain called `name`.

    The steps of the actions follow each other, then come those that always run, in the same order.
    Each action counts the same in the progress, whatever the weights of its steps.
    """
    steps = [planned for action in actions for planned in _steps_of(action, len(actions))]
    steps.sort(key=attrgetter("always_run"))
    limits = {
        qualified(action.name, group.name): group.limit
        for action in actions
        for group in action.plan.groups
    }
    return Plan(
        action=name,
        steps=tuple(steps),
        origin=origin,
        groups=groups_of(steps, limits),
        actions=tuple(actions),
    )


def _steps_of(action: PlannedAction, actions: int) -> Iterable[PlannedStep]:
    alone = action.plan
    total = sum(planned.facts.weight for planned in alone.steps)
    alike = {
        facts: _weighed(_placed(facts, action.name), total, len(alone.steps), actions)
        for facts in {planned.facts for planned in alone.steps}
    }
    for planned in alone.steps:
        yield replace(
            planned,
            name=qualified(action.name, planned.name),
            facts=alike[planned.facts],
            others=tuple(qualified(action.name, each) for each in planned.others),
            action=action.name,
        )


def _placed(facts: Facts, action: str) -> Facts:
    if facts.group is None and not facts.undo_before:
        return facts
    return replace(
        facts,
        group=facts.group and qualified(action, facts.group),
        undo_before=tuple(qualified(action, each) for each in facts.undo_before),
    )


def _weighed(facts: Facts, total: Fraction | int, steps: int, actions: int) -> Facts:
    weight = facts.weight / total if total else (facts.weight + 1) / steps
    return replace(facts, weight=weight, weight_share=float(weight / actions))


def part_of(plan: Plan, action: PlannedAction) -> Plan:
    """Return what the plan of a chain has of one of its actions, as a plan of that action alone."""
    own = [planned for planned in plan.steps if planned.action == action.name]
    before = len(action.name) + 1
    steps = tuple(
        replace(
            planned,
            name=planned.own_name,
            facts=replace(
                planned.facts,
                group=planned.group and planned.group[before:],
                undo_before=tuple(each[before:] for each in planned.facts.undo_before),
            ),
            others=tuple(each[before:] for each in planned.others),
            action="",
        )
        for planned in own
    )
    left_out = frozenset(
        name[before:] for name in plan.left_out if name.startswith(f"{action.name}.")
    )
    groups = groups_of(steps, {group.name: group.limit for group in action.plan.groups})
    return replace(action.plan, steps=steps, groups=groups, left_out=left_out, locked=plan.locked)


def left_out_inputs(plan: Plan) -> list[Problem]:
    """Return a problem for each input of an action of a chain that comes from one left out."""
    there = {planned.action for planned in plan.steps}
    return [
        Problem(
            code="input-left-out",
            message=f"{action.name} takes {source} as its {param}, and no step of "
            f"{source.partition('.')[0]} is chosen",
            ways_out=(f"let {source.partition('.')[0]} run too",),
        )
        for action in plan.actions
        if action.name in there
        for param, source in action.inputs.items()
        if source.partition(".")[0] not in there
    ]


OfAction = tuple[EditSet, list["RequiredStep"]]
"""The edits of one action of a chain, and the steps that it requires, both by its own names."""


def split(
    chain: str, actions: Sequence[str], edits: EditSet, rules: Sequence[RequiredStep]
) -> tuple[dict[str, OfAction], list[Problem]]:
    """Return the edits of a chain and the steps that it requires, by the action that they are for.

    They have qualified names. A step without an anchor is put at the end of the last action. A
    required step without a place may be in any action, and one beside a step that is not qualified
    has to be there in each action that has such a step.
    """
    found: dict[str, OfAction] = {each: (EditSet(owner=edits.owner), []) for each in actions}
    unknown: list[Problem] = []
    for kind in ("insertions", "wrappings", "removals", "limitings"):
        attribute = "anchor" if kind == "insertions" else "name"
        for edit in getattr(edits, kind):
            name: str | None = getattr(edit, attribute)
            action, _, own = (f"{actions[-1]}." if name is None else name).partition(".")
            if action in found and (own or name is None):
                changed = _with(edit, attribute, own or None)
                getattr(found[action][0], kind).append(changed)
            elif not (isinstance(edit, Insertion) and edit.if_missing == "skip"):
                unknown.append(_unqualified(chain, edit, str(name), actions))
    for rule in rules:
        action, _, anchor = rule.anchor.partition(".")
        if action in found and anchor:
            name = rule.name.removeprefix(f"{action}.")
            found[action][1].append(replace(rule, anchor=anchor, name=name))
        elif rule.side:
            for each in actions:
                found[each][1].append(replace(rule, within=("*",)))
    return found, unknown


def _with(edit: Any, attribute: str, value: str | None) -> Any:
    return type(edit)(**{**values_of(edit), attribute: value})


def _unqualified(chain: str, edit: Any, name: str, actions: Sequence[str]) -> Problem:
    action = name.partition(".")[0]
    example = did_you_mean(action, actions) or f"{actions[0]}.{name}"
    return Problem(
        code="unknown-step",
        message=f"{edit.origin.place or edit.origin}: {chain} has no step '{name}'; the steps of a "
        "chain are called ACTION.STEP",
        origins=(edit.origin,),
        ways_out=(f"for example {example}" if "?" not in example else example,),
    )
