"""Finishes or undoes runs that another process began: joins journal, plan and action."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.context import RuntimeContext
    from handrail.journal.protocol import Journal
    from handrail.orchestrator import Observer, ProgressCallback, RunOptions
    from handrail.packs.provider import Packs
    from handrail.recovery.resume_run import Recovery
    from handrail.recovery.status import Aim
    from handrail.workflow import Workflow


def resume(
    action: type[BaseAction[Any]] | Workflow,
    number: int | None = None,
    *,
    journal: Journal,
    ctx: RuntimeContext | None = None,
    packs: Packs = None,
    folder: str | os.PathLike[str] | None = None,
    accept_drift: bool = False,
    take_over: bool = False,
    progress_callback: ProgressCallback | None = None,
    observers: Iterable[Observer] = (),
) -> dict[str, Any]:
    """Finish a run that was interrupted, or was kept after a failure; blocking.

    A run that was undoing goes on with that, and an undo asks less: see `rollback`.

    **The working folder of the process is that of the run while this goes on**, and then again
    what it was, because relative paths, those that steps have recorded among them, lead from there.
    Other threads and tasks see that. Where no path is relative, `folder="."` leaves it alone.

    Args:
        action: The action of the run.
        number: The number of the run; the latest that can be resumed unless given.
        journal: The journal.
        ctx: The world outside.
        packs: See `BaseAction`. Unless given, the installed packs are selected by the flags and
            variables that counted when the run began, and by the settings of the project as it is
            now.
        folder: Where to work instead of the folder that the run began in, such as where that was
            moved to.
        accept_drift: Whether to go on although steps that began are not what they were.
        take_over: Whether to take the run from an owner that gives no sign of life.
        progress_callback: See `Orchestrator`.
        observers: See `Orchestrator`.

    Returns:
        What `run` of the action would have returned.

    Raises:
        NotFoundError: There is no such run of this action, or its folder is gone.
        RunClosedError: There is nothing to resume.
        RollbackRefusedError: Its rollback was incomplete.
        RunHeldError: It belongs to a process that lives.
        DriftError: The steps that began are not what they were, or the params are not valid any
            more.
        SourceChangedError: What the run reads is not what it was; nothing was undone.
        StepFailedError: A step failed, now or before, and what was done has been undone.
    """
    options: RunOptions = {"progress_callback": progress_callback, "observers": observers}
    going = _Going("resume", ctx, packs, accept_drift, take_over, options)
    with going.on(action, number, journal, folder) as recovery:
        return recovery.run()


async def resume_async(
    action: type[BaseAction[Any]] | Workflow,
    number: int | None = None,
    *,
    journal: Journal,
    ctx: RuntimeContext | None = None,
    packs: Packs = None,
    folder: str | os.PathLike[str] | None = None,
    accept_drift: bool = False,
    take_over: bool = False,
    progress_callback: ProgressCallback | None = None,
    observers: Iterable[Observer] = (),
) -> dict[str, Any]:
    """Finish a run inside a running event loop; see `resume`."""
    options: RunOptions = {"progress_callback": progress_callback, "observers": observers}
    going = _Going("resume", ctx, packs, accept_drift, take_over, options)
    with going.on(action, number, journal, folder) as recovery:
        return await recovery.run_async()


def rollback(
    action: type[BaseAction[Any]] | Workflow,
    number: int,
    *,
    journal: Journal,
    ctx: RuntimeContext | None = None,
    packs: Packs = None,
    folder: str | os.PathLike[str] | None = None,
    accept_drift: bool = False,
    take_over: bool = False,
    observers: Iterable[Observer] = (),
) -> dict[str, Any]:
    """Undo a run: one that was interrupted, one that was kept, or a completed one; blocking.

    Only the steps that began have to be what they were. The lock and what is required do not
    count, a broken pack does only where one of its steps began, and the rest of the plan may have
    problems. Arguments are those of `resume`, the working folder likewise; `number` is needed, as
    what is undone is what was named.

    Returns:
        `{"rolled_back": True, "number": number}`.

    Raises:
        NotFoundError: There is no such run of this action, or its folder is gone.
        RunClosedError: It was rolled back.
        RollbackRefusedError: It was sealed.
        RunHeldError: It belongs to a process that lives.
        DriftError: The steps that began are not what they were.
        StepFailedError: A step could not be undone; its `rollback_errors` tell.
    """
    options: RunOptions = {"progress_callback": None, "observers": observers}
    going = _Going("rollback", ctx, packs, accept_drift, take_over, options)
    with going.on(action, number, journal, folder) as recovery:
        return recovery.run()


async def rollback_async(
    action: type[BaseAction[Any]] | Workflow,
    number: int,
    *,
    journal: Journal,
    ctx: RuntimeContext | None = None,
    packs: Packs = None,
    folder: str | os.PathLike[str] | None = None,
    accept_drift: bool = False,
    take_over: bool = False,
    observers: Iterable[Observer] = (),
) -> dict[str, Any]:
    """Undo a run inside a running event loop; see `rollback`."""
    options: RunOptions = {"progress_callback": None, "observers": observers}
    going = _Going("rollback", ctx, packs, accept_drift, take_over, options)
    with going.on(action, number, journal, folder) as recovery:
        return await recovery.run_async()


@dataclass(frozen=True, slots=True)
class _Going:
    """How a run goes on: what both directions, blocking and async, are given alike."""

    aim: Aim
    ctx: RuntimeContext | None
    packs: Packs
    accept_drift: bool
    take_over: bool
    options: RunOptions

    @contextmanager
    def on(
        self,
        action: type[BaseAction[Any]] | Workflow,
        number: int | None,
        journal: Journal,
        folder: str | os.PathLike[str] | None,
    ) -> Generator[Recovery]:
        """Look the run up, and work in its folder until the block ends."""
        # What knows runs only, and imports none of what they need, is in this package too.
        from handrail.recovery.folder import working_in  # noqa: PLC0415
        from handrail.recovery.prepare import look_up, prepare  # noqa: PLC0415

        cls, recorded = look_up(self.aim, action, number, journal)
        with working_in(recorded.row, folder):
            yield prepare(
                cls,
                recorded,
                journal,
                self.aim,
                ctx=self.ctx,
                packs=self.packs,
                accept_drift=self.accept_drift,
                take_over=self.take_over,
                options=self.options,
            )
