"""Resumes and rolls back recorded runs, from Python and for the command line."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from typing import Unpack

    from handrail.actions import BaseAction
    from handrail.context import RuntimeContext
    from handrail.journal.protocol import Journal
    from handrail.orchestrator import Observer, ProgressCallback
    from handrail.packs.provider import Packs
    from handrail.recovery.resume_run import Recovery
    from handrail.recovery.status import Aim
    from handrail.workflow import Workflow


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
    """

    ctx: RuntimeContext | None
    packs: Packs
    folder: str | os.PathLike[str] | None
    accept_drift: bool
    take_over: bool
    progress_callback: ProgressCallback | None
    observers: Iterable[Observer]
    executor: str | None


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
    # What knows runs only, and imports none of what they need, is in this package too.
    from handrail.recovery.invocation import working_in  # noqa: PLC0415
    from handrail.recovery.prepare import look_up, prepare  # noqa: PLC0415
    from handrail.recovery.status import check_alone  # noqa: PLC0415

    cls, recorded = look_up(aim, action, number, journal, again=failed_only)
    check_alone(journal, recorded, aim)
    more: dict[str, Any] = {**options}
    folder = more.pop("folder", None)
    of_run = {name: more.pop(name) for name in _OF_RUN if more.get(name) is not None}
    with working_in(recorded, folder):
        more |= {"failed_only": failed_only, "options": of_run}
        yield prepare(cls, recorded, journal, aim, **more)


_OF_RUN = ("progress_callback", "observers", "executor")
