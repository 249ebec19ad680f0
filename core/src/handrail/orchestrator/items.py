"""Lets steps of a run map items: ties these to the interrupts and the event loop of the run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from handrail.items.run import ItemsOfRun
from handrail.orchestrator.interrupts import handed_over

if TYPE_CHECKING:
    from handrail.engine.state import RunState
    from handrail.packs.executors import InstalledExecutors


def items_of_run(
    run: RunState, executor: str | None, executors: InstalledExecutors | None
) -> ItemsOfRun:
    """Return what works on the items of the steps of a run.

    Args:
        run: The run.
        executor: The URL of the executor that the user has asked for, or None.
        executors: The executors of packs; by default, those of the installed packs.
    """
    return ItemsOfRun(
        run, executor, hands_over=handed_over, until_stopped=_until_stopped, packs=executors
    )


async def _until_stopped(function: Callable[[], Any], stop: Callable[[BaseException], None]) -> Any:
    from handrail.orchestrator.asynchronous import call_until_stopped  # noqa: PLC0415 - for async

    return await call_until_stopped(function, stop)
