"""Reads a run's recorded plan as far as it is needed, and compares it with a plan. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handrail.journal.records import RecordedRun
    from handrail.plan.plan import Plan, PlannedStep

# A plan has megabytes in a long run, and tells what it is in its first line.
_HEAD = re.compile(r'\{"action":("(?:[^"\\]|\\.)*"),"fingerprint":"([0-9a-f]+)",')


@lru_cache(maxsize=1)
def _decoded(plan: str) -> Mapping[str, Any]:
    # It is long, and asked for more than once.
    decoded: Mapping[str, Any] = json.loads(plan)
    return decoded


def _head(plan: str) -> tuple[str, str]:
    found = _HEAD.match(plan)
    if found is None:
        decoded = _decoded(plan)
        return str(decoded.get("action", "")), str(decoded.get("fingerprint", ""))
    return str(json.loads(found[1])), found[2]


def action_of(plan: str) -> str:
    """Return the action that a recorded plan is of.

    It is not what the run is filed under: that is how the command line finds the action, such as
    `flows.py:nightly`.
    """
    return _head(plan)[0]


def is_of(plan: str, now: Plan) -> bool:
    """Whether a recorded plan has the steps, layers and versions of packs that `now` has."""
    return _head(plan) == (now.action, now.fingerprint)


def fingerprint_of(plan: str) -> str:
    """Return the fingerprint of a recorded plan."""
    return _head(plan)[1]


def origins_of(plan: str) -> Iterator[Mapping[str, Any]]:
    """Yield the origin of each step and layer of a recorded plan that a pack brought."""
    for step in steps_of(plan):
        for each in (step, *step.get("layers", ())):
            if each["origin"]["pack"]:
                yield each["origin"]


def steps_of(plan: str) -> Sequence[Mapping[str, Any]]:
    """Return what a recorded plan says of its steps."""
    steps: Sequence[Mapping[str, Any]] = _decoded(plan)["steps"]
    return steps


def begun(recorded: RecordedRun) -> list[Mapping[str, Any]]:
    """Return the recorded plan's entries for the steps that were started or skipped, in order."""
    known = {row.step for row in recorded.attempts}
    return [step for step in steps_of(recorded.row.plan) if step["name"] in known]


def drift(recorded: RecordedRun, plan: Plan) -> list[str]:
    """Return how the steps that were started or skipped differ from those of `plan`, in order."""
    versions = {
        row.step: None if row.state == "skipped" else row.data_version for row in recorded.attempts
    }
    lines: list[str] = []
    if is_of(recorded.row.plan, plan):
        for planned in plan.steps:
            version = versions.get(planned.name)
            if version not in (None, planned.step.data_version) and not planned.always_run:
                lines += _newer_data(planned, version)
        return lines
    place = -1
    for step in steps_of(recorded.row.plan):
        name = step["name"]
        if name not in versions or step["always_run"]:
            continue
        place += 1
        now = plan.steps[place] if place < len(plan.steps) else None
        if now is not None and now.name == name:
            lines += _changes(step, now, versions[name])
        elif name in plan.positions:
            lines.append(f"{name} was step {place + 1}, and is step {plan.positions[name] + 1}")
        else:
            lines.append(f"{name}{_whose(step)} is not in the plan any more")
    return lines


def installs(recorded: RecordedRun, plan: Plan) -> list[str]:
    """Return commands that reinstall started steps which `plan` no longer has."""
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
    if step["layers"] or now.layers:
        before = [layer["name"] for layer in step["layers"]]
        after = [layer.name for layer in now.layers]
        if before != after:
            shown = ", ".join(before) or "-", ", ".join(after) or "-"
            lines.append(f"{now.name} had the layers {shown[0]}, now {shown[1]}")
    pack = step["origin"]["pack"]
    if pack != now.origin.pack:
        lines.append(f"{now.name} was of {pack or 'the project'}, now of {now.origin.owner}")
    return lines + _newer_data(now, version)


def _newer_data(now: PlannedStep, version: int | None) -> list[str]:
    if version is None or version == now.step.data_version:
        return []
    return [f"{now.name} had recorded for data_version {version}, now {now.step.data_version}"]


def news(recorded: RecordedRun, plan: Plan) -> list[str]:
    """Return differences that do not prevent a resume: versions of packs, and later steps."""
    if is_of(recorded.row.plan, plan):
        return []
    steps = steps_of(recorded.row.plan)
    before = {step["name"]: step["origin"]["version"] for step in steps}
    lines = [
        f"{planned.name} is of {planned.origin}, was {before[planned.name]}"
        for planned in plan.steps
        if planned.name in before and before[planned.name] != planned.origin.version
    ]
    names = [planned.name for planned in plan.steps]
    lines += [f"{name} is new" for name in names if name not in before]
    lines += [f"{name} is gone" for name in before if name not in names]
    return lines
