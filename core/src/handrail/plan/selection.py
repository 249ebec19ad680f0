"""Other plans of an action: a part of its steps, and the names that steps had when a run began."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence

from handrail.entry import innermost
from handrail.errors import StepNotFoundError
from handrail.frozen import replace
from handrail.plan.plan import Plan, PlannedStep, groups_of


def select(
    plan: Plan,
    *,
    only: Sequence[str] = (),
    start: str | None = None,
    skip: Iterable[str] = (),
) -> Plan:
    """Return `plan` with only the selected steps; weight shares are computed again.

    The name of a group stands for all of its steps.

    Args:
        plan: The whole plan.
        only: Names of the steps to keep; all when empty.
        start: Name of the first step to keep; all that come before it are dropped. The other lanes
            of its group do not.
        skip: Names of steps to drop.

    Raises:
        StepNotFoundError: No step and no group of the plan answers to one of the names.
    """
    kept = set(range(len(plan.steps)))
    if only:
        kept = {position for name in only for position in _span(plan, name)}
    if start is not None:
        kept = kept.difference(*plan.before(_span(plan, start)))
    kept = kept.difference(*(_span(plan, name) for name in skip))
    return with_steps(plan, [plan.steps[position] for position in sorted(kept)])


def with_steps(plan: Plan, steps: Sequence[PlannedStep]) -> Plan:
    """Return a plan of the same action with `steps`; the weight shares add up to 1 again.

    The lanes that remain of a group are numbered anew.
    """
    total = sum(planned.facts.weight for planned in steps)
    kept_lanes: dict[str | None, dict[int | None, int]] = {}
    for planned in steps if plan.groups else ():
        numbers = kept_lanes.setdefault(planned.group, {})
        numbers.setdefault(planned.lane, len(numbers))
    alike = {
        facts: replace(
            facts,
            weight_share=float(facts.weight / total) if total else 1 / len(steps),
            lane=None if facts.group is None else kept_lanes[facts.group][facts.lane],
        )
        for facts in {planned.facts for planned in steps}
    }
    kept = {name for planned in steps for name in planned.names}
    chosen = tuple(replace(planned, facts=alike[planned.facts]) for planned in steps)
    return replace(
        plan,
        left_out=plan.left_out | (plan.positions.keys() - kept),
        steps=chosen,
        groups=groups_of(chosen, {group.name: group.limit for group in plan.groups}),
    )


def _span(plan: Plan, name: str) -> range:
    span = plan.span(name)
    if span is None:
        known = (*(each.name for each in plan.steps), *(each.name for each in plan.groups))
        raise StepNotFoundError.among(name, known)
    return span


def under_names(plan: Plan, names: Iterable[str]) -> Plan:
    """Return a plan with each step under the one of these names that it had formerly.

    So a run that began before a step was renamed keeps one name for it: in its journal, in its
    idempotency keys, and in the marks of what it made.

    Args:
        plan: The plan as it is now.
        names: The names of the steps of a run when it began.
    """
    wanted = dict.fromkeys(names)
    steps = tuple(
        planned if planned.name in wanted else _under(planned, wanted) for planned in plan.steps
    )
    # Two steps under one former name are a problem of the plan, and none of them has it.
    clash = len({planned.name for planned in steps}) < len(steps)
    return plan if clash or steps == plan.steps else replace(plan, steps=steps)


def _under(planned: PlannedStep, names: Container[str]) -> PlannedStep:
    former = next((name for name in _former(planned) if name in names), None)
    if former is None:
        return planned
    others = (planned.name, *(name for name in planned.others if name != former))
    return replace(planned, name=former, others=others)


def _former(planned: PlannedStep) -> Iterator[str]:
    """Yield the names that a step may have had: its own, and those of wrappers around it."""
    yield from planned.others
    inner = str(innermost(planned.step).name)
    if planned.name != inner and planned.name.endswith(inner):
        head = planned.name.removesuffix(inner)
        yield from (f"{head}{name}" for name in planned.others)
