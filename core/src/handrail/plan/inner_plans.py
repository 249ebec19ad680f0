"""Shows a plan with the steps of the runs that its steps make, in place of these. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


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
