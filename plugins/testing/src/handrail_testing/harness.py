"""Runs a step or an action in a test, and returns an outcome instead of raising."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from packaging.utils import canonicalize_name

from handrail import (
    BaseAction,
    BaseStepContext,
    Orchestrator,
    Plan,
    RuntimeContext,
    StepRegistry,
    Workflow,
)
from handrail.errors import HandrailError
from handrail.events import Event
from handrail.packs import installed_packs, with_settings
from handrail_testing.outcome import Outcome

if TYPE_CHECKING:
    from handrail import BaseStep
    from handrail.packs import InstalledPacks

C = TypeVar("C", bound=BaseStepContext)
Settings = Mapping[str, Mapping[str, Any]]


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
        result = Orchestrator(
            registry, shared, observers=[events.append], elsewhere=False
        ).execute()
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
    settings: Settings | None = None,
) -> Outcome:
    """Plan and run an action; with no packs unless some are given.

    Args:
        action: A class of actions, or a workflow from `handrail.action`; or an action object, which
            is run with its own params and packs.
        params: Its params.
        packs: Hook modules or a provider, such as `FakePacks.provider`; None for the installed
            ones.
        ctx: The runtime context; by default a silent one.
        settings: The settings of the given hook modules, by the name of the pack, as in
            `handrail.toml`: `{"acme-scan": {"engine": "fast"}}`.

    Raises:
        HandrailError: The params are not valid, or the plan has problems, so nothing was run.
        ValueError: There are settings of a pack that is not given.
    """
    made = action
    if not isinstance(made, BaseAction):
        given = _with_settings(packs, settings)
        made = made(params, ctx or RuntimeContext(logger=SilentLogger()), packs=given)
    elif settings is not None:
        raise ValueError("an action object has its packs already, and with them their settings")
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


def plan_action(
    action: type[BaseAction[Any]] | Workflow | str,
    params: Mapping[str, Any] | None = None,
    *,
    packs: InstalledPacks | Sequence[object] | None = (),
    settings: Settings | None = None,
) -> Plan:
    """Plan an action without running it; with no packs unless some are given.

    Args:
        action: A class of actions, a workflow, or the name of an installed action, such as
            `"upload"` or `"handrail-upload:upload"`.
        params: Those of its params that its plan depends on.
        packs: See `run_action`.
        settings: See `run_action`.

    Raises:
        NotFoundError: No action of that name is installed.
        ParamsNeededError: The plan depends on a param that is not given.
        PlanError: The plan has problems.
    """
    found: Any = action
    if isinstance(action, str):
        found = installed_packs().catalog.load("actions", action)
    made: Any = found.action_class if isinstance(found, Workflow) else found
    plan: Plan = made.partial(params or {}, packs=_with_settings(packs, settings)).plan()
    return plan


def _with_settings(
    packs: InstalledPacks | Sequence[object] | None, settings: Settings | None
) -> InstalledPacks | Sequence[object] | None:
    """Return hook modules with their settings."""
    if settings is None:
        return packs
    if not isinstance(packs, Sequence):
        raise ValueError("settings are for hook modules; a provider has settings of its own")
    left = dict(settings)
    made = [with_settings(each, left.pop(_pack_of(each, left), {})) for each in packs]
    if left:
        raise ValueError(f"there are settings of {', '.join(left)}, which is not among the packs")
    return made


def _pack_of(hooks: object, names: Iterable[str]) -> str:
    """Return the name of the pack of `hooks` in `names`: that of its module, or of its class."""
    module = getattr(hooks, "__name__", None) or type(hooks).__qualname__
    known = {canonicalize_name(name): name for name in names}
    whole, package = canonicalize_name(module), canonicalize_name(module.partition(".")[0])
    return known.get(whole) or known.get(package) or ""
