"""Whether the plan of a recorded run is still the one that it began with. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handrail.journal.records import RecordedRun
    from handrail.plan.plan import Plan, PlannedStep


def begun(recorded: RecordedRun) -> list[Mapping[str, Any]]:
    """Return what the recorded plan says of the steps that began, or were skipped, in order."""
    steps: list[Mapping[str, Any]] = json.loads(recorded.row.plan)["steps"]
    known = {row.step for row in recorded.attempts}
    return [step for step in steps if step["name"] in known]


def drift(recorded: RecordedRun, plan: Plan) -> list[str]:
    """Return how the steps that began differ from those of `plan`, one line each."""
    versions = {row.step: row.data_version for row in recorded.attempts if row.state != "skipped"}
    ordinary = [step for step in begun(recorded) if not step["always_run"]]
    lines: list[str] = []
    for place, step in enumerate(ordinary):
        name = str(step["name"])
        now = plan.steps[place] if place < len(plan.steps) else None
        if now is not None and now.name == name:
            lines += _changes(step, now, versions.get(name))
        elif name in plan.positions:
            lines.append(f"{name} was step {place + 1}, and is step {plan.positions[name] + 1}")
        else:
            lines.append(f"{name}{_whose(step)} is not in the plan any more")
    return lines


def installs(recorded: RecordedRun, plan: Plan) -> list[str]:
    """Return how to get the steps back that began and are not in `plan` any more."""
    lost = [step["origin"] for step in begun(recorded) if step["name"] not in plan.positions]
    wanted = dict.fromkeys(f"{each['pack']}=={each['version']}" for each in lost if each["pack"])
    return [f"install what it began with:  pip install {each}" for each in wanted] or [
        "install what it began with"
    ]


def _whose(step: Mapping[str, Any]) -> str:
    origin = step["origin"]
    return f" of {origin['pack']} {origin['version']}" if origin["pack"] else ""


def _changes(step: Mapping[str, Any], now: PlannedStep, version: int | None) -> list[str]:
    lines: list[str] = []
    layers = [layer["name"] for layer in step["layers"]]
    if layers != [layer.name for layer in now.layers]:
        after = ", ".join(layer.name for layer in now.layers)
        lines.append(f"{now.name} had the layers {', '.join(layers) or '-'}, now {after or '-'}")
    pack = step["origin"]["pack"]
    if pack != now.origin.pack:
        lines.append(f"{now.name} was of {pack or 'the project'}, now of {now.origin.owner}")
    if version is not None and version != now.step.data_version:
        lines.append(
            f"{now.name} had recorded for data_version {version}, now {now.step.data_version}"
        )
    return lines


def news(recorded: RecordedRun, plan: Plan) -> list[str]:
    """Return what else differs, which does not stop a run: versions of packs, steps to come."""
    steps: list[Mapping[str, Any]] = json.loads(recorded.row.plan)["steps"]
    before = {str(step["name"]): step["origin"]["version"] for step in steps}
    lines = [
        f"{planned.name} is of {planned.origin}, was {before[planned.name]}"
        for planned in plan.steps
        if planned.name in before and before[planned.name] != planned.origin.version
    ]
    names = [planned.name for planned in plan.steps]
    lines += [f"{name} is new" for name in names if name not in before]
    lines += [f"{name} is gone" for name in before if name not in names]
    return lines
