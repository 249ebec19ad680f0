"""A plan as JSON text, and the fingerprint of a plan.

A run needs both before its first step, and most steps of a long plan differ only in their names. So
shared facts are encoded once and the text is concatenated; the result is that of `json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.plan.plan import Facts, Plan, PlannedStep


def plan_json(plan: Plan) -> str:
    """Return a plan as JSON without spaces; action and fingerprint come first.

    It is `Plan.to_dict`, but for steps that make runs, which have the `plan` of that run.
    """

    def rest(planned: PlannedStep) -> str:
        told = planned.to_dict()
        del told["name"]
        return compact(told)[1:]

    steps = [f'{{"name":{name},{alike}' for name, alike in _each(plan, rest)]
    return f'{compact(plan.head)[:-1]},"steps":[{",".join(steps)}]}}'


def identity_json(plan: Plan) -> str:
    """Return the JSON of the action and the identity of each step, which a fingerprint is of."""

    def rest(planned: PlannedStep) -> str:
        return compact(planned.identity[1:])[1:]

    steps = [f"[{name},{alike}" for name, alike in _each(plan, rest)]
    return f"[{compact(plan.action)},[{','.join(steps)}]]"


def _each(plan: Plan, rest: Callable[[PlannedStep], str]) -> Iterator[tuple[str, str]]:
    """Yield the quoted name of each step, and the text of `rest` for its facts."""
    alike: dict[Facts, str] = {}
    for planned in plan.steps:
        text = alike.get(planned.facts) if planned.inner is None else rest(planned)
        if text is None:
            text = alike[planned.facts] = rest(planned)
        name = planned.name
        plain = name.isascii() and name.isidentifier()
        yield f'"{name}"' if plain else compact(name), text


def compact(value: object) -> str:
    """Return JSON without spaces, ASCII only."""
    return json.dumps(value, separators=(",", ":"))
