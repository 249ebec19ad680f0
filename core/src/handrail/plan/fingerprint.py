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
    """Return `Plan.to_dict` as JSON without spaces; action and fingerprint come first."""

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
    wires = [[each.name, sorted(each.inputs.items())] for each in plan.actions]
    more = f",{compact(wires)}" if wires else ""
    return f"[{compact(plan.action)},[{','.join(steps)}]{more}]"


def _each(plan: Plan, rest: Callable[[PlannedStep], str]) -> Iterator[tuple[str, str]]:
    """Yield the quoted name of each step, and the text of `rest` for its facts."""
    alike: dict[Facts, str] = {}
    for planned in plan.steps:
        text = alike.get(planned.facts)
        if text is None:
            text = alike[planned.facts] = rest(planned)
        name = planned.name
        plain = name.isascii() and name.isidentifier()
        yield f'"{name}"' if plain else compact(name), text


def compact(value: object) -> str:
    """Return JSON without spaces, ASCII only."""
    return json.dumps(value, separators=(",", ":"))
