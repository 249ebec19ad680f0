"""What hooks receive of an action and a run, and the rules that hold for its plans. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from handrail.errors import Problem
from handrail.frozen import frozen, record, replace
from handrail.origin import Origin

if TYPE_CHECKING:
    from handrail.plan.builder import Draft
    from handrail.plan.plan import Plan, PlannedStep

EVERYWHERE = "*"


@frozen
class ActionInfo:
    """The action that is being planned, as hooks receive it.

    Attributes:
        name: The action's name on the command line.
        lineage: Its name and those of the actions it extends, nearest first. Test
            `"upload" in action.lineage` to include subclasses of `upload` and workflows that
            extend it.
        context_type: The context class.
        origin: Where the action came from.
    """

    name: str
    lineage: tuple[str, ...]
    context_type: type[Any]
    origin: Origin


@record
class CheckedRun:
    """A run, or the resume of one, before it begins; a check may say on it what it has found.

    Attributes:
        plan: The plan to run, or a part of it.
        whole: Returns the whole plan, of which `plan` may be a part.
        action_class: The class of the action.
        target: The action as the command line has found it by its name; None for a program.
        no_lock: Whether the lock is left aside, because of `--no-lock`.
        left_aside: Whether it was when the run to be resumed began.
        locked: Said by the check: True if the plan is locked; False if the lock was left aside;
            None if there is none.
    """

    plan: Plan
    whole: Callable[[], Plan]
    action_class: type[Any]
    target: Any = None
    no_lock: bool = False
    left_aside: bool = False
    locked: bool | None = None


@frozen
class RequiredStep:
    """A step of a pack that plans of certain actions must have, in a certain position.

    Attributes:
        pack: Normalised name of the distribution that must provide it.
        name: Name of the step.
        side: Its required side of the anchor; None for any position.
        anchor: The step before or after which it must be.
        within: Names of actions, including actions that extend them; `*` for every action that has
            the anchor.
        origin: File and line of the requirement, and the policy if it is from one.
        wanted: What an installer is given for its pack, if not the name alone: `acme-scan>=1.4`.
    """

    pack: str
    name: str
    side: Literal["before", "after"] | None = None
    anchor: str = ""
    within: tuple[str, ...] = ("*",)
    origin: Origin
    wanted: str = ""

    def of_action(self, name: str) -> RequiredStep:
        """Return what it requires of the action of this name in a chain."""
        before = f"{name}."
        if not self.anchor.startswith(before):
            return self
        own = self.name.removeprefix(before)
        return replace(self, anchor=self.anchor.removeprefix(before), name=own)

    @property
    def where(self) -> str:
        """The step and its position: `acme-scan:scan_files before upload_files`."""
        place = f" {self.side} {self.anchor}" if self.side else ""
        return f"{self.pack}:{self.name}{place}"


@frozen
class PlanRules:
    """What holds for plans of an action, as the hook `plan_rules` returns it.

    Rules are joined by tightening them: a step that anybody requires is required, and a change is
    granted if nobody withholds it.

    Attributes:
        grants: The changes that each pack may make to steps of others, by its id, such as `replace
            acme-scan:scan_files`; None to leave that to others.
        required: Steps that the plans must have.
    """

    grants: Mapping[str, frozenset[str]] | None = None
    required: Sequence[RequiredStep] = ()

    def tightened(self, other: PlanRules) -> PlanRules:
        """Return these rules with those of a pack, which cannot grant anything."""
        granted = other.grants
        grants = self.grants or {}
        if granted is not None:
            grants = {pack: each & granted.get(pack, frozenset()) for pack, each in grants.items()}
        return PlanRules(grants=grants, required=(*self.required, *other.required))


def required_in(lineage: Iterable[str], required: Iterable[RequiredStep]) -> list[RequiredStep]:
    """Return the required steps of an action with this lineage."""
    names = {*lineage, EVERYWHERE}
    return [each for each in required if names.intersection(each.within)]


def demanded_by(draft: Draft, required: Sequence[RequiredStep]) -> str:
    """Return the source of the requirement of a step, or an empty string."""
    for each in required:
        if draft.origin.pack == each.pack and each.name in draft.names:
            return each.origin.source
    return ""


def not_within(plan: Plan, required: Iterable[RequiredStep]) -> list[RequiredStep]:
    """Return the required steps that the runs which steps of a plan make do not all have.

    An anchor may name such a step: `upload.upload_files`. One that does not, or none, is about each
    of the runs that has such a step.
    """
    if not plan.inner:
        return list(required)
    found: list[RequiredStep] = []
    for each in required:
        within = [pair for planned in plan.steps for pair in _within(planned, each)]
        if not within or any(next(missing(inner, [own], None), None) for inner, own in within):
            found.append(each)
    return found


def _within(planned: PlannedStep, required: RequiredStep) -> Iterator[tuple[Plan, RequiredStep]]:
    """Yield the plan of the run that a step makes, and what is required of it."""
    if planned.inner is None:
        return
    own = required.of_action(planned.name)
    if not own.side or planned.inner.span(own.anchor) is not None:
        yield planned.inner, own


def missing(
    plan: Plan, required: Iterable[RequiredStep], base: Collection[str] | None
) -> Iterator[tuple[RequiredStep, Problem]]:
    """Yield each required step that is missing from the plan or misplaced, with the problem.

    The step has to come from its own pack; a step of the same name is another step.

    Args:
        plan: A finished plan, or a part of one.
        required: The required steps of its action.
        base: The names of the action's own steps; None for a part of a plan, in which a step may be
            absent together with its anchor.
    """
    positions = plan.positions
    for each in required:
        anchor = plan.span(each.anchor) if each.side else None
        if each.side and anchor is None and not _is_due(each, base):
            continue
        place = positions.get(each.name)
        found = None if place is None else plan.steps[place]
        if found is None or place is None:
            detail = "" if base is not None else "the chosen part of the plan leaves it out"
            yield each, _problem(plan, each, detail)
        elif found.origin.pack != each.pack:
            detail = f"the {each.name} of this plan is of {found.origin}"
            yield each, _problem(plan, each, detail)
        elif each.side and anchor is None:
            detail = f"{each.anchor} is not in this plan, so {each.name} is not {each.side} it"
            yield each, _problem(plan, each, detail)
        elif anchor is not None and not _stands(plan, place, each.side, anchor):
            detail = f"{each.name} is in this plan, but not {each.side} {each.anchor}"
            yield each, _problem(plan, each, detail)


def _stands(plan: Plan, place: int, side: str | None, anchor: range) -> bool:
    """Whether a step has ended before its anchor begins, or begins after it has ended."""
    if side == "before":
        return any(place in part for part in plan.before(anchor))
    return any(anchor[-1] in part for part in plan.before(range(place, place + 1)))


def _is_due(required: RequiredStep, base: Collection[str] | None) -> bool:
    """Whether a step is required although the plan has no such anchor."""
    if base is None:
        return False
    # Replacing the anchor by another step does not lift the requirement.
    return EVERYWHERE not in required.within or required.anchor in base


def _problem(plan: Plan, required: RequiredStep, detail: str) -> Problem:
    place = f" {required.side} {required.anchor}" if required.side else ""
    source = required.origin.source
    return Problem(
        code="required-step-missing",
        message=f"{required.name} of {required.pack}{place} in {plan.action} ({source})",
        origins=(required.origin,),
        details=(detail,) if detail else (),
    )
