"""Resumes and rolls back recorded runs: finds them, and prepares their action, packs and plan."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

from handrail.actions import about_action, checked
from handrail.errors import (
    DriftError,
    JournalDamagedError,
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
from handrail.recovery.checks import check, check_alone, only_undoes, refusal
from handrail.recovery.recorded import (
    Invocation,
    action_of,
    begun,
    is_of,
    steps_of,
    stored_params,
)
from handrail.recovery.resume_run import Recovery, changed_input_hints
from handrail.trust import distrust
from handrail.workflow import Workflow

if TYPE_CHECKING:
    from typing import Unpack

    from handrail.actions import BaseAction
    from handrail.context import RuntimeContext
    from handrail.journal.protocol import Journal
    from handrail.journal.records import RunRow
    from handrail.orchestrator import Observer, ProgressCallback
    from handrail.packs.pack_provider import PackProvider
    from handrail.packs.provider import Packs
    from handrail.plan.plan import Plan
    from handrail.recovery.checks import Aim


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
        number = _latest_to_resume(journal, cls.action_name)
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


def enter(row: RunRow, folder: str | os.PathLike[str] | None, way: str) -> None:
    """Make the folder of a run the working folder.

    Args:
        row: The run.
        folder: The folder to use instead, or None.
        way: The way out that names another folder.

    Raises:
        NotFoundError: The folder cannot be entered, or belongs to a user who is not trusted.
    """
    target = row.cwd if folder is None else os.fspath(folder)
    with contextlib.suppress(OSError):
        if os.path.samefile(os.curdir, target):
            return  # Keep its name, which may be shorter, and spare other threads.
    found = None if folder is not None else distrust(target)
    # In a folder that everyone may write, files are checked one by one. Entering a folder of an
    # untrusted user would mean trusting it.
    if found is not None and found.owner:
        raise NotFoundError(
            f"run {row.number} ran in {target}, which belongs to {found.owner} now",
            ways_out=(f"if it should:  {way.replace('PATH', target)}", *found.ways_out),
        )
    try:
        os.chdir(target)
    except OSError as error:
        if folder is not None:
            raise NotFoundError(f"{target} cannot be entered: {error.strerror}") from error
        raise NotFoundError(
            f"run {row.number} ran in {target}, which cannot be entered: {error.strerror}",
            ways_out=(
                "its paths lead from there: put the folder back, then try again",
                f"or name the one that they lead from now:  {way}",
            ),
        ) from error


@contextmanager
def working_in(row: RunRow, folder: str | os.PathLike[str] | None) -> Generator[None, None, None]:
    """Make the folder of a run the working folder for the block.

    Raises:
        NotFoundError: The folder cannot be entered.
    """
    before: str | None = None
    with contextlib.suppress(OSError):  # The previous folder may be gone.
        before = os.getcwd()
    enter(row, folder, "folder=PATH")
    try:
        yield
    finally:
        if before is not None and before != os.getcwd():
            os.chdir(before)


def _latest_to_resume(journal: Journal, action: str) -> int:
    """Return the number of the latest run of an action that can be resumed.

    Raises:
        NotFoundError: There is no such run.
    """
    for row in journal.runs():
        # Read the plan only of the few candidates, because plans are long.
        if (
            refusal(row, "resume") is None
            and _is_left(journal, row)
            and action_of(journal.read(row.number, fields=False)) == action
        ):
            return row.number
    raise NotFoundError(f"there is no run of {action} in {journal.shown} that can be resumed")


def _is_left(journal: Journal, row: RunRow) -> bool:
    """Return whether the owner of a run is gone, as far as that can be read."""
    try:
        holder = None if row.outcome is not None else journal.holder(row.number)
    except JournalDamagedError:
        return False
    return holder is None or holder.owner_is_gone


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
    params: Mapping[str, Any] | None = None,
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
        params: Values of its params in place of the recorded ones, for this time.
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
    values = {**values, **(params or {})}
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


class RecoveryOptions(TypedDict, total=False):
    """Keyword arguments of `resume` and `rollback`.

    Attributes:
        ctx: The runtime context for the steps.
        packs: See `BaseAction`. By default, the installed packs, selected by the flags and
            variables recorded when the run began, and by the current settings of the project.
        folder: The working folder to use instead of the run's, for example if that was moved.
        accept_drift: Whether to continue even if steps that were started have changed.
        take_over: Whether to take the run from an owner whose lease has expired.
        progress_callback: See `Orchestrator`.
        observers: See `Orchestrator`.
        executor: The executor for items; by default, that with which the run began.
        params: Values of its params in place of the recorded ones, for this time.
    """

    ctx: RuntimeContext | None
    packs: Packs
    folder: str | os.PathLike[str] | None
    accept_drift: bool
    take_over: bool
    progress_callback: ProgressCallback | None
    observers: Iterable[Observer]
    executor: str | None
    params: Mapping[str, Any] | None


def resume(
    action: type[BaseAction[Any]] | Workflow,
    number: int | None = None,
    *,
    journal: Journal,
    failed_only: bool = False,
    **options: Unpack[RecoveryOptions],
) -> dict[str, Any]:
    """Finish a run that was interrupted, or kept after a failure; blocking.

    If the run was being undone, the undo is continued, with the checks of `rollback` only.

    **The working folder of the process is changed to that of the run meanwhile**, because relative
    paths, including recorded ones, start there. Other threads and tasks are affected. If no path
    is relative, `folder="."` avoids the change.

    Args:
        action: The action of the run.
        number: The number of the run; by default, the latest that can be resumed.
        journal: The journal.
        failed_only: Whether to try items that failed again, also those of a completed run: later
            steps are undone first, and run again.
        **options: See `RecoveryOptions`.

    Returns:
        The result that the action's `run` would have returned.

    Raises:
        NotFoundError: There is no such run of this action, or its folder is gone.
        RunClosedError: There is nothing to resume.
        RollbackRefusedError: The rollback of the run was incomplete.
        RunHeldError: The run belongs to another process that is alive.
        DriftError: Steps that were started have changed, or the params are no longer valid.
        SourceChangedError: The source of the run has changed; nothing was undone.
        RefusedError: A step cannot go on, or cannot be undone, for now.
        StepFailedError: A step failed, now or before, and the run was undone.
    """
    with _prepared("resume", action, number, journal, failed_only, **options) as recovery:
        return recovery.run()


async def resume_async(
    action: type[BaseAction[Any]] | Workflow,
    number: int | None = None,
    *,
    journal: Journal,
    failed_only: bool = False,
    **options: Unpack[RecoveryOptions],
) -> dict[str, Any]:
    """Like `resume`, for use inside a running event loop."""
    with _prepared("resume", action, number, journal, failed_only, **options) as recovery:
        return await recovery.run_async()


def rollback(
    action: type[BaseAction[Any]] | Workflow,
    number: int,
    *,
    journal: Journal,
    **options: Unpack[RecoveryOptions],
) -> dict[str, Any]:
    """Undo a run that was interrupted, kept after a failure, or completed; blocking.

    Only steps that were started must be unchanged. The lock and requirements do not apply, a broken
    pack matters only if one of its steps was started, and the rest of the plan may have problems.
    The arguments, and the change of the working folder, are those of `resume`, except that
    `number` is mandatory.

    Returns:
        `{"rolled_back": True, "number": number}`.

    Raises:
        NotFoundError: There is no such run of this action, or its folder is gone.
        RunClosedError: The run was already rolled back.
        RollbackRefusedError: The run was sealed.
        RunHeldError: The run belongs to another process that is alive.
        DriftError: Steps that were started have changed.
        RefusedError: A step cannot be undone for now; the steps before it were not undone.
        StepFailedError: A step could not be undone; see its `rollback_errors`.
    """
    with _prepared("rollback", action, number, journal, **options) as recovery:
        return recovery.run()


async def rollback_async(
    action: type[BaseAction[Any]] | Workflow,
    number: int,
    *,
    journal: Journal,
    **options: Unpack[RecoveryOptions],
) -> dict[str, Any]:
    """Like `rollback`, for use inside a running event loop."""
    with _prepared("rollback", action, number, journal, **options) as recovery:
        return await recovery.run_async()


@contextmanager
def _prepared(
    aim: Aim,
    action: type[BaseAction[Any]] | Workflow,
    number: int | None,
    journal: Journal,
    failed_only: bool = False,
    **options: Unpack[RecoveryOptions],
) -> Generator[Recovery]:
    """Look up the run; yield a Recovery, with the run's folder as the working folder."""
    cls, recorded = look_up(aim, action, number, journal, again=failed_only)
    check_alone(journal, recorded, aim)
    more: dict[str, Any] = {**options}
    folder = more.pop("folder", None)
    of_run = {name: more.pop(name) for name in _OF_RUN if more.get(name) is not None}
    with working_in(recorded, folder):
        more |= {"failed_only": failed_only, "options": of_run}
        yield prepare(cls, recorded, journal, aim, **more)


_OF_RUN = ("progress_callback", "observers", "executor")
