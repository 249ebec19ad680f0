"""What this pack does to workflows that are not its own."""

from __future__ import annotations

from typing import Any

from acme_greet.steps import GreetGuests, KnockStep
from handrail import ActionInfo, BaseStep, StepWrapper, hookimpl


@hookimpl
def insert_after(action: ActionInfo, step: BaseStep[Any]) -> BaseStep[Any] | None:
    """Greet the guests wherever somebody finds some."""
    return GreetGuests() if step.name == "find_guests" else None


@hookimpl
def wrap_step(action: ActionInfo, step: BaseStep[Any]) -> StepWrapper[Any] | None:
    """Knock before any door is opened."""
    return KnockStep(step) if step.name == "open_door" else None
