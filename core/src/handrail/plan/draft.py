"""Steps on their way into a plan, and how a plan is made of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from handrail.entry import Entry
from handrail.origin import UNKNOWN, Origin
from handrail.plan.plan import Layer, Plan, PlannedStep
from handrail.registry import StepRegistry
from handrail.steps import BaseStep, overrides
from handrail.wrapper import StepWrapper, is_layer

if TYPE_CHECKING:
    from numbers import Real


def layer_name(wrapper: StepWrapper[Any]) -> str:
    """Return the short name of a wrapper: `TimingStep` is `timing`."""
    name = type(wrapper).__name__.removesuffix("Wrapper").removesuffix("Step") or "wrapper"
    return "".join(
        f"_{letter.lower()}" if letter.isupper() and place else letter.lower()
        for place, letter in enumerate(name)
    )


@dataclass(slots=True, kw_only=True, eq=False)
class Draft:
    """A step on its way into a plan, with what is known of it so far."""

    entry: Entry
    origin: Origin
    reason: str
    layers: list[Layer] = field(default_factory=list[Layer])
    required: str = ""

    @property
    def always_run(self) -> bool:
        """Whether the step closes the plan."""
        return bool(self.entry.step.always_run)


def freeze(action: str, drafts: list[Draft], origin: Origin = UNKNOWN) -> Plan:
    """Make the plan of `drafts`, which are in their final order."""
    exact = _Exact()
    weights = [exact(draft.entry.weight) for draft in drafts]
    total = sum(weights)
    even = 1 / len(drafts) if drafts else 0.0
    return Plan(
        action=action,
        origin=origin,
        steps=tuple(
            _planned(draft, weight, float(weight / total) if total else even)
            for draft, weight in zip(drafts, weights, strict=True)
        ),
    )


class _Exact(dict["Real", Fraction]):
    """Weights as people wrote them: 0.1 is one tenth, not its nearest binary float."""

    def __call__(self, weight: Real) -> Fraction:
        known = self.get(weight)
        if known is None:
            known = self[weight] = Fraction(str(weight))
        return known


def _planned(draft: Draft, weight: Fraction, share: float) -> PlannedStep:
    step: BaseStep[Any] = draft.entry.outermost
    layers = tuple(draft.layers)
    return PlannedStep(
        name=draft.entry.name,
        names=draft.entry.names,
        step=step,
        weight=weight,
        weight_share=share,
        layers=layers,
        origin=draft.origin,
        reason=draft.reason,
        always_run=draft.always_run,
        effects=bool(step.effects),
        plain=not is_layer(step),
        skippable=overrides(step, "can_skip"),
        undoable=overrides(step, "rollback"),
        reverts=overrides(step, "rollback") or _hears_of_undo(step),
        resumable=overrides(step, "resume"),
        restorable=overrides(step, "restore"),
        required=draft.required,
    )


def _hears_of_undo(step: BaseStep[Any]) -> bool:
    while isinstance(step, StepWrapper):
        if type(step).rollback is not StepWrapper.rollback:
            return True
        step = step.wrapped
    return False


def plan_of_registry(registry: StepRegistry[Any], action: str = "workflow") -> Plan:
    """Plan the steps of a registry as they stand, with nobody else's edits.

    `always_run` steps close the plan wherever they were registered.
    """
    drafts = base_drafts(registry, UNKNOWN)
    ordinary = [draft for draft in drafts if not draft.always_run]
    closing = [draft for draft in drafts if draft.always_run]
    return freeze(action, ordinary + closing)


def base_drafts(registry: StepRegistry[Any], origin: Origin) -> list[Draft]:
    """Return the steps of a registry as drafts that came from `origin`."""
    return [
        Draft(
            entry=entry,
            origin=origin,
            reason="base",
            layers=[
                Layer(name=layer_name(wrapper), origin=origin, wrapper=wrapper)
                for wrapper in reversed(entry.layers)
            ],
        )
        for entry in registry.entries()
    ]
