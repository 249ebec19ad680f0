"""The check that a plan does not depend on the order in which packs are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from handrail import BaseAction, Plan, Problem, Workflow, hookimpl, step
from handrail.errors import ActionError, HandrailError, ParamsNeededError, PlanError
from handrail_testing.checks.subject import Subject, UncheckedError


def load_order(subject: Subject) -> Iterator[Problem]:
    """Plan each action in several orders of packs, and yield a problem if the plans differ."""
    if not subject.record.hooks and not subject.record.actions:
        raise UncheckedError("it has neither hooks nor actions")
    actions = list(_actions(subject))
    if not actions:
        raise UncheckedError("there is no action to plan; name some in the contract: actions = ...")
    planned = 0
    for action in actions:
        try:
            plans = [_plan(action, packs) for packs in _orders(subject)]
        except PlanError as error:
            # Grants are the decision of each project.
            problems = [each for each in error.problems if not each.code.endswith("-needs-grant")]
            planned += bool(problems)
            yield from problems
            continue
        except (ParamsNeededError, ActionError):
            continue
        except HandrailError as error:
            yield Problem(
                code=error.code,
                message=error.message,
                origins=(error.origin or subject.origin,),
                ways_out=error.ways_out,
            )
            continue
        planned += 1
        other = next((plan for plan in plans if plan.fingerprint != plans[0].fingerprint), None)
        if other is not None:
            yield Problem(
                code="plan-unstable",
                message=f"{subject.origin} plans {plans[0].action} now this way, now that",
                origins=(subject.origin,),
                details=tuple(plans[0].diff(other)),
                ways_out=(
                    "a hook answers from its arguments alone: no counters, no clock, no sets whose "
                    "order changes",
                ),
            )
    if not planned:
        raise UncheckedError("none of its actions can be planned without params")


def _actions(subject: Subject) -> Iterator[type[BaseAction[Any]]]:
    own = (subject.target(entry) for entry in subject.record.actions)
    for action in (*own, *subject.actions):
        if isinstance(action, Workflow):
            yield action.action_class
        elif isinstance(action, type) and issubclass(action, BaseAction):
            yield action


def _orders(subject: Subject) -> Iterable[Sequence[object]]:
    pack = subject.packs.contributors()
    before, behind = _neighbour("AaaNeighbour"), _neighbour("ZzzNeighbour")
    yield (before, *pack, behind)
    yield (before, *pack, behind)
    yield (behind, *pack, before)
    yield (*pack, behind, before)


def _plan(action: type[BaseAction[Any]], packs: Sequence[object]) -> Plan:
    return action.partial({}, packs=packs).plan()


def _neighbour(name: str) -> object:
    """Return hooks, of a class of that name, that put a step of their own behind every step."""

    @hookimpl
    def insert_after(action: Any, step: Any) -> Any:
        return _marker(f"{name}_of_{step.name}")

    return type(name, (), {"insert_after": staticmethod(insert_after)})()


def _marker(name: str) -> Any:
    @step(name=name, weight=0.0, effects=False)
    def mark(context: Any) -> None:
        return None

    return mark
