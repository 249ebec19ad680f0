"""Plans an action: its own steps, the edits of all packs, and their checks of the plan."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, cast

from handrail.entry import chain, innermost
from handrail.errors import (
    ActionError,
    HandrailError,
    PackError,
    PlanError,
    Problem,
    describe,
)
from handrail.frozen import replace, values_of
from handrail.origin import Origin, raised_at
from handrail.packs.pack_provider import PackProvider
from handrail.plan.builder import base_drafts
from handrail.plan.checks import senseless_waits, unfit
from handrail.plan.collect import StepChanges, collect, states_of
from handrail.plan.order import pack_order
from handrail.plan.plan import Plan, PlannedStep
from handrail.plan.problems import no_steps
from handrail.plan.resolve import resolve
from handrail.plan.rules import ActionInfo, PlanRules, missing, not_within, required_in
from handrail.registry import StepRegistry
from handrail.user_code import calls_user_code
from handrail.wrapper import StepWrapper

if TYPE_CHECKING:
    from handrail.packs.loader import LoadedPack
    from handrail.plan.rules import CheckedRun, RequiredStep


@calls_user_code
def registered(
    setup_steps: Callable[[StepRegistry[Any]], object],
    action: str,
    owner: str,
    *,
    may_be_empty: bool,
    kind: type[StepRegistry[Any]] | None = None,
) -> StepRegistry[Any]:
    """Return a registry filled by the `setup_steps` of an action.

    Args:
        setup_steps: The method.
        action: Name of the action.
        owner: Name of its class.
        may_be_empty: Whether the action works without steps.
        kind: The class of the registry.

    Raises:
        ActionError: The method is async, or has registered nothing.
    """
    registry: StepRegistry[Any] = (kind or StepRegistry)()
    answer = setup_steps(registry)
    if isawaitable(answer):
        getattr(answer, "close", lambda: None)()
        raise ActionError(
            f"setup_steps of {action} is async; it only registers steps, which may be async",
            ways_out=("write it without async: def setup_steps(self, registry)",),
        )
    if not registry and not may_be_empty:
        returned = f", but returned {type(answer).__name__}" if answer is not None else ""
        raise ActionError(
            f"{action} has nothing to run: setup_steps of {owner} registered no steps{returned}",
            ways_out=("call registry.register(step) there, or override execute()",),
        )
    return registry


def plan_action(
    info: ActionInfo,
    registry: StepRegistry[Any],
    provider: PackProvider,
    *,
    rules: Sequence[RequiredStep] = (),
) -> Plan:
    """Return the plan of the action `info`, whose own steps are in `registry`.

    An action that registered nothing has an empty plan, and no hooks are called for it.

    Args:
        info: The action.
        registry: Its own steps.
        provider: The packs.
        rules: Further steps that are protected, as a chain that it is in requires them.

    Raises:
        PlanError: The plan has problems; the error lists all of them.
        PackError: An enabled pack is broken, or one of its hooks raised.
    """
    packs, problems = pack_order(provider.contributors()) if registry else ([], [])
    known = rules_for(info, provider, packs)
    required = required_in(info.lineage, known.required)
    project, mistakes = provider.configuration.edits(info.lineage, provider)
    if project.count and not registry:
        raise PlanError(info.name, [*mistakes, no_steps(info.name, project)])
    edits, unusable = collect(info, registry, packs, project)
    drafts = base_drafts(registry, info.origin)
    for draft in drafts:
        owner = provider.origin_of(getattr(draft.entry.step, "__module__", ""))
        draft.origin = owner if owner.pack else info.origin
    plan = resolve(
        info.name,
        drafts,
        edits,
        grants=known.grants,
        required=[*required, *rules],
        origin=info.origin,
        known=[*problems, *mistakes, *unusable, *unfit(info, edits)],
    )
    base = {name for entry in registry.entries() for name in entry.names}
    plan, found = with_inner(plan, provider)
    found += [*_missing(plan, required, provider, base), *senseless_waits(plan)]
    if plan.isolates:
        from handrail.packs.places import unplaced  # noqa: PLC0415 - few plans do

        found += unplaced(plan, provider)
    checking = [pack for pack in packs if pack.implements("check_plan")]
    steps = [each for planned in plan.steps if checking for each in chain(planned.step)]
    before, changes = states_of(steps), StepChanges()
    for pack in checking:
        found += _problems(pack, "check_plan", pack.call("check_plan", action=info, plan=plan))
        changes.put_back(before, pack)
    found += changes.problems()
    if found:
        raise PlanError(info.name, found, plan=plan)
    return plan


def with_inner(plan: Plan, provider: PackProvider) -> tuple[Plan, list[Problem]]:
    """Return a plan with the plans of the runs that its steps make, and their problems."""
    kinds = {type(planned.step) for planned in plan.steps}
    if not any(hasattr(kind, "inner_plan") or issubclass(kind, StepWrapper) for kind in kinds):
        return plan, []
    steps: list[PlannedStep] = []
    problems: list[Problem] = []
    for planned in plan.steps:
        step: Any = innermost(planned.step)
        if not hasattr(step, "inner_plan"):
            steps.append(planned)
            continue
        try:
            inner = step.inner_plan(provider)
        except PlanError as error:
            if error.plan is None:
                raise
            problems += error.problems
            inner = error.plan
        limits = planned.facts.limits
        if planned.always_run or (limits is not None and limits.isolated):
            problems.append(_cannot_run(planned))
        steps.append(replace(planned, inner=inner, inputs=step.inputs))
    if all(each.inner is None for each in steps):
        return plan, []
    return replace(plan, steps=tuple(steps)), problems


def _cannot_run(planned: PlannedStep) -> Problem:
    how = "always runs" if planned.always_run else "is isolated"
    return Problem(
        code="bad-step",
        message=f"step '{planned.name}' runs an action, and {how}, which it cannot",
        origins=(planned.origin,),
    )


def check_part(plan: Plan, info: ActionInfo, provider: PackProvider) -> None:
    """Check that a part of a plan, or a plan made elsewhere, has all that its steps need.

    Raises:
        PlanError: A required step is missing.
        PackError: A required pack is missing.
    """
    packs = provider.contributors() if plan.steps else ()
    required = required_in(info.lineage, rules_for(info, provider, packs).required)
    found = _missing(plan, required, provider, None)
    if found:
        raise PlanError(info.name, found)


def chosen_json(plan: Plan, provider: PackProvider, executor: str | None = None) -> str:
    """Return, as JSON, the selected steps of a plan, the excluded packs and the executor."""
    chosen: dict[str, Any] = values_of(provider.selection)
    if plan.part:
        chosen["only"] = [planned.name for planned in plan.steps]
    chosen["secrets"] = secret_variables(plan, provider)
    if executor is not None:
        chosen["executor"] = executor
    return json.dumps(chosen, separators=(",", ":"))


def secret_variables(plan: Plan, provider: PackProvider) -> list[str]:
    """Return the variables from which the packs with a part in a plan have read secrets."""
    steps = [*plan.steps, *(step for each in plan.steps if each.inner for step in each.inner.steps)]
    packs = {planned.origin.pack for planned in steps}
    packs |= {layer.origin.pack for planned in steps for layer in planned.layers}
    return [name for each in provider.secrets() if each.pack in packs for name in each.variables]


def _missing(
    plan: Plan,
    required: Sequence[RequiredStep],
    provider: PackProvider,
    base: Collection[str] | None,
) -> list[Problem]:
    return [
        problem if problem.details else replace(problem, ways_out=provider.ways_to(each))
        for each, problem in missing(plan, not_within(plan, required), base)
    ]


def rules_for(info: ActionInfo, provider: PackProvider, packs: Iterable[LoadedPack]) -> PlanRules:
    """Return the rules for plans of an action: those of the project, tightened by packs.

    Raises:
        SettingsError: The settings are not valid.
        PackError: Something required is missing, or a pack answers with something else.
    """
    rules = provider.rules()
    for pack in packs:
        if not pack.implements("plan_rules"):
            continue
        answer: object = pack.call("plan_rules", action=info)
        if isinstance(answer, PlanRules):
            rules = rules.tightened(answer)
        elif answer is not None:
            raise _wrong_answer(pack, "plan_rules", answer, "PlanRules")
    return rules


def check_run(info: ActionInfo, provider: PackProvider, run: CheckedRun) -> Plan:
    """Check a run before it begins, or is resumed; return its plan, which may be locked now.

    An undo is not checked: only the steps that began matter to it.

    Raises:
        PlanError: It has problems; the error lists all of them.
        PlanDriftedError: The plan differs from the locked one and is not a part of it.
        LockError: The lock cannot be read; or a setting or policy requires a lock, and it is
            missing or ignored.
    """
    plan = run.plan
    if provider.plans_undo:
        return plan
    found = list(provider.configuration.check_run(provider, run))
    for pack in provider.contributors() if plan.steps else ():
        if pack.implements("check_run"):
            answer = pack.call("check_run", action=info, plan=plan, whole=run.whole, request=run)
            found += _problems(pack, "check_run", answer)
    if found:
        raise PlanError(info.name, found, plan=plan)
    return plan if plan.locked is run.locked else replace(plan, locked=run.locked)


def _problems(pack: LoadedPack, hook: str, answer: object) -> list[Problem]:
    """Return the answer of a hook as a list of problems."""
    given = answer
    if answer is None or isinstance(answer, Problem):
        return [answer] if answer else []
    several = cast("Iterable[object]", answer) if isinstance(answer, Iterable) else (answer,)
    found = list(several)
    if isinstance(answer, str) or not all(isinstance(each, Problem) for each in found):
        raise _wrong_answer(pack, hook, given, "Problems")
    return cast("list[Problem]", found)


def _wrong_answer(pack: LoadedPack, hook: str, answer: object, allowed: str) -> PackError:
    return PackError(
        f"{hook} of {pack.origin} returned {answer!r}; it may return {allowed} or None",
        origin=pack.origin,
        ways_out=(f"leave the pack out:  --no-pack {pack.id}",),
    )


def with_file(origin: Origin) -> Origin:
    """Return the origin with its file added, if no distribution owns the code."""
    file = getattr(sys.modules.get(origin.module), "__file__", None)
    if origin.pack is not None or not isinstance(file, str):
        return origin
    return replace(origin, file=_short(file))


@contextmanager
def naming(
    method: str, action: str, module: str, when: str = "", kind: type[ActionError] = ActionError
) -> Generator[None, None, None]:
    """Convert errors raised in a method of an action to an error with its name and line."""
    try:
        yield
    except HandrailError:
        raise
    except (Exception, SystemExit) as error:
        raise kind(
            f"{method} of {action} raised{when} {type(error).__name__}: {describe(error)}",
            origin=line_of(error, module),
        ) from error


def line_of(error: BaseException, module: str) -> Origin | None:
    """Return the last line of `module` in the traceback of `error`, or None."""
    found = raised_at(error, lambda frame: frame.f_globals.get("__name__") == module)
    return found and replace(found, file=_short(found.file))


def _short(file: str) -> str:
    return file.replace("\\", "/").rpartition("/")[2]
