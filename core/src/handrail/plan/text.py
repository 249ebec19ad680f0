"""A plan as text: the JSON of it, and what its fingerprint is of.

A run needs both before its first step, and most steps of a long plan differ in their names only. So
what they share is encoded once, and put together by hand; the text is that of `json`.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.plan.plan import Plan, PlannedStep


def plan_json(plan: Plan) -> str:
    """Return what `Plan.to_dict` says, as JSON without spaces; action and fingerprint first."""
    head = compact(plan.to_dict(steps=False))
    alike: dict[Hashable, str] = {}
    steps: list[str] = []
    for planned in plan.steps:
        key = _told_of(planned)
        rest = alike.get(key)
        if rest is None:
            told = planned.to_dict()
            del told["name"]
            rest = alike[key] = compact(told)[1:]
        steps.append(f'{{"name":{_quoted(planned.name)},{rest}')
    return f'{head[:-1]},"steps":[{",".join(steps)}]}}'


def _told_of(planned: PlannedStep) -> Hashable:
    if planned.layers:
        return planned
    return (
        planned.weight_share,
        id(planned.origin),
        planned.reason,
        planned.required,
        planned.undoable,
        planned.resumable,
        planned.always_run,
        planned.effects,
    )


def identity_json(plan: Plan) -> str:
    """Return the JSON of the action and the identity of each step, which a fingerprint is of."""
    alike: dict[Hashable, str] = {}
    steps: list[str] = []
    for planned in plan.steps:
        kind = type(planned.step) if planned.plain else planned
        origin = planned.origin
        key = (kind, origin.pack, origin.version, id(planned.weight), planned.always_run)
        rest = alike.get(key)
        if rest is None:
            rest = alike[key] = compact(planned.identity[1:])[1:]
        steps.append(f"[{_quoted(planned.name)},{rest}")
    return f"[{compact(plan.action)},[{','.join(steps)}]]"


def compact(value: object) -> str:
    """Return JSON without spaces, ASCII only."""
    return json.dumps(value, separators=(",", ":"))


def _quoted(name: str) -> str:
    return f'"{name}"' if name.isascii() and name.isidentifier() else compact(name)
