"""Drafts: the steps and groups of a plan while it is made, and what hangs on each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from handrail.entry import Entry, EntryGroup, Lane, around
from handrail.frozen import record
from handrail.limits import Limits, RollbackPolicy
from handrail.origin import Origin
from handrail.plan.plan import Layer
from handrail.steps import BaseStep
from handrail.wrapper import StepWrapper, changes_step

if TYPE_CHECKING:
    from handrail.plan.edits import Insertion
    from handrail.registry import StepRegistry


@record
class Block:
    """The steps and groups of one insertion.

    Attributes:
        insertion: The edit.
        drafts: Its steps and groups.
        placed: Whether it has its place in the plan.
    """

    insertion: Insertion
    drafts: list[AnyDraft]
    placed: bool = False


@record
class Draft:
    """A step while a plan is made.

    Attributes:
        entry: Its name, weight and layers.
        origin: Origin of the step.
        reason: The reason for its place.
        layers: The layers around it, outermost first.
        lane: The lane in which it stands; None outside groups, and for a step that always runs,
            which closes the plan.
        by_project: Whether the project has put it there.
        required: Source of the requirement of the step, or an empty string.
        given: The limits and the undo policy that the project gives it; None for its own.
        block: The block that brings it; None for a step of the action itself.
        before: The blocks that hang before it, in the order of packs and calls.
        after: The blocks that hang after it.
    """

    entry: Entry
    origin: Origin
    reason: str
    layers: tuple[Layer, ...] = ()
    lane: Lane | None = None
    by_project: bool = False
    required: str = ""
    given: tuple[Limits, RollbackPolicy] | None = None
    block: Block | None = None
    before: tuple[Block, ...] = ()
    after: tuple[Block, ...] = ()

    @property
    def name(self) -> str:
        """Name of the step."""
        return self.entry.name

    @property
    def names(self) -> tuple[str, ...]:
        """All its anchors."""
        return self.entry.names

    @property
    def steps(self) -> tuple[Draft, ...]:
        """Itself."""
        return (self,)

    @property
    def limits(self) -> tuple[Limits, RollbackPolicy]:
        """Its limits and its undo policy."""
        step = self.entry.outermost
        return self.given or (step.limits, step.rollback_policy)

    @property
    def always_run(self) -> bool:
        """Whether the step closes the plan."""
        return bool(self.entry.step.always_run)


@record
class GroupDraft:
    """A group while a plan is made; what hangs on it stands outside its lanes.

    Attributes:
        group: The group.
        lanes: The steps of each lane, and the lane.
        block: The block that brings it; None for a group of the action itself.
        before: The blocks that hang before it, in the order of packs and calls.
        after: The blocks that hang after it.
    """

    group: EntryGroup
    lanes: list[tuple[Lane, list[Draft]]]
    block: Block | None = None
    before: tuple[Block, ...] = ()
    after: tuple[Block, ...] = ()

    @property
    def name(self) -> str:
        """Name of the group."""
        return self.group.name

    @property
    def names(self) -> tuple[str, ...]:
        """All its anchors."""
        return self.group.names

    @property
    def origin(self) -> Origin:
        """Origin of the group: that of its steps."""
        return self.steps[0].origin

    @property
    def steps(self) -> tuple[Draft, ...]:
        """The steps that it was declared with."""
        return tuple(draft for _, lane in self.lanes for draft in lane)


AnyDraft = Draft | GroupDraft


def base_drafts(registry: StepRegistry[Any], origin: Origin) -> list[Draft]:
    """Return the steps of a registry as drafts that came from `origin`."""
    return [
        Draft(
            entry=entry,
            origin=origin,
            reason="base",
            layers=_layers_of_entry(entry, origin) if entry.layers else (),
            lane=None if entry.lane is None or entry.step.always_run else entry.lane,
        )
        for entry in registry.entries()
    ]


def grouped(drafts: Iterable[Draft], block: Block | None = None) -> list[AnyDraft]:
    """Return `drafts` in order, with a group for those that stand in its lanes."""
    found: list[AnyDraft] = []
    for draft in drafts:
        draft.block, lane = block, draft.lane
        if lane is None:
            found.append(draft)
            continue
        group = found[-1] if found else None
        if not isinstance(group, GroupDraft) or group.group is not lane.group:
            group = GroupDraft(lane.group, [], block)
            found.append(group)
        if not group.lanes or group.lanes[-1][0] is not lane:
            group.lanes.append((lane, []))
        group.lanes[-1][1].append(draft)
    return found


def _layers_of_entry(entry: Entry, origin: Origin) -> tuple[Layer, ...]:
    insides = (entry.step, *entry.layers)
    return tuple(
        layer
        for wrapper, inside in zip(reversed(entry.layers), insides[-2::-1], strict=True)
        for layer in layers_of(wrapper, inside, origin)
    )


def layers_of(
    wrapper: StepWrapper[Any], inner: BaseStep[Any], origin: Origin, reason: str = ""
) -> tuple[Layer, ...]:
    """Return the layers that an edit has put around `inner`: as in `Retry(Timing(step))`, several.

    Args:
        wrapper: The outermost wrapper of the edit.
        inner: What was there before.
        origin: Origin of the wrappers.
        reason: The line of the settings that added them, or an empty string.
    """
    return tuple(
        Layer(
            name=_layer_name(each),
            origin=origin,
            wrapper=each,
            reason=reason,
            changes=changes_step(each),
        )
        for each in around(wrapper, inner)
    )


def _layer_name(wrapper: StepWrapper[Any]) -> str:
    """Return the short name of a wrapper: `TimingStep` is `timing`."""
    name = type(wrapper).__name__.removesuffix("Wrapper").removesuffix("Step") or "wrapper"
    return re.sub("(?<!^)(?=[A-Z])", "_", name).lower()
