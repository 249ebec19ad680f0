"""How runs differ: their outcomes, params, packs, plans, times, metrics and steps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Shown = Mapping[str, Any]  # A run, or another object in its JSON form.


_ABOUT = ("action", "state", "plan", "core_version", "folder", "project")
_MUCH = 1.2  # Times of a step are told if the longest is so many times the shortest,
_LONG = 0.1  # and so many seconds more.


def comparison_of(shown: Sequence[Shown]) -> dict[str, Any]:
    """Return what differs between runs: for each thing a list, with a value for each run.

    Args:
        shown: The JSON objects of the runs, as `handrail show --json` writes them.
    """
    runs = [each["run"] for each in shown]
    about = {name: [run.get(name) for run in runs] for name in _ABOUT}
    owners = [_owner(run) for run in runs]
    found: dict[str, Any] = {name: each for name, each in about.items() if _differ(each)}
    if _differ(owners):
        found["by"] = owners
    found["took"] = [run["took"] for run in runs]
    if any(run["undo_took"] for run in runs):
        found["undo_took"] = [run["undo_took"] for run in runs]
    parts = {
        "params": _by_name(_part(run, "given") for run in runs),
        "packs": _by_name(_packs(run) for run in runs),
        "metrics": _by_name((_metrics(each) for each in shown), same=True),
        "items": _by_name(_items(each) for each in shown),
    }
    steps = [{step["name"]: step for step in each["steps"]} for each in shown]
    names = list(dict.fromkeys(name for each in steps for name in each))
    told: dict[str, Any] = {}
    for name in names:
        these = [each.get(name) for each in steps]
        states = [None if step is None else step["state"] for step in these]
        took = [None if step is None else step["took"] for step in these]
        if _differ(states) or _much(took):
            told[name] = {"state": states, "took": took}
    parts["steps"] = told
    return {**found, **{name: each for name, each in parts.items() if each}}


def _by_name(values: Iterable[Mapping[str, Any]], *, same: bool = False) -> dict[str, list[Any]]:
    """Return the values of each name that differ, or all of them if `same`."""
    each = list(values)
    names = dict.fromkeys(name for mapping in each for name in mapping)
    found = {name: [mapping.get(name) for mapping in each] for name in names}
    return {name: values for name, values in found.items() if same or _differ(values)}


def _differ(values: Sequence[object]) -> bool:
    return any(value != values[0] for value in values)


def _much(took: Sequence[float | None]) -> bool:
    known = [each for each in took if each is not None]
    if len(known) < 2:
        return False
    return max(known) > min(known) * _MUCH and max(known) - min(known) > _LONG


def _part(shown: Shown, name: str) -> Shown:
    part: Shown | None = shown.get(name)
    return part or {}


def _owner(run: Shown) -> str:
    owner = run["owner"]
    return " on ".join(str(owner[name]) for name in ("user", "host") if owner.get(name))


def _packs(run: Shown) -> Mapping[str, str]:
    return {name: each["then"] for name, each in _part(run, "packs").items()}


def _metrics(shown: Shown) -> dict[str, Any]:
    """Return the last value of each metric."""
    return {
        name: metric["points"][-1][2] if "points" in metric else metric.get("last")
        for step in shown["steps"]
        for name, metric in _part(step, "metrics").items()
    }


def _items(shown: Shown) -> dict[str, Any]:
    kinds = ("done", "failed", "undone", "left")
    return {
        f"{step['name']} {kind}": step["items"][kind]
        for step in shown["steps"]
        if step.get("items")
        for kind in kinds
        if step["items"].get(kind)
    }
