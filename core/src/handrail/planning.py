"""Plans one action: its own steps, the edits of every pack, and their checks of the result."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from handrail.errors import PlanError, Problem
from handrail.hookspecs import ActionInfo
from handrail.origin import Origin
from handrail.plan.collect import collect
from handrail.plan.order import Contributor, pack_order
from handrail.plan.plan import Plan, base_drafts
from handrail.plan.resolve import resolve
from handrail.registry import StepRegistry

if TYPE_CHECKING:
    from handrail.orchestrator import Observer


class PackProvider(Protocol):
    """Where an action finds the packs that shape it."""

    @property
    def grants(self) -> Mapping[str, frozenset[str]]:
        """What each pack may do to the steps of others."""
        ...

    def contributors(self) -> Sequence[Contributor]:
        """Return every enabled pack that has hooks, loaded."""
        ...

    def observers(self) -> Sequence[Observer]:
        """Return the packs' observers of runs."""
        ...

    def origin_of(self, module: str) -> Origin:
        """Return the distribution that owns a module."""
        ...


Packs = PackProvider | Sequence[object] | None


def plan_action(info: ActionInfo, registry: StepRegistry[Any], provider: PackProvider) -> Plan:
    """Return the plan of the action `info`, whose own steps are in `registry`.

    An action that registered nothing has an empty plan, and no pack is asked about it.

    Raises:
        PlanError: The plan has problems; it lists all of them.
        PackError: A pack that is switched on is broken, or one of its hooks raised.
    """
    packs, problems = pack_order(provider.contributors()) if registry else ([], [])
    edits, unusable = collect(info, registry, packs)
    drafts = base_drafts(registry, info.origin)
    for draft in drafts:
        owner = provider.origin_of(getattr(draft.entry.step, "__module__", ""))
        draft.origin = owner if owner.pack else info.origin
    plan = resolve(
        info.name,
        drafts,
        edits,
        grants=provider.grants,
        origin=info.origin,
        known=[*problems, *unusable],
    )
    found: list[Problem] = []
    for pack in packs:
        if pack.implements("check_plan"):
            found += pack.call("check_plan", action=info, plan=plan) or ()
    if found:
        raise PlanError(info.name, found)
    return plan


def with_file(origin: Origin) -> Origin:
    """Add the file to the origin of code that no distribution owns."""
    file = getattr(sys.modules.get(origin.module), "__file__", None)
    if origin.pack is not None or not isinstance(file, str):
        return origin
    return replace(origin, file=_short(file))


def line_of(error: BaseException, module: str) -> Origin | None:
    """Return the last line of `module` that `error` went through, or None."""
    found: Origin | None = None
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals.get("__name__") == module:
            file = _short(frame.f_code.co_filename)
            found = Origin(module=module, file=file, line=trace.tb_lineno)
        trace = trace.tb_next
    return found


def _short(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[2]
