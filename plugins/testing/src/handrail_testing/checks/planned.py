"""The check that a plan does not depend on the order in which packs are loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any

from handrail import BaseAction, Plan, Problem, Workflow, hookimpl, step
from handrail.errors import ActionError, HandrailError, ParamsError, ParamsNeededError, PlanError
from handrail_testing.checks.subject import Subject, UncheckedError

_SLOW = 0.5  # Seconds for one plan; the plan of a pack that only answers takes milliseconds.


def load_order(subject: Subject) -> Iterator[Problem]:
    """Plan each action in several orders of packs, and yield a problem if the plans differ."""
    if not subject.record.hooks and not subject.record.offered("actions"):
        raise UncheckedError("it has neither hooks nor actions")
    actions = list(actions_of(subject))
    if not actions:
        raise UncheckedError("there is no action to plan; name some in the contract: actions = ...")
    unplanned: dict[str, str] = {}
    found: list[Problem] = []
    plans: list[Plan] = []
    took: dict[str, float] = {}
    for action in actions:
        try:
            timed = [_plan(action, packs) for packs in _orders(subject)]
        except (ParamsNeededError, ParamsError, ActionError) as error:
            unplanned[action.action_name] = error.message
        except HandrailError as error:
            problems = _problems(subject, error)
            found += problems
            if not problems:
                unplanned[action.action_name] = "it needs a grant of the project"
        else:
            made = [plan for plan, _ in timed]
            plans.append(made[0])
            took[action.action_name] = min(seconds for _, seconds in timed)
            found += _unstable(subject, made)
    if not found and not plans and unplanned:
        raise UncheckedError("; ".join(f"{name}: {why}" for name, why in unplanned.items()))
    yield from dict.fromkeys(found)
    yield from (
        subject.problem(
            "not-planned",
            f"{name} was not planned: {why}",
            "plan it in a test of yours, with its params",
        )
        for name, why in unplanned.items()
    )
    if not found:
        yield from _idle(subject, plans)
    yield from _slow(subject, took)


def _problems(subject: Subject, error: HandrailError) -> list[Problem]:
    """Return the problems of planning; missing grants are none, as they are for each project."""
    if isinstance(error, PlanError):
        return [each for each in error.problems if not each.code.endswith("-needs-grant")]
    return [
        Problem(
            code=error.code,
            message=error.message,
            origins=(error.origin or subject.origin,),
            ways_out=error.ways_out,
        )
    ]


def _unstable(subject: Subject, plans: Sequence[Plan]) -> Iterator[Problem]:
    """Yield a problem if the plans of one action differ."""
    other = next((plan for plan in plans if plan.fingerprint != plans[0].fingerprint), None)
    if other is not None:
        yield subject.problem(
            "plan-unstable",
            f"{subject.origin} plans {plans[0].action} now this way, now that",
            "a hook answers from its arguments alone: no counters, no clock, no sets whose "
            "order changes",
            details=tuple(plans[0].diff(other)),
        )


def _idle(subject: Subject, plans: Sequence[Plan]) -> Iterator[Problem]:
    """Yield a problem if the pack has hooks that shape plans, and shapes none of these."""
    shaping = ("setup_steps", "insert_before", "insert_after", "wrap_step")
    packs = [pack for pack in subject.packs.contributors() if any(map(pack.implements, shaping))]
    names = [plan.action for plan in plans if plan.steps]
    if not packs or not names or any(_edits(plan, subject.record.id) for plan in plans):
        return
    yield subject.problem(
        "idle-hook",
        f"the hooks of {subject.origin} do nothing in {', '.join(names)}",
        "compare the names in its hooks with those of the steps:  handrail plan ACTION",
        "or name in the contract the actions that it shapes:  actions = ...",
    )


def _slow(subject: Subject, took: Mapping[str, float]) -> Iterator[Problem]:
    """Yield a problem if planning takes long: every run, listing and completion waits for it."""
    slowest = max(took, key=lambda name: took[name], default="")
    if slowest and took[slowest] >= _SLOW:
        yield subject.problem(
            "slow-hooks",
            f"planning {slowest} with {subject.origin} takes {took[slowest]:.1f} s",
            "let its hooks answer from their arguments alone, and its steps do the work",
            "what imports take:  python -X importtime -m handrail plan ACTION",
        )


def _edits(plan: Plan, pack: str) -> int:
    """Return the number of edits of a pack that have a place in a plan."""
    if plan.history is None:
        return 0
    lost = sum(insertion.origin.pack == pack for insertion in plan.history.left_out)
    return sum(edits.count for edits in plan.history.edits if edits.owner == pack) - lost


def actions_of(subject: Subject) -> Iterator[type[BaseAction[Any]]]:
    """Yield the actions of the pack, and those that it is planned with."""
    own = (subject.target(entry) for entry in subject.record.offered("actions"))
    for action in (*own, *subject.actions):
        if isinstance(action, Workflow):
            yield action.action_class
        elif isinstance(action, type) and issubclass(action, BaseAction):
            yield action


def _orders(subject: Subject) -> Iterable[Sequence[object]]:
    pack = [each for each in subject.packs.contributors() if each.hooks]
    before, behind = _neighbour("AaaNeighbour"), _neighbour("ZzzNeighbour")
    yield (before, *pack, behind)
    yield (before, *pack, behind)
    yield (behind, *pack, before)
    yield (*pack, behind, before)


def _plan(action: type[BaseAction[Any]], packs: Sequence[object]) -> tuple[Plan, float]:
    """Return the plan, and the seconds that it took."""
    began = perf_counter()
    return action.partial({}, packs=packs).plan(), perf_counter() - began


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
