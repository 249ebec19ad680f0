"""The check that a pack shapes a plan the same way, whoever is loaded before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from handrail.actions import BaseAction
from handrail.errors import ActionError, HandrailError, ParamsNeededError, PlanError, Problem
from handrail.hookspecs import hookimpl
from handrail.packs.explicit import explicit_packs
from handrail.packs.loaded import LoadedPack
from handrail.packs.loader import load_inline
from handrail.plan.plan import Plan
from handrail.steps import step
from handrail.testing.subject import Subject, UncheckedError
from handrail.workflow import Workflow


def load_order(subject: Subject) -> Iterator[Problem]:
    """Plans each action several times, with neighbours before and behind; all are the same."""
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
            # What needs a grant is for each project to decide.
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


def _orders(subject: Subject) -> Iterable[Sequence[LoadedPack]]:
    pack = subject.loaded
    before, behind = _neighbour("aaa-neighbour"), _neighbour("zzz-neighbour")
    yield (before, pack, behind)
    yield (before, pack, behind)
    yield (behind, pack, before)
    yield (pack, behind, before)


def _plan(action: type[BaseAction[Any]], packs: Sequence[LoadedPack]) -> Plan:
    return action.partial({}, packs=explicit_packs(packs)).plan()


def _neighbour(name: str) -> LoadedPack:
    """Return a pack that puts a step of its own behind every step."""
    stem = name.replace("-", "_")

    @hookimpl
    def insert_after(action: Any, step: Any) -> Any:
        return _marker(f"{stem}_of_{step.name}")

    return load_inline(SimpleNamespace(insert_after=insert_after), name)


def _marker(name: str) -> Any:
    @step(name=name, weight=0.0, effects=False)
    def mark(context: Any) -> None:
        return None

    return mark
