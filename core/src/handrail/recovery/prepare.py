"""Finds a recorded run, and prepares its action, packs and plan for a resume or rollback."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from handrail.actions import about_action, checked
from handrail.errors import (
    DriftError,
    NotFoundError,
    PackError,
    ParamsError,
    PlanError,
    SettingsError,
)
from handrail.frozen import NOTHING, replace
from handrail.packs.provider import provider_of
from handrail.params.stored import params_of
from handrail.params.validation import unchecked
from handrail.plan.plan import groups_of
from handrail.plan.selection import under_names
from handrail.recovery.invocation import Invocation, stored_params
from handrail.recovery.recorded_plan import action_of, begun, is_of, steps_of
from handrail.recovery.resume_run import Recovery, changed_input_hints
from handrail.recovery.status import check, only_undoes, refusal, status_of
from handrail.workflow import Workflow

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.context import RuntimeContext
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RunRow
    from handrail.orchestrator import Observer
    from handrail.packs.pack_provider import PackProvider
    from handrail.packs.provider import Packs
    from handrail.plan.plan import Plan
    from handrail.recovery.status import Aim


def look_up(
    aim: Aim,
    action: type[BaseAction[Any]] | Workflow,
    number: int | None,
    journal: Journal,
    *,
    again: bool = False,
) -> tuple[type[BaseAction[Any]], RunRow]:
    """Return the run of `action` with this number, or the latest that can be resumed.

    With `again`, its failed items are tried again; see `refusal`.

    Raises:
        NotFoundError: There is no such run of this action.
        RunClosedError: There is nothing left to do.
        RollbackRefusedError: The run cannot be undone, or can only be undone.
    """
    cls = action.action_class if isinstance(action, Workflow) else action
    if number is None:
        number = latest_to_resume(journal, action=cls.action_name)
    recorded = journal.read(number)
    check_action(recorded, cls.action_name, journal)
    check(recorded, aim, again=again)
    return cls, recorded


def check_action(row: RunRow, name: str, journal: Journal) -> None:
    """Check that the run is one of the action `name`.

    Raises:
        NotFoundError: The run belongs to another action.
    """
    began = action_of(row)
    if began != name:
        raise NotFoundError(
            f"run {row.number} in {journal.shown} is one of {began}, not of {name}",
            ways_out=("give the action that began it", "without a number, the latest is taken"),
        )


def latest_to_resume(
    journal: Journal,
    *,
    project: str | None = None,
    action: str | None = None,
    shown: str = "this project",
) -> int:
    """Return the number of the latest run, of a project or of an action, that can be resumed.

    Args:
        journal: The journal.
        project: Only runs of this project.
        action: Only runs of this action.
        shown: The name of the project in the error.

    Raises:
        NotFoundError: There is no such run; the ways out name the latest of another project.
    """
    found = next(_to_resume(journal, project, action), None)
    if found is not None:
        return found.number
    whose = "run" if action is None else f"run of {action}"
    whose += "" if project is None else f" of {shown}"
    raise NotFoundError(
        f"there is no {whose} in {journal.shown} that can be resumed",
        ways_out=_elsewhere(next(_to_resume(journal, None, action), None)),
    )


def latest_of_project(journal: Journal, project: str, shown: str = "this project") -> int:
    """Return the number of the latest run of a project, with any outcome.

    Args:
        journal: The journal.
        project: The project.
        shown: The name of the project in the error.

    Raises:
        NotFoundError: There is no such run; the ways out name the latest of another project.
    """
    found = journal.runs(limit=1, project=project)
    if found:
        return found[0].number
    others = journal.runs(limit=1)
    raise NotFoundError(
        f"there is no run of {shown} in {journal.shown}",
        ways_out=_elsewhere(next(iter(others), None)),
    )


def _to_resume(journal: Journal, project: str | None, action: str | None) -> Iterator[RunRow]:
    for row in journal.runs(project=project):
        status = status_of(journal, row)
        if refusal(status.row, "resume") is not None or not status.is_left:
            continue
        # Read the plan only of the few candidates, because plans are long.
        if action is None or action_of(journal.read(row.number, fields=False)) == action:
            yield row


def _elsewhere(row: RunRow | None) -> tuple[str, ...]:
    # No command to paste, because the run belongs to another project.
    return () if row is None else (f"the latest one is run {row.number}, of {row.project}",)


def prepare(
    action: type[BaseAction[Any]],
    recorded: RunRow,
    journal: Journal,
    aim: Aim,
    *,
    ctx: RuntimeContext | None = None,
    packs: Packs = None,
    accept_drift: bool = False,
    asked: Mapping[str, Any] | None = NOTHING,
    command_line: Callable[[str], str] = "handrail {}".format,
    **more: Any,
) -> Recovery:
    """Return a Recovery for a recorded run: the action with its recorded params, and its plan.

    The working folder must be that of the run. An undo needs less than a resume: no lock, no
    requirements, and only the packs whose steps were started.

    Args:
        action: The class of the action.
        recorded: The run.
        journal: The journal of the run.
        aim: Whether to finish or to undo the run.
        ctx: The runtime context for the steps.
        packs: The packs; by default, the installed ones as selected when the run began.
        accept_drift: Whether to continue even if steps that were started have changed.
        asked: How a resume is asked for; see `CheckedRun`. By default, as by a program; None for a
            run that is not checked.
        command_line: Returns a Handrail command as the user must type it.
        **more: See `Recovery`.

    Raises:
        ParamsError: The variable of a secret is empty or not set.
        SettingsError: The variable of a secret of a pack is empty or not set.
        DriftError: The params are no longer valid, for example because an input is gone.
        PlanError: The current plan has problems.
        PackError: A pack is broken, or a required one is missing.
        NotFoundError: The option that has derived the action is not installed, or off.
        PlanDriftedError: The plan to resume differs from the lock.
    """
    stored_params(recorded)  # Its shape is checked.
    values = params_of(recorded.params, action.action_name, os.environ, action.params_model)
    invocation = Invocation.of_row(recorded)
    provider = provider_of(packs) if packs is not None else _selected_packs(invocation)
    _check_secrets(recorded, invocation)
    watching: tuple[Observer, ...] = ()
    if invocation.derived_by is not None:
        # Packs see it as a whole; their edits are in its parts.
        watching = (*provider.observers(),)
        option = provider.option(invocation.derived_by)
        option = option or _selected_packs(invocation).option(invocation.derived_by)
        action, provider = option.derive(action, recorded), provider_of(())
    ignored: tuple[str, ...] = ()
    if only_undoes(recorded, aim):
        provider = fewer = provider.for_undo(() if accept_drift else _owners(recorded))
        made, strange = _action_to_undo(action, values, ctx, fewer)
        plan, ignored = _plan_to_undo(made, fewer)
        ignored = (*strange, *ignored)
    else:
        hints = changed_input_hints(recorded.number, command_line)
        made = _action_to_resume(action, values, ctx, provider, hints)
        plan = made.plan()
        if asked is not None:
            plan = checked(made, plan, left_aside=invocation.no_lock, **asked)
    if not is_of(recorded, plan):
        plan = under_names(plan, (step["name"] for step in steps_of(recorded)))
    recovery = Recovery(
        action=made,
        plan=invocation.part_of(plan, recorded),
        recorded=recorded,
        journal=journal,
        aim=aim,
        about=about_action(made),
        accept_drift=accept_drift,
        executor=invocation.executor,
        ignored=ignored,
        command_line=command_line,
        watching=watching,
        **more,
    )
    if invocation.derived_by is not None and aim == "resume":
        # A part that fails is undone, or kept; the others stay in any case.
        recovery.options["on_failure"] = "keep"
    return recovery


def _check_secrets(row: RunRow, invocation: Invocation) -> None:
    """Check that the secrets which packs read when the run began are there, and not empty."""
    missing = [name for name in invocation.secrets if not os.environ.get(name)]
    if missing:
        raise SettingsError(
            f"run {row.number} began with secrets of packs; "
            f"empty or not set now: {', '.join(missing)}",
            ways_out=("set them as when the run began: secrets are never stored",),
        )


def _action_to_resume(
    action: type[BaseAction[Any]],
    values: Mapping[str, Any],
    ctx: RuntimeContext | None,
    packs: PackProvider,
    ways_out: tuple[str, ...],
) -> BaseAction[Any]:
    """Return the action with its recorded params, or raise DriftError if they are not valid now."""
    try:
        return action(values, ctx, packs=packs)
    except ParamsError as error:
        raise DriftError(
            f"the run cannot go on, and stays as it is: {error.message}", ways_out=ways_out
        ) from error


def _selected_packs(invocation: Invocation) -> PackProvider:
    from handrail.packs.installed import installed_packs  # noqa: PLC0415 - where nobody gives packs

    return installed_packs(recorded=invocation.selection, pack_values=invocation.values)


def _owners(recorded: RunRow) -> set[str]:
    """Return the ids of the packs whose steps or layers are to be undone."""
    over = ("skipped", "undone")
    began = {row.step for row in recorded.attempts if row.state not in over}
    steps = [step for step in begun(recorded) if step["name"] in began and not step["always_run"]]
    parts = [part for step in steps for part in (step, *step["layers"])]
    return {str(part["origin"]["pack"]) for part in parts if part["origin"]["pack"]}


def _action_to_undo(
    action: type[BaseAction[Any]],
    values: Mapping[str, Any],
    ctx: RuntimeContext | None,
    packs: PackProvider,
) -> tuple[BaseAction[Any], tuple[str, ...]]:
    """Return the action, and the current problems of its params, such as a missing input."""
    try:
        return action(values, ctx, packs=packs), ()
    except ParamsError as error:
        if action.params_model is None:
            raise
        params = unchecked(action.params_model, values)
        # Errors of a validator of the whole model have no path.
        told = tuple(f"{path}: {text}" if path else text for path, text in error.fields)
        return action(params, ctx, packs=packs), told


def _plan_to_undo(action: BaseAction[Any], packs: PackProvider) -> tuple[Plan, tuple[str, ...]]:
    """Return the plan as far as it can be made, and the problems that were ignored."""
    while True:
        problems: tuple[str, ...] = ()
        try:
            plan = action.plan()
        except PlanError as error:
            if error.plan is None:
                raise
            # Of two steps with one name, only one can be the started step.
            first = {planned.name: planned for planned in reversed(error.plan.steps)}
            steps = tuple(each for each in error.plan.steps if first[each.name] is each)
            limits = {group.name: group.limit for group in error.plan.groups}
            plan = replace(error.plan, steps=steps, groups=groups_of(steps, limits))
            problems = tuple(each.message for each in error.problems)
        except PackError as error:
            pack = error.origin.pack if error.origin else None
            if pack is None or not packs.leave_out(pack, error):
                raise
            continue
        return plan, (*packs.left_out.values(), *problems)
