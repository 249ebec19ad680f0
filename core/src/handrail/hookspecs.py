"""Everything a pack can do, on one page.

A pack is an installed distribution with an entry point in the group `handrail.packs` that names a
module of hooks, such as `acme-scan = "acme_scan.hooks"`. Each function there that is marked with
`@hookimpl` and named like one of these is a hook; leave out the ones you do not need, and any
argument that you do not use. All of them, but `observe`, are called while a plan is made, never
during a run. They are plain functions: no `async`, no generators, no defaults. A hook that raises
stops the plan, with exit code 4 and the name of the pack; an observer is dropped instead.

A hook may also take `settings`: what the project sets for the pack, as an instance of its model.
Hooks never see params, so that a plan is the same for every run: put conditions into `can_skip`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from pydantic import BaseModel

    from handrail.errors import Problem
    from handrail.events import Event
    from handrail.origin import Origin
    from handrail.plan.plan import Plan
    from handrail.registry import StepRegistry
    from handrail.steps import BaseStep
    from handrail.wrapper import StepWrapper

hookspec = pluggy.HookspecMarker("handrail")
hookimpl = pluggy.HookimplMarker("handrail")


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionInfo:
    """The action that is being planned, as far as a hook may know it.

    Attributes:
        name: What it is called on the command line.
        lineage: Its own name and those of the actions it descends from, nearest first: test
            `"upload" in action.lineage` to reach every upload, subclasses and workflows too.
        context_type: The class of its context.
        origin: Where the action came from.
    """

    name: str
    lineage: tuple[str, ...]
    context_type: type
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PackInfo:
    """What a pack says of itself, returned by the `pack_info` hook.

    Attributes:
        after: Packs whose edits come before this one's, where both are installed.
        before: Packs whose edits come after this one's, where both are installed.
        requires: Packs that have to be installed and on.
        settings: Model of the pack's own settings: from `[packs.<name>]` in the project file, from
            variables such as `HANDRAIL_ACME_SCAN_ENGINE`, and from `-p acme-scan.engine=...`.
    """

    after: Sequence[str] = ()
    before: Sequence[str] = ()
    requires: Sequence[str] = ()
    settings: type[BaseModel] | None = None


@hookspec
def pack_info() -> PackInfo:  # type: ignore[empty-body]
    """Say how this pack stands to others.

    Called once, first. A pack that needs nothing special leaves it out.

        @hookimpl
        def pack_info():
            return PackInfo(after=["acme-scan"])
    """


@hookspec
def setup_steps(action: ActionInfo, registry: StepRegistry[Any], settings: Any) -> None:
    """Edit the steps of an action.

    Called once for each action that is planned, after its own `setup_steps`. The registry shows
    the action's steps and this pack's own edits; an anchor that another pack may bring is allowed.

        @hookimpl
        def setup_steps(action, registry):
            if "upload" in action.lineage:
                registry.insert_after("cleanup", CloseTicket())
    """


@hookspec
def insert_before(
    action: ActionInfo, step: BaseStep[Any], settings: Any
) -> BaseStep[Any] | Iterable[BaseStep[Any]] | None:
    """Return a step, or several in order, to be put right before `step`; None for nothing.

    Called for every step, whoever brought it, replaced and removed ones too, but not for those that
    this pack inserted or led to; once for a step and what replaces it under the same name. `step`
    is the innermost one, so `step.name` is what its author called it.

        @hookimpl
        def insert_before(action, step):
            if step.name == "upload_files":
                return ScanFiles()
    """


@hookspec
def insert_after(
    action: ActionInfo, step: BaseStep[Any], settings: Any
) -> BaseStep[Any] | Iterable[BaseStep[Any]] | None:
    """Return a step, or several in order, to be put right after `step`; None for nothing.

    Called like `insert_before`.

        @hookimpl
        def insert_after(action, step):
            if step.name == "upload_files":
                return [Notify(), Archive()]
    """


@hookspec
def wrap_step(action: ActionInfo, step: BaseStep[Any], settings: Any) -> StepWrapper[Any] | None:
    """Return a wrapper around `step`, or None.

    Called for every step of the plan. The later pack is outermost. A layer never renames the step.

        @hookimpl
        def wrap_step(action, step):
            if step.effects:
                return AuditStep(step)
    """


@hookspec
def check_plan(action: ActionInfo, plan: Plan, settings: Any) -> Iterable[Problem] | None:
    """Return what is wrong with the finished plan; any problem stops the run before it starts.

    Called once, when the plan is complete.

        @hookimpl
        def check_plan(action, plan):
            if "upload_files" in plan.positions and "scan_files" not in plan.positions:
                return [Problem(code="unscanned", message="upload_files runs without scan_files")]
    """


@hookspec
def observe(event: Event, settings: Any) -> None:
    """Be told what happens during a run; see `handrail.events`.

    For telemetry, never for audit: an observer that raises is reported once and dropped.

        @hookimpl
        def observe(event):
            if isinstance(event, RunFinished):
                print(event.outcome)
    """
