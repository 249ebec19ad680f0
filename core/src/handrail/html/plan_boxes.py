"""The boxes in a picture of a plan: steps, in the frames of their lanes, groups and actions.

A plan of up to 100 steps is shown whole. Of a longer one, steps of one pack that follow each other
become one box, and where that is not enough, the middle does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from handrail.amounts import plural
from handrail.frozen import frozen

if TYPE_CHECKING:
    from typing import TypeAlias

MOST = 100
"""Boxes of a picture."""

LANES = 4
"""Lanes that stand side by side; of a group that is not shown whole, those that are."""

_FOLLOWED = (
    "failed",
    "failed and undone",
    "undo failed",
    "interrupted",
    "may have left something",
    "running",
    "unknown",
)
"""The states of steps that never become a part of another box."""


@frozen
class Step:
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
        return origin_of(self.planned).get("pack")

    @property
    def owner(self) -> str:
        """The pack with its version, or the file."""
        return owner_of(origin_of(self.planned))

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
    def layers(self) -> Sequence[Mapping[str, Any]]:
        """The layers around it, outermost first."""
        layers: Sequence[Mapping[str, Any]] = self.planned.get("layers", ())
        return layers


@frozen
class Several:
    """A box for steps that follow each other.

    Attributes:
        steps: The steps.
    """

    steps: Sequence[Step]

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
class Lanes:
    """The frame of a group.

    Attributes:
        name: The name of the group, without that of its action in a chain.
        lanes: Its lanes that are shown.
        about: How many there are, and how many run at the same time.
    """

    name: str
    lanes: Sequence[Sequence[Item]]
    about: str


@frozen
class ActionFrame:
    """The frame of an action of a chain.

    Attributes:
        name: Its name in the chain.
        inputs: What it takes from others: `catalogue = upload.catalogue`.
        items: What is in it.
    """

    name: str
    inputs: Sequence[str]
    items: Sequence[Item]


if TYPE_CHECKING:
    Item: TypeAlias = Step | Several | Lanes | ActionFrame


def boxes_of(
    plan: Mapping[str, Any],
    states: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> tuple[Sequence[Item], Sequence[Item]]:
    """Return what a picture of a plan shows: its steps, and those that always run.

    Args:
        plan: The plan as `Plan.to_dict` returns it.
        states: The states of its steps, by their names.
        notes: What stands behind these.
    """
    steps = [
        Step(
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
    groups = {each["name"]: each.get("concurrency") for each in plan.get("groups", ())}
    actions = {each["name"]: each for each in plan.get("actions", ())}
    ordinary = _shortened(_arranged(steps[:closing], groups, actions), MOST)
    return ordinary, _shortened(steps[closing:], max(MOST - _count(ordinary), 1))


def _arranged(
    steps: Sequence[Step],
    groups: Mapping[str, int | None],
    actions: Mapping[str, Mapping[str, Any]],
) -> list[Item]:
    """Return the steps in the frames of their groups and actions."""
    items: list[Item] = []
    for name, of_action in groupby(steps, lambda step: step.planned.get("action") or ""):
        inside: list[Item] = []
        for group, of_group in groupby(of_action, lambda step: step.planned.get("group")):
            if group is None:
                inside += of_group
                continue
            lanes = [tuple(lane) for _, lane in groupby(of_group, lambda s: s.planned["lane"])]
            limit = groups.get(group)
            at_once = "" if limit is None or limit >= len(lanes) else f", {limit} at a time"
            about = f"{plural(len(lanes), 'lane')}{at_once}"
            inside.append(Lanes(name=group.removeprefix(f"{name}."), lanes=lanes, about=about))
        if name in actions:
            wires = actions[name].get("inputs", {}).items()
            inputs = [f"{param} = {source}" for param, source in wires]
            items.append(ActionFrame(name=name, inputs=inputs, items=inside))
        else:
            items += inside
    return items


# Fewer boxes


def _count(items: Iterable[Item]) -> int:
    return sum(1 if isinstance(each, Step | Several) else _count(_within(each)) for each in items)


def _within(item: Item) -> Iterator[Item]:
    """Yield what is directly in an item."""
    if isinstance(item, Lanes):
        for lane in item.lanes:
            yield from lane
    elif isinstance(item, ActionFrame):
        yield from item.items


def _steps_of(items: Iterable[Item]) -> Iterator[Step]:
    for item in items:
        if isinstance(item, Step):
            yield item
        elif isinstance(item, Several):
            yield from item.steps
        else:
            yield from _steps_of(_within(item))


def _shortened(items: Sequence[Item], most: int) -> Sequence[Item]:
    """Return the items in at most so many boxes."""
    if _count(items) <= most:
        return items
    items = list(_by_pack(items))
    if _count(items) <= most:
        return items
    framed = any(isinstance(each, Lanes | ActionFrame) for each in items)
    items = list(_without_middle(items, max(most // 4, 1) if framed else most))
    frames = sum(isinstance(each, Lanes | ActionFrame) for each in items)
    if not frames or _count(items) <= most:
        return items
    share = (most - (len(items) - frames)) // frames
    return [_smaller(each, share) for each in items]


def _smaller(item: Item, most: int) -> Item:
    """Return a frame with at most so many boxes in it."""
    if _count([item]) <= most:
        return item
    if isinstance(item, ActionFrame):
        return ActionFrame(name=item.name, inputs=item.inputs, items=_shortened(item.items, most))
    if not isinstance(item, Lanes):
        return item
    shown = item.lanes[: min(LANES, most)]
    more = len(item.lanes) - len(shown)
    about = f"{item.about}; {more:,} not shown" if more else item.about
    lanes = [_shortened(lane, most // len(shown)) for lane in shown]
    return Lanes(name=item.name, lanes=lanes, about=about)


def _by_pack(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items with steps of one pack that follow each other as one box."""

    def kind(item: Item) -> object:
        alike = isinstance(item, Step) and item.state not in _FOLLOWED
        return (item.pack,) if alike and isinstance(item, Step) else item

    for _, alike in groupby(items, kind):
        yield from _as_one(list(alike))


def _as_one(items: list[Item]) -> Iterator[Item]:
    if len(items) > 1:
        yield Several(steps=tuple(_steps_of(items)))
    else:
        yield from items


def _without_middle(items: Sequence[Item], most: int) -> Iterator[Item]:
    """Yield the first and the last items, and the first in between that needs a look."""
    if len(items) <= most:
        yield from items
        return
    begin, end = most // 2, len(items) - max(most // 2 - 3, 0)
    followed = (
        place
        for place in range(begin, end)
        if any(step.state in _FOLLOWED for step in _steps_of([items[place]]))
    )
    at = next(followed, end) if most > 3 else end
    yield from items[:begin]
    yield from _as_one(list(items[begin:at]))
    yield from items[at : at + (at < end)]
    yield from _as_one(list(items[at + 1 : end]))
    yield from items[end:]


# Words


def origin_of(planned: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the origin of a step, a layer or a plan."""
    return planned.get("origin") or {}


def owner_of(origin: Mapping[str, Any]) -> str:
    """Return the owner for display, as `Origin.owner` does."""
    if origin.get("pack"):
        return f"{origin['pack']} {origin.get('version') or ''}".rstrip()
    return str(origin.get("file") or origin.get("module") or "this program")
