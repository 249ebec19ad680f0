"""What is constant about a planned step beside its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction

    from handrail.origin import Origin
    from handrail.plan.plan import Layer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Facts:
    """What is constant about a planned step; steps of one class that are alike share one.

    Attributes:
        weight: Its progress weight as it was given, as an exact fraction.
        weight_share: Its part of the plan's total weight, 0.0 to 1.0.
        origin: Where the step came from.
        reason: Why it stands where it stands.
        required: Who requires it, as `handrail.toml:4`; an empty string where nobody does.
        layers: The layers that were put around it, outermost first.
        always_run: Whether it closes the plan whatever happens.
        effects: Whether a dry run must not execute it.
        plain: Whether its `execute` is called to run it, and not the body of a layer.
        skippable: Whether it has a `can_skip` of its own.
        undoable: Whether it has a `rollback` of its own.
        reverts: Whether an undo has something to call: its `rollback`, or that of a layer.
        resumable: Whether it has a `resume` of its own.
        restorable: Whether it has a `restore` of its own.
    """

    weight: Fraction
    weight_share: float
    origin: Origin
    reason: str
    required: str
    layers: tuple[Layer, ...]
    always_run: bool
    effects: bool
    plain: bool
    skippable: bool
    undoable: bool
    reverts: bool
    resumable: bool
    restorable: bool
