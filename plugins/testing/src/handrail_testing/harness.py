"""Runs a step or an action in a test, and returns an outcome instead of raising."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from handrail import (
    BaseAction,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    Workflow,
)
from handrail.errors import HandrailError
from handrail.events import Event
from handrail_testing.outcome import Outcome

if TYPE_CHECKING:
    from handrail import BaseStep
    from handrail.packs import InstalledPacks

C = TypeVar("C", bound=BaseStepContext)


class SilentLogger:
    """A logger for the runtime context of a test; it writes nothing, as the outcome has it all."""

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Drop an event."""

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Drop a position."""

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Drop values."""


def run_step(step: BaseStep[C], context: C | None = None) -> Outcome:
    """Run one step as a workflow would: `can_skip`, `execute`, and the undo when it fails.

    Args:
        step: The step, with its wrappers.
        context: Its context; a plain BaseStepContext unless given.
    """
    shared: Any = context
    if shared is None:
        shared = BaseStepContext(runtime_ctx=RuntimeContext(logger=SilentLogger()))
    registry: StepRegistry[Any] = StepRegistry()
    registry.register(step)
    events: list[Event] = []
    result: Any = None
    error: BaseException | None = None
    try:
        result = Orchestrator(registry, shared, observers=[events.append]).execute()
    except Exception as raised:  # noqa: BLE001 - the outcome has it
        error = raised
    return Outcome(
        steps=[entry.name for entry in registry.entries()],
        events=events,
        context=shared,
        result=result,
        error=error,
    )


def run_action(
    action: type[BaseAction[Any]] | BaseAction[Any] | Workflow,
    params: Any = None,
    *,
    packs: InstalledPacks | Sequence[object] | None = (),
    ctx: RuntimeContext | None = None,
) -> Outcome:
    """Plan and run an action; with no packs unless some are given.

    Args:
        action: A class of actions, or a workflow from `handrail.action`; or an action object, which
            is run with its own params and packs.
        params: Its params.
        packs: Hook modules or a provider, such as `FakePacks.provider`; None for the installed
            ones.
        ctx: The runtime context; by default a silent one.

    Raises:
        HandrailError: The params are not valid, or the plan has problems, so nothing was run.
    """
    made = action
    if not isinstance(made, BaseAction):
        made = made(params, ctx or RuntimeContext(logger=SilentLogger()), packs=packs)
    plan = made.plan()
    events: list[Event] = []
    contexts: list[Any] = []
    create = made.create_context

    def keep_context() -> Any:
        contexts.append(create())
        return contexts[-1]

    vars(made)["create_context"] = keep_context
    result: Any = None
    error: BaseException | None = None
    try:
        if not plan.steps and made.is_simple:
            result = made.run(observers=[events.append])
        else:
            result = made.run_plan(plan, observers=[events.append])
    except Exception as raised:
        if isinstance(raised, HandrailError) and not contexts:
            raise
        error = raised
    finally:
        del vars(made)["create_context"]
    return Outcome(
        steps=[planned.name for planned in plan],
        events=events,
        context=contexts[-1] if contexts else None,
        result=result,
        error=error,
    )
