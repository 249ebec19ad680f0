"""What is recorded of a run: its plan, compared with another one, its params, and its choices."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from handrail.frozen import from_json, frozen, replace, values_of
from handrail.journal.damage import check_shape, check_texts, decode, decoding
from handrail.packs.configuration import Selection
from handrail.plan.selection import select
from handrail.redact import has_password, looks_secret

if TYPE_CHECKING:
    from handrail.journal.records import RunRow
    from handrail.plan.plan import Plan, PlannedStep

# A plan has megabytes in a long run, and tells what it is in its first line.
_HEAD = re.compile(r'\{"action":("(?:[^"\\]|\\.)*"),"fingerprint":"([0-9a-f]+)",')


@lru_cache(maxsize=1)
def _decoded(run: int, plan: str) -> Mapping[str, Any]:
    # Cached, because it is long, and read several times.
    decoded: dict[str, Any] = decode(plan, dict, run, "its plan")
    with decoding(run, "its plan"):
        for step in decoded["steps"]:
            if not (_is_part(step) and all(map(_is_part, step["layers"]))):
                raise TypeError("a step or a layer has a value of another type")
            if not isinstance(step["always_run"], bool):
                raise TypeError("always_run is neither true nor false")
            if not _is_lane(step.get("group"), step.get("lane")):
                raise TypeError("a group has no name, or a lane no number")
            if not all(isinstance(each, str) for each in step.get("undo_before", ())):
                raise TypeError("undo_before has something that is no name")
    return decoded


def _is_part(part: Mapping[str, Any]) -> bool:
    origin = part["origin"]
    names = part["name"], origin["version"]
    return (
        isinstance(names[0], str)
        and isinstance(names[1], str)
        and (origin["pack"] is None or isinstance(origin["pack"], str))
    )


def _is_lane(group: object, lane: object) -> bool:
    if group is None:
        return lane is None
    return isinstance(group, str) and type(lane) is int and lane >= 0


def _head(row: RunRow) -> tuple[str, str]:
    found = _HEAD.match(row.plan)
    if found is None:
        decoded = _decoded(row.number, row.plan)
        return str(decoded.get("action", "")), str(decoded.get("fingerprint", ""))
    return str(decode(found[1], str, row.number, "its plan")), found[2]


def action_of(row: RunRow) -> str:
    """Return the action of a run's plan.

    The run's own `action` may differ: it is how the command line finds the action, such as
    `flows.py:nightly`.
    """
    return _head(row)[0]


def is_of(row: RunRow, now: Plan) -> bool:
    """Return whether a run's plan has the steps, layers and versions of packs that `now` has."""
    return _head(row) == (now.action, now.fingerprint)


def plan_of(row: RunRow) -> Mapping[str, Any]:
    """Return a run's plan as it was recorded: `Plan.to_dict`.

    Raises:
        JournalDamagedError: The plan is not what was written.
    """
    return _decoded(row.number, row.plan)


def steps_of(row: RunRow) -> Sequence[Mapping[str, Any]]:
    """Return the steps of a run's plan as it was recorded.

    Raises:
        JournalDamagedError: The plan is not what was written.
    """
    steps: Sequence[Mapping[str, Any]] = _decoded(row.number, row.plan)["steps"]
    return steps


def begun(recorded: RunRow) -> list[Mapping[str, Any]]:
    """Return the recorded plan's entries for the steps that were started or skipped, in order."""
    known = {row.step for row in recorded.attempts}
    return [step for step in steps_of(recorded) if step["name"] in known]


def drift(recorded: RunRow, plan: Plan) -> list[str]:
    """Return how the steps that were started or skipped differ from those of `plan`, in order.

    Those of a group are compared lane by lane.
    """
    versions = {
        row.step: None if row.state == "skipped" else row.data_version for row in recorded.attempts
    }
    lines: list[str] = []
    if is_of(recorded, plan):
        for planned in plan.steps:
            version = versions.get(planned.name)
            if version not in (None, planned.step.data_version) and not planned.always_run:
                lines += _newer_data(planned, version)
        return lines
    places = _Places(plan)
    for step in steps_of(recorded):
        name = step["name"]
        if name not in versions or step["always_run"]:
            continue
        was, place = places.take(step)
        now = plan.steps[place] if place is not None and place < len(plan.steps) else None
        if now is not None and now.name == name:
            lines += _changes(step, now, versions[name])
        elif name in plan.positions:
            lines.append(f"{name} was {was}, and is {_place_of(plan, plan.positions[name])}")
        else:
            lines.append(f"{name}{_whose(step)} is not in the plan any more")
    return lines


class _Places:
    """Where the next step that was started should stand in a plan: in its lane, if it has one."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._next = 0
        # By group and lane as they were: its lane in the plan, and how many were taken.
        self._lanes: dict[tuple[str, int], tuple[range | None, int]] = {}

    def take(self, step: Mapping[str, Any]) -> tuple[str, int | None]:
        """Return the former place of a step in words, and the position that it should have now."""
        group = step.get("group")
        if group is None:
            self._next += 1
            return f"step {self._next}", self._next - 1
        span = self._plan.span(group)
        if span is not None:
            self._next = span.stop
        key = group, int(step["lane"])
        lane, count = self._lanes.get(key) or (self._lane_of(step["name"], group), 0)
        self._lanes[key] = lane, count + 1
        was = f"step {count + 1} of lane {key[1] + 1} of {group}"
        return was, lane[count] if lane is not None and count < len(lane) else None

    def _lane_of(self, name: str, group: str) -> range | None:
        # By the step with which it began: lanes that have not may have gone, or be new.
        position = self._plan.positions.get(name)
        if position is None or self._plan.steps[position].group != group:
            return None
        return next(lane for lane in self._plan.group_at(position).lanes if position in lane)


def _place_of(plan: Plan, position: int) -> str:
    planned = plan.steps[position]
    if planned.group is None:
        return f"step {position + 1}"
    lane = next(lane for lane in plan.group_at(position).lanes if position in lane)
    number = (planned.lane or 0) + 1
    return f"step {position - lane.start + 1} of lane {number} of {planned.group}"


def installs(recorded: RunRow, plan: Plan) -> list[str]:
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
    if ("plan" in step) != (now.inner is not None):
        made, makes = ("a run", "none") if "plan" in step else ("no run", "one")
        lines.append(f"{now.name} made {made}, and makes {makes} now")
    return lines + _newer_data(now, version)


def _newer_data(now: PlannedStep, version: int | None) -> list[str]:
    if version is None or version == now.step.data_version:
        return []
    return [f"{now.name} had recorded for data_version {version}, now {now.step.data_version}"]


@frozen
class Invocation:
    """The choices that a run was called with.

    Attributes:
        no_packs: Packs that were off by a flag or a variable.
        only_packs: The only packs that were on, or None.
        values: Settings of packs: pack, dotted key and text; none that looks like a secret.
        left_out: Those that do, without their values.
        only: Names of the only steps to run.
        start: Name of the first step to run, or None.
        skip: Names of the steps to leave out.
        no_lock: Whether the lock was left aside.
        secrets: The variables from which packs have read secrets.
        executor: The URL of the executor for items, or None for the default one.
        derived_by: The option that has derived the action of the run from another one: its entry
            point, such as `run.over`.
        derivation: What it needs to derive it again.
    """

    no_packs: tuple[str, ...] = ()
    only_packs: tuple[str, ...] | None = None
    values: tuple[tuple[str, str, str], ...] = ()
    left_out: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    start: str | None = None
    skip: tuple[str, ...] = ()
    no_lock: bool = False
    secrets: tuple[str, ...] = ()
    executor: str | None = None
    derived_by: str | None = None
    derivation: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        selection: Selection,
        values: Iterable[tuple[str, str, str]],
        **more: Any,
    ) -> Invocation:
        """Return an invocation, without the values that look like secrets.

        Args:
            selection: The packs that are on or off.
            values: The settings of packs, as pack, dotted key and text.
            **more: Other attributes.
        """
        kept: list[tuple[str, str, str]] = []
        left_out: list[str] = []
        for pack, key, text in values:
            if looks_secret(f"{key} {text}") or has_password(text):
                left_out.append(f"{pack}.{key}")
            else:
                kept.append((pack, key, text))
        chosen = values_of(selection)
        return cls(**chosen, values=tuple(kept), left_out=tuple(left_out), **more)

    def to_json(self) -> str:
        """Return the JSON form."""
        given = {name: each for name, each in values_of(self).items() if each is not None}
        return json.dumps(given, separators=(",", ":"))

    @classmethod
    def of_row(cls, row: RunRow) -> Invocation:
        """Return the recorded invocation of a run; a key that is missing has its default.

        Raises:
            JournalDamagedError: It is not what was written.
        """
        return cls.of_json(row.packs, row.number)

    @classmethod
    def of_json(cls, text: str, number: int) -> Invocation:
        """Return the recorded invocation of the run with a number; see `of_row`."""
        stored: dict[str, Any] = decode(text, dict, number, "its packs")
        with decoding(number, "its packs"):
            return from_json(cls, stored)

    @property
    def selection(self) -> Selection:
        """The packs that were on or off."""
        return Selection(no_packs=self.no_packs, only_packs=self.only_packs)

    def part_of(self, plan: Plan, row: RunRow) -> Plan:
        """Return the part of `plan` that was chosen, as far as its steps are still there.

        Args:
            plan: The whole plan, as it is now.
            row: The run, with the plan that it began with.
        """

        def there(names: Iterable[str]) -> list[str]:
            return [name for name in names if plan.span(name) is not None]

        only = there(self.only)
        if self.only and not only:
            return replace(plan, steps=())
        start = self.start
        if start is not None and not there([start]):
            start = next(iter(there(str(step["name"]) for step in steps_of(row))), None)
        return select(plan, only=only, start=start, skip=there(self.skip))


def stored_params(row: RunRow) -> Mapping[str, Any]:
    """Return the stored params of a run: their `values`, and in `secrets` the variable of each.

    Raises:
        JournalDamagedError: They are not what was written.
    """
    stored: dict[str, Any] = decode(row.params, dict, row.number, "its params")
    if not stored:  # A run of an Orchestrator alone has none.
        return {"values": {}, "secrets": {}}
    with decoding(row.number, "its params"):
        check_shape(stored["values"], dict)
        for texts in (stored["secrets"], stored.get("hidden", {})):
            check_texts((*texts, *texts.values()))
        check_texts(stored.get("json", ()))
    return stored
