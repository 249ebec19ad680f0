"""Drafts: the steps of a plan while it is made, and what hangs on each; and the plan of drafts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from handrail.entry import Entry, EntryGroup, Lane, around, chain
from handrail.errors import PlanError
from handrail.frozen import record
from handrail.limits import NO_LIMITS, NO_POLICY, Limits, RollbackPolicy
from handrail.origin import UNKNOWN, Origin
from handrail.plan.checks import senseless_waits
from handrail.plan.plan import Facts, Layer, Plan, PlannedStep, groups_of
from handrail.registry import StepRegistry
from handrail.steps import BaseStep, FunctionStep, has_own, overrides, undoes_items
from handrail.wrapper import StepWrapper, changes_step, is_layer

if TYPE_CHECKING:
    from numbers import Real

    from handrail.plan.edits import Insertion


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


def freeze(action: str, drafts: list[Draft], origin: Origin = UNKNOWN) -> Plan:
    """Build the plan of `drafts`, which are in their final order."""
    reader = _Reader(draft.entry.weight for draft in drafts)
    steps: list[PlannedStep] = []
    for draft in drafts:
        entry, facts = draft.entry, reader.facts(draft)
        steps.append(PlannedStep(entry.name, entry.outermost, facts, entry.others))
    planned = tuple(steps)
    groups = groups_of(planned, reader.limits)
    return Plan(action=action, origin=origin, steps=planned, groups=groups)


_METHODS = ("can_skip", "rollback", "resume", "restore")
_bound = attrgetter(*_METHODS)


class _Reader:
    """Reads the facts of steps, once for all of those that are alike.

    Steps of one class are, unless they have a method of their own; a plan rarely has many classes.
    """

    def __init__(self, weights: Iterable[Real]) -> None:
        counted = Counter(weights)
        # Weights as people wrote them: 0.1 is one tenth, not its nearest binary float.
        # A sum is a plain number: an enum of floats would be written as its name.
        exact = {weight: Fraction(str(weight + 0)) for weight in counted}
        total = sum(exact[weight] * count for weight, count in counted.items())
        even = 1 / counted.total() if counted else 0.0
        self._weights = {
            weight: (each, float(each / total) if total else even) for weight, each in exact.items()
        }
        self._known: dict[object, Facts] = {}
        self._functions: dict[type, tuple[object, ...]] = {}
        self._items: dict[type, bool] = {}  # Of classes whose functions are those of all its steps.
        self._lane: Lane | None = None
        self._number = 0
        self.limits: dict[str, int | None] = {}

    def facts(self, draft: Draft) -> Facts:
        """Return the constant facts about a step; steps are given in their order in the plan."""
        if draft.lane is not self._lane:
            self._enter(draft.lane)
        step = draft.entry.outermost
        kind = type(step)
        functions = self._functions.get(kind)
        if functions is None:
            # A wrapper depends on the wrapped step, and a function declares its undo itself.
            alike = not issubclass(kind, StepWrapper | FunctionStep)
            functions = tuple(getattr(kind, method) for method in _METHODS) if alike else ()
            self._functions[kind] = functions
        # Not by reading its `__dict__`: that would create one, which the step then keeps.
        if functions != tuple([getattr(each, "__func__", None) for each in _bound(step)]):
            return self._read(draft)
        always_run, effects, final = draft.always_run, bool(step.effects), bool(step.final)
        placed = (id(draft.origin), draft.reason, draft.required, self._lane)
        limits, policy = draft.given or (step.limits, step.rollback_policy)
        usual = limits is NO_LIMITS and policy is NO_POLICY
        limited = None if usual else (limits, policy)
        waiting = tuple(step.undo_before)
        key = (kind, draft.entry.weight, always_run, effects, final, limited, placed, waiting)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._read(draft)
        return known

    def _enter(self, lane: Lane | None) -> None:
        """Number the lanes of each group anew, from 0: some may have lost all their steps."""
        before = self._lane
        same = before is not None and lane is not None and before.group is lane.group
        self._lane, self._number = lane, self._number + 1 if same else 0
        if lane is not None:
            self.limits[lane.group.name] = lane.group.limit

    def _read(self, draft: Draft) -> Facts:
        step: BaseStep[Any] = draft.entry.outermost
        weight, share = self._weights[draft.entry.weight]
        undoable, always_run, effects = has_own(step, "rollback"), draft.always_run, step.effects
        items = self._items.get(type(step))
        if items is None:
            items = undoes_items(step)
            if not isinstance(step, StepWrapper | FunctionStep):
                self._items[type(step)] = items
        limits, policy = draft.given or (step.limits, step.rollback_policy)
        limited = limits is not NO_LIMITS and limits != NO_LIMITS
        retried = policy is not NO_POLICY and policy != NO_POLICY
        return Facts(
            weight=weight,
            weight_share=share,
            origin=draft.origin,
            reason=draft.reason,
            required=draft.required,
            final=bool(draft.required or step.final),
            layers=draft.layers,
            always_run=always_run,
            effects=bool(effects),
            plain=not ((limited and limits.watched) or is_layer(step)),
            skippable=overrides(step, "can_skip"),
            group=None if draft.lane is None else draft.lane.group.name,
            lane=None if draft.lane is None else self._number,
            undoable=undoable,
            undoes_items=items,
            reverts=overrides(step, "rollback") or _hears_of_undo(step),
            leaves=bool(effects)
            and not (always_run or undoable or items or has_own(step, "resume")),
            resumable=overrides(step, "resume"),
            restorable=overrides(step, "restore"),
            by_project=draft.by_project,
            limits=limits if limited else None,
            rollback_policy=policy if retried else None,
            undo_before=tuple(step.undo_before),
        )


def _hears_of_undo(step: BaseStep[Any]) -> bool:
    layers = (layer for layer in chain(step) if isinstance(layer, StepWrapper))
    return any(type(each).before_rollback is not StepWrapper.before_rollback for each in layers)


def plan_of_registry(registry: StepRegistry[Any], action: str = "workflow") -> Plan:
    """Plan the steps of a registry as they are, without edits.

    `always_run` steps close the plan regardless of where they were registered.

    Raises:
        PlanError: The `undo_before` of a step names one that cannot be meant.
    """
    drafts = base_drafts(registry, UNKNOWN)
    drafts.sort(key=attrgetter("always_run"))
    plan = freeze(action, drafts)
    senseless = list(senseless_waits(plan))
    if senseless:
        raise PlanError(action, senseless, plan=plan)
    return plan
