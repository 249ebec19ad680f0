"""The hooks that a pack can implement.

A pack is an installed distribution with an entry point in the group `handrail.packs` that names a
module of hooks, such as `acme-scan = "acme_scan.hooks"`. In the group `handrail.packs_if_set` the
name of the entry point is that of an environment variable without which the module is not imported,
unless the pack has settings. Each function of that module that has the
name of a hook and is marked with `@hookimpl` implements it; leave out the hooks and the arguments
that you do not need. All hooks except `observe` and `perform` are called while a plan is made, and
only `observe` is called during a run. Hooks are plain functions: no `async`, no generators, no
default values. If a hook raises, planning stops with exit code 4 and the name of the pack; an
observer that raises is dropped. A hook that changes an attribute of a step that it is shown is a
problem of the plan: edits are answers.

Each hook may take `settings`, the pack's settings in the project, as an instance of its model.
Hooks never get params, so a plan is the same for every run: put conditions into `can_skip`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pluggy

from handrail.frozen import frozen
from handrail.plan.rules import ActionInfo

if TYPE_CHECKING:
    from pydantic import BaseModel

    from handrail.engine.places import Performer, RunToPerform
    from handrail.errors import Problem
    from handrail.events import Event
    from handrail.plan.plan import Plan
    from handrail.plan.rules import CheckedRun, PlanRules
    from handrail.registry import StepRegistry
    from handrail.steps import BaseStep
    from handrail.wrapper import StepWrapper

hookspec = pluggy.HookspecMarker("handrail")
hookimpl = pluggy.HookimplMarker("handrail")


@frozen
class PackInfo:
    """A pack's relations to other packs, returned by the hook `pack_info`.

    Attributes:
        after: Packs whose edits are applied before this pack's, if they are installed.
        before: Packs whose edits are applied after this pack's, if they are installed.
        requires: Packs that must be installed and enabled.
        settings: The pydantic model of the pack's settings. They come from `[packs.<name>]` in the
            project file, from variables such as `HANDRAIL_ACME_SCAN_ENGINE`, and from
            `-p acme-scan.engine=...`.
    """

    after: Sequence[str] = ()
    before: Sequence[str] = ()
    requires: Sequence[str] = ()
    settings: type[BaseModel] | None = None


@frozen
class PrunedRun:
    """A run that `handrail runs prune` is about to delete, as a pack receives it.

    A pack that keeps something elsewhere for as long as a run is recorded, such as a claim in a
    target, has an entry point in the group `handrail.prune` that leads to a function:
    `acme-scan = "acme_scan.claims:release"`. It is called with each run before that is deleted, and
    has to be idempotent: the process may be killed before the run is gone. If it raises, the run
    stays, a warning names it, and the command ends with exit code 1. Nothing is imported if no run
    is to be deleted. The actions of a chain are runs of their own, which are deleted before it. If
    it returns a text about what it has deleted with the run, the command shows that.

    Attributes:
        uid: Its UUID, the `uid` of its `RunInfo`.
        number: Its number in the journal.
        action: The name of its action, such as `upload` or `flows.py:nightly`.
        outcome: How it ended: `completed` or `rolled_back`, for example.
        project: Its project.
        folder: The folder in which it worked, where relative paths begin.
        rollback_data: The recorded rollback data of the last attempt of each step that has any, by
            the name of the step.
    """

    uid: str
    number: int
    action: str
    outcome: str
    project: str
    folder: str
    rollback_data: Mapping[str, Mapping[str, Any]]


@hookspec
def pack_info() -> PackInfo:  # type: ignore[empty-body]
    """Return the pack's ordering, requirements and settings model.

    Called once, before all other hooks. Optional.

        @hookimpl
        def pack_info():
            return PackInfo(after=["acme-scan"])
    """


@hookspec
def setup_steps(action: ActionInfo, registry: StepRegistry[Any], settings: Any) -> None:
    """Edit the steps of an action.

    Called once for each plan, after the action's own `setup_steps`. The registry has the action's
    steps and this pack's edits; anchors may also name steps that other packs add.

        @hookimpl
        def setup_steps(action, registry):
            if "upload" in action.lineage:
                registry.insert_after("cleanup", CloseTicket())
    """


@hookspec
def insert_before(
    action: ActionInfo, step: BaseStep[Any], settings: Any
) -> BaseStep[Any] | Iterable[BaseStep[Any]] | None:
    """Return a step, or several in order, to insert directly before `step`; or None.

    Called for every step of any origin, including replaced and removed ones, except steps that
    result from this pack's own insertions. A step and its replacement of the same name count as
    one. `step` is without wrappers, so `step.name` is the name that its author gave it.

        @hookimpl
        def insert_before(action, step):
            if step.name == "upload_files":
                return ScanFiles()
    """


@hookspec
def insert_after(
    action: ActionInfo, step: BaseStep[Any], settings: Any
) -> BaseStep[Any] | Iterable[BaseStep[Any]] | None:
    """Return a step, or several in order, to insert directly after `step`; or None.

    Called for the same steps as `insert_before`.

        @hookimpl
        def insert_after(action, step):
            if step.name == "upload_files":
                return [Notify(), Archive()]
    """


@hookspec
def wrap_step(action: ActionInfo, step: BaseStep[Any], settings: Any) -> StepWrapper[Any] | None:
    """Return a wrapper around `step`, or None.

    Called for every step of the plan. The wrapper of a later pack is outside that of an earlier
    one. A wrapper does not change the step's name in the plan. Around a step of another author it
    may watch, time and retry; one that changes the step needs a grant (see `StepWrapper`).

        @hookimpl
        def wrap_step(action, step):
            if step.effects:
                return AuditStep(step)
    """


@hookspec
def plan_rules(action: ActionInfo, settings: Any) -> PlanRules | None:
    """Return rules for plans of the action: steps that they must have, and what may be changed.

    Called while a plan is made, before the edits are applied. Rules only tighten those of the
    project: a pack can withhold what that grants, and grant nothing itself.

        @hookimpl
        def plan_rules(action):
            scan = RequiredStep(
                pack="acme-scan", name="scan_files", side="before", anchor="upload_files",
                origin=Origin(pack="acme-scan"),
            )
            return PlanRules(required=[scan])
    """


@hookspec
def check_plan(action: ActionInfo, plan: Plan, settings: Any) -> Iterable[Problem] | None:
    """Return the problems of the finished plan; any problem prevents the run.

    Called once, when the plan is complete.

        @hookimpl
        def check_plan(action, plan):
            if "upload_files" in plan.positions and "scan_files" not in plan.positions:
                return [Problem(code="unscanned", message="upload_files runs without scan_files")]
    """


@hookspec
def perform(action: ActionInfo, plan: Plan, run: RunToPerform, settings: Any) -> Performer | None:
    """Return what runs parts of a run elsewhere, or None.

    Called once for each run, before it begins. The performer says which steps it takes, and whether
    it works on items; two that want the same step are a problem of the plan.

        @hookimpl
        def perform(action, plan, run):
            return Containers(run)
    """


@hookspec
def check_run(
    action: ActionInfo,
    plan: Plan,
    whole: Callable[[], Plan],
    request: CheckedRun,
    settings: Any,
) -> Iterable[Problem] | None:
    """Return the problems of a run that is to begin, or to be resumed; any prevents it.

    Not called to plan, nor to undo. `plan` may be a part of what `whole` returns. A HandrailError
    that it raises ends the call as it is.

        @hookimpl
        def check_run(plan, whole):
            if len(plan) < len(whole()):
                return [Problem(code="in-part", message=f"{plan.action} is run in one piece here")]
    """


@hookspec
def observe(event: Event, settings: Any, keep: Callable[..., str]) -> None:
    """Receive the events of a run; see `handrail.events`.

    Use it for telemetry, not for audit: an observer that raises is reported once and dropped. One
    that raises `handrail.events.StopObserving` is told no more of that run, and nobody is told.

    `keep(kind, text, step="", name="", seq=0)` keeps a text beside a durable run, for people to
    look at, in place of one of the same kind, step, name and seq. It returns why it is not kept, or
    an empty text: an attempt of a step has at most 1,000 of 64,000 characters. Choose a kind of
    your own; `Journal.kept(number, [kind])` returns what is kept of it, and `runs prune` deletes
    it. It is written within a second, so what is kept with `RunFinished` comes too late.

        @hookimpl
        def observe(event, keep):
            if isinstance(event, StepFinished):
                keep("acme-times", str(event.took), step=event.step)
            if isinstance(event, RunFinished):
                print(event.outcome)
    """
