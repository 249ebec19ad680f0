"""The boxes in a picture of a plan: steps, in the frames of their lanes, groups and actions.

A plan of up to 100 steps is shown whole. Of a longer one the first and the last steps are shown,
and in between those that need a look; the others share boxes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Literal, TypeAlias

from handrail.amounts import plural
from handrail.frozen import frozen

MOST = 100
"""Boxes of a picture."""

_FIRST, _LAST, _BETWEEN = 20, 10, 10  # Steps of a longer plan that have boxes of their own.
_LANES = 4  # So many lanes without a step of these are only counted.
# States of steps that need a look.
_URGENT = (
    *("failed", "failed and undone", "undo failed", "interrupted", "may have left something"),
    *("running", "unknown"),
)


@frozen
class StepBox:
    """A box for one step.

    Attributes:
        number: Its place in the plan, from 1.
        planned: What the plan says of it.
        state: How far it came; None if the picture shows no states.
        note: What stands behind its state.
    """

    number: int
    planned: Mapping[str, Any]
    state: str | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """Its name, without that of its action in a chain."""
        name = str(self.planned["name"])
        return name.removeprefix(f"{self.planned.get('action', '')}.") or name

    @property
    def pack(self) -> str | None:
        """The pack that it is from, or None."""
        return _origin_of(self.planned).get("pack")

    @property
    def owner(self) -> str:
        """The pack with its version, or the file."""
        return _owner_of(self.planned)

    @property
    def brought(self) -> bool:
        """Whether somebody else than its action has put it there."""
        return str(self.planned.get("reason", "base")) != "base"

    @property
    def place(self) -> str:
        """Its owner, and the reason for its place."""
        return f"{self.owner}, {self.planned['reason']}" if self.brought else self.owner

    @property
    def chips(self) -> list[str]:
        """What else holds for it, in a word each."""
        planned = self.planned
        limits: Mapping[str, Any] = planned.get("limits") or {}
        required, final = bool(planned.get("required")), bool(planned.get("final"))
        known = {
            "undo": planned.get("undo"),
            "undo of items": planned.get("undoes_items") and not planned.get("undo"),
            "required, final": required,
            "final": final and not required,
            "only reads": planned.get("effects") is False and not required,
            "isolated": limits.get("isolated"),
            f"timeout {limits.get('timeout', 0):g}s": limits.get("timeout"),
        }
        return [word for word, holds in known.items() if holds]

    @property
    def layers(self) -> list[tuple[str, str]]:
        """The name and the owner of each layer around it, outermost first."""
        return [(str(each["name"]), _owner_of(each)) for each in self.planned.get("layers", ())]


@frozen
class StepsBox:
    """A box for steps that follow each other.

    Attributes:
        steps: The steps.
    """

    steps: Sequence[StepBox]

    @property
    def name(self) -> str:
        """How many they are, and of which pack."""
        packs = {step.pack: step.owner for step in self.steps}
        if len(packs) > 1:
            return f"{len(self.steps):,} steps of {len(packs)} packs"
        [(pack, owner)] = packs.items()
        return f"{len(self.steps):,} steps of {pack or owner}"

    @property
    def place(self) -> str:
        """The first and the last of them."""
        return f"{self.steps[0].name} … {self.steps[-1].name}"

    @property
    def states(self) -> str:
        """How many are in which state."""
        counts = Counter(step.state for step in self.steps)
        return ", ".join(f"{count:,} {state}" for state, count in counts.items())


@frozen
class BoxFrame:
    """The frame of an action of a chain, of a group, or of one of its lanes.

    Attributes:
        kind: Which of them it is; in the frame of a group are those of its lanes.
        name: Its name, that of a group without that of its action.
        about: The inputs that an action takes from others, a line for each; or how many lanes a
            group has.
        items: What is in it.
    """

    kind: Literal["action", "group", "lane"]
    name: str
    about: Sequence[str]
    items: Sequence[Box]


Box: TypeAlias = StepBox | StepsBox | BoxFrame
"""What is in a picture of a plan."""


def boxes_of(
    plan: Mapping[str, Any],
    states: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> tuple[Sequence[Box], Sequence[Box]]:
    """Return what a picture of a plan shows: its steps, and those that always run.

    Args:
        plan: The plan as `Plan.to_dict` returns it.
        states: The states of its steps, by their names.
        notes: What stands behind these.
    """
    steps = [
        StepBox(
            number=number,
            planned=planned,
            state=None if states is None else states.get(planned["name"], "not started"),
            note=(notes or {}).get(planned["name"], ""),
        )
        for number, planned in enumerate(plan["steps"], 1)
    ]
    closing = len(steps)
    while closing and steps[closing - 1].planned.get("always_run"):
        closing -= 1
    frames = _Frames(plan, _picked(steps))
    return frames.of(steps[:closing]), frames.folded(steps[closing:])


def _picked(steps: Sequence[StepBox]) -> set[int]:
    """Return the numbers of the steps that have a box of their own."""
    if len(steps) <= MOST:
        return {step.number for step in steps}
    between = steps[_FIRST:-_LAST]
    urgent = [step for step in between if step.state in _URGENT]
    urgent += [step for step in between if step.brought and step.state not in _URGENT]
    picked = (*steps[:_FIRST], *urgent[:_BETWEEN], *steps[-_LAST:])
    return {step.number for step in picked}


class _Frames:
    """Puts steps into the frames of their actions, groups and lanes.

    Args:
        plan: The plan.
        picked: The numbers of the steps that have a box of their own.
    """

    def __init__(self, plan: Mapping[str, Any], picked: set[int]) -> None:
        self._actions = {each["name"]: each for each in plan.get("actions", ())}
        self._limits = {each["name"]: each.get("concurrency") for each in plan.get("groups", ())}
        self._picked = picked

    def of(self, steps: Sequence[StepBox]) -> list[Box]:
        """Return steps that follow each other, in their frames."""
        boxes: list[Box] = []
        for name, some in groupby(steps, lambda step: step.planned.get("action") or ""):
            inside = list(self._grouped(some, name))
            if name in self._actions:
                wires = self._actions[name].get("inputs", {}).items()
                inputs = [f"{param} = {source}" for param, source in wires]
                items = self.folded(inside)
                boxes.append(BoxFrame(kind="action", name=name, about=inputs, items=items))
            else:
                boxes += inside
        return self.folded(boxes)

    def _grouped(self, steps: Iterable[StepBox], action: str) -> Iterator[Box]:
        for group, some in groupby(steps, lambda step: step.planned.get("group")):
            if group is None:
                yield from some
                continue
            lanes = [
                BoxFrame(kind="lane", name=f"lane {number}", about=(), items=self.folded(lane))
                for number, lane in enumerate(_lanes(some), 1)
            ]
            shown = [lane for lane in lanes if self._is_shown(lane)]
            if not shown or len(lanes) - len(shown) < _LANES:
                shown = lanes
            limit, more = self._limits.get(group), len(lanes) - len(shown)
            at_once = "" if limit is None or limit >= len(lanes) else f", {limit} at a time"
            hidden = f"; {more:,} not shown" if more else ""
            about = [f"{plural(len(lanes), 'lane')}{at_once}{hidden}"]
            name = group.removeprefix(f"{action}.")
            yield BoxFrame(kind="group", name=name, about=about, items=shown)

    def folded(self, boxes: Iterable[Box]) -> list[Box]:
        """Return boxes with one for those that follow each other and in which none is picked."""
        folded: list[Box] = []
        for shown, some in groupby(boxes, self._is_shown):
            alike = list(some)
            steps = [step for box in alike for step in _steps_of(box)]
            folded += alike if shown or len(steps) == 1 else [StepsBox(steps=steps)]
        return folded

    def _is_shown(self, box: Box) -> bool:
        return any(step.number in self._picked for step in _steps_of(box))


def _lanes(steps: Iterable[StepBox]) -> Iterator[Iterable[StepBox]]:
    return (lane for _, lane in groupby(steps, lambda step: step.planned["lane"]))


def _steps_of(box: Box) -> Iterator[StepBox]:
    if isinstance(box, StepBox):
        yield box
    elif isinstance(box, StepsBox):
        yield from box.steps
    else:
        for each in box.items:
            yield from _steps_of(each)


def _origin_of(planned: Mapping[str, Any]) -> Mapping[str, Any]:
    origin: Mapping[str, Any] | None = planned.get("origin")
    return origin or {}


def _owner_of(planned: Mapping[str, Any]) -> str:
    """Return the owner of a step or a layer for display, as `Origin.owner` does."""
    origin = _origin_of(planned)
    if origin.get("pack"):
        return f"{origin['pack']} {origin.get('version') or ''}".rstrip()
    return str(origin.get("file") or origin.get("module") or "this program")
