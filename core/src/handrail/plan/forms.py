"""Forms of a plan: its JSON, what its fingerprint is of, and what differs from another one.

A run needs both before its first step, and most steps of a long plan differ only in their names. So
shared facts are encoded once and the text is concatenated; the result is that of `json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

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


def unfolded(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan in its JSON form, in which steps that make runs are replaced by their steps.

    These are called `STEP.NAME`, and have the step as their `action`. Those that always run come
    last. The `actions` of the plan are the steps that were replaced, with their inputs.
    """
    steps: list[dict[str, Any]] = []
    actions: list[dict[str, Any]] = []
    groups: list[dict[str, Any]] = list(plan.get("groups", ()))
    for step in plan["steps"]:
        inner = step.get("plan")
        if inner is None:
            steps.append(step)
            continue
        inner, name = unfolded(inner), step["name"]
        actions.append({"name": name, "action": inner["action"], "inputs": step["inputs"]})
        steps += [within(step, each) for each in inner["steps"]]
        groups += [{**each, "name": f"{name}.{each['name']}"} for each in inner.get("groups", ())]
    steps.sort(key=lambda each: bool(each.get("always_run")))
    return {
        **{key: value for key, value in plan.items() if key != "steps"},
        **({"groups": groups} if groups else {}),
        **({"actions": actions} if actions else {}),
        "steps": steps,
    }


def within(outer: Mapping[str, Any], step: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step of a run as one of the step that makes the run, both in their JSON form."""
    name = outer["name"]
    found = {**step, "name": f"{name}.{step['name']}", "action": name}
    if "weight_share" in step and "weight_share" in outer:
        found["weight_share"] = step["weight_share"] * outer["weight_share"]
    if step.get("group") is not None:
        found["group"] = f"{name}.{step['group']}"
    if step.get("undo_before"):
        found["undo_before"] = [f"{name}.{each}" for each in step["undo_before"]]
    return found


def differences(old: Plan, new: Plan) -> list[str]:
    """Return the changes from a plan to another, one `+`, `-` or `~` line per step."""
    mine = {planned.name: planned for planned in old.steps}
    theirs = {planned.name: planned for planned in new.steps}
    lines = [f"- {name} ({mine[name].origin})" for name in mine if name not in theirs]
    before = {name: place for place, name in enumerate(n for n in mine if n in theirs)}
    after = {name: place for place, name in enumerate(n for n in theirs if n in mine)}
    for position, name in enumerate(theirs):
        if name not in mine:
            lines.append(f"+ {name} ({theirs[name].origin}), {theirs[name].reason}")
        elif mine[name].identity != theirs[name].identity:
            lines.append(f"~ {name}: {_change(mine[name], theirs[name])}")
        elif before[name] != after[name]:
            lines.append(f"~ {name}: moved to place {position + 1}")
    return lines


def _change(old: PlannedStep, new: PlannedStep) -> str:
    if (old.group, old.lane) != (new.group, new.lane):
        return f"{_lane(old)} became {_lane(new)}"
    if [layer.title for layer in old.layers] != [layer.title for layer in new.layers]:
        return f"layers {_stack(old)} became {_stack(new)}"
    return f"{old.origin} became {new.origin}"


def _lane(planned: PlannedStep) -> str:
    return "no group" if planned.lane is None else f"lane {planned.lane + 1} of {planned.group}"


def _stack(planned: PlannedStep) -> str:
    return "(".join([layer.title for layer in planned.layers] + ["·"]) + ")" * len(planned.layers)
