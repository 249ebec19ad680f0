"""Asks packs who runs parts of a run elsewhere, and says what is missing."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from handrail.engine.places import Performer, Places
from handrail.errors import ExecutorError, IsolationError, PackError, PlanError, Problem
from handrail.packs.ours import PLACES

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from handrail.context import BaseStepContext
    from handrail.engine.line import Line
    from handrail.engine.places import RunToPerform
    from handrail.packs.pack_provider import PackProvider
    from handrail.plan.plan import Plan, PlannedStep
    from handrail.plan.rules import ActionInfo
    from handrail.steps import StepResult

Asked = list[tuple[str, Performer]]


class _Nobody(Performer):
    """Stands for the performer of a step that has to run elsewhere, where there is none.

    Args:
        needs: What is missing, in words.
    """

    def __init__(self, needs: str) -> None:
        self._needs = needs

    def attempt(self, line: Line, resumed: StepResult | None) -> StepResult | Awaitable[StepResult]:
        """Raise why it cannot run."""
        raise IsolationError(self._needs)


def places_of(info: ActionInfo, plan: Plan, run: RunToPerform) -> Places:
    """Return who runs which parts of a run.

    Args:
        info: The action.
        plan: The plan of the run.
        run: The run.

    Raises:
        PlanError: Two want the same step.
        PackError: A pack is broken.
    """
    asked = _asked(info, plan, run, given=not plan.isolates)
    taken: dict[int, Performer] = {}
    names: dict[int, str] = {}
    problems: list[Problem] = []
    for name, performer in asked:
        for position in performer.takes(plan):
            if position in taken:
                problems.append(_twice(plan.steps[position], names[position], name))
            taken[position], names[position] = performer, name
    if problems:
        raise PlanError(plan.action, problems)
    for position, planned in enumerate(plan.steps if plan.isolates else ()):
        if position not in taken and _is_isolated(planned):
            taken[position] = _Nobody(_needed_by(planned, run.packs))
    performers = [performer for _, performer in asked]
    return Places(performers, taken, others=partial(_mapping, info, plan, run))


def without_action(
    plan: Plan, context: type[BaseStepContext], executor: str | None, *, elsewhere: bool
) -> Places:
    """Return who works on the items of a run without an action.

    Args:
        plan: The plan of the run.
        context: The class of its context.
        executor: The URL of the executor for items that was asked for, or None.
        elsewhere: Whether steps that are isolated have to run elsewhere.

    Raises:
        IsolationError: They cannot.
    """
    if plan.isolates and elsewhere:
        raise IsolationError(
            f"{plan.action} has isolated steps, and is run without an action from which "
            "another process could make them",
            ways_out=("make an action of the steps, and run that:  action('name', [step])",),
        )

    def others() -> Performer:
        # Few such runs have items.
        from handrail.engine.places import RunToPerform  # noqa: PLC0415
        from handrail.packs.provider import explicit_packs  # noqa: PLC0415
        from handrail.plan.rules import ActionInfo  # noqa: PLC0415

        info = ActionInfo(
            name=plan.action, lineage=(plan.action,), context_type=context, origin=plan.origin
        )
        run = RunToPerform(action=None, packs=explicit_packs(()), executor=executor)
        return _mapping(info, plan, run)

    return Places(others=others)


def places_within() -> Places:
    """Return the places of a run in the process of one of its isolated steps: it has none."""

    def others() -> Performer:
        raise ExecutorError(
            "items cannot be worked on in a step that is isolated: their workers are processes "
            "of their own already",
            ways_out=("do not isolate the step", "or do not use map_items in it"),
        )

    return Places(others=others)


def unplaced(plan: Plan, provider: PackProvider) -> list[Problem]:
    """Return a problem for each step of a plan that has to run elsewhere, if nobody does that."""
    if not plan.isolates or provider.plans_undo or provider.performing():
        return []
    return [
        Problem(
            code="no-place",
            message=_needed_by(planned, provider),
            origins=(planned.origin,),
        )
        for planned in plan.steps
        if _is_isolated(planned)
    ]


def check_mapping(provider: PackProvider) -> None:
    """Check that a recorded run that has items can be gone on with.

    Raises:
        PackError: Nobody works on items.
    """
    if not provider.performing():
        raise PackError(_needs("map_items", "map_items", provider))


def _asked(info: ActionInfo, plan: Plan, run: RunToPerform, *, given: bool) -> Asked:
    """Ask the packs for their performers of a run."""
    found: Asked = []
    for pack in run.packs.performing(given=given):
        performer = pack.call("perform", action=info, plan=plan, run=run)
        if performer is None:
            continue
        if not isinstance(performer, Performer):
            raise PackError(
                f"perform of {pack.origin} returned {performer!r}; it may return a Performer or "
                "None",
                origin=pack.origin,
                ways_out=(f"leave the pack out:  --no-pack {pack.id}",),
            )
        found.append((pack.id, performer))
    return found


def _mapping(info: ActionInfo, plan: Plan, run: RunToPerform) -> Performer:
    """Return the performer of items that an installed pack has.

    Raises:
        PackError: There is none.
    """
    for _, performer in _asked(info, plan, run, given=False):
        if performer.maps_items:
            return performer
    raise PackError(_needs("map_items", "map_items", run.packs))


def _is_isolated(planned: PlannedStep) -> bool:
    return planned.limits is not None and planned.limits.isolated


def _twice(planned: PlannedStep, one: str, other: str) -> Problem:
    return Problem(
        code="two-places",
        message=f"step '{planned.name}' would run in two places: that of {one}, that of {other}",
        origins=(planned.origin,),
        ways_out=(f"leave one out:  --no-pack {one}  or  --no-pack {other}",),
    )


def _needed_by(planned: PlannedStep, packs: PackProvider) -> str:
    return _needs(f"step '{planned.name}' is isolated, which", "isolated", packs)


def _needs(what: str, word: str, packs: PackProvider) -> str:
    name = PLACES[word]
    if name in packs.off:
        return f"{what} needs {name}, which is off: {packs.off[name]}"
    return f"{what} needs {name}: pip install {name}"
