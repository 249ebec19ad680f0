"""Finds the steps of a recorded run that were renamed since: by their aliases. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import TYPE_CHECKING

from handrail.entry import innermost
from handrail.frozen import replace

if TYPE_CHECKING:
    from handrail.plan.plan import Plan, PlannedStep


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
