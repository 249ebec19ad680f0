"""Sweeps: an action run at each point of a grid, with a record and an undo for every run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from typing import Unpack

    from handrail import BaseAction, Orchestrator, Workflow
    from handrail.events import Event
    from handrail.journal import Journal
    from handrail_workers.sweeps.record import SweepRecord


class SweepOptions(TypedDict, total=False):
    """Keyword arguments of `sweep`.

    Attributes:
        sample: How many combinations to draw at random; all unless given.
        sample_seed: The seed of that draw; the same one draws the same combinations.
        max_failed: How many children may fail, or which share of them, such as `2%`.
        on_failure: Whether a child that fails undoes what it has done, or keeps it. The others stay
            in any case.
        executor: The URL of an executor, such as `processes:4`; by default, that of the project.
        strict_results: Whether a step fails if the journal cannot store its result.
        progress_callback: See `Orchestrator`.
        observers: See `Orchestrator`; they get the events of the sweep.
    """

    sample: int | None
    sample_seed: int
    max_failed: int | str
    on_failure: Literal["undo", "keep"]
    executor: str | None
    strict_results: bool
    progress_callback: Callable[[int, int], object] | None
    observers: Iterable[Callable[[Event], object]]


def sweep(
    action: type[BaseAction[Any]] | Workflow,
    params: Mapping[str, Any] | None = None,
    *,
    over: Mapping[str, Iterable[Any]],
    journal: Journal,
    **options: Unpack[SweepOptions],
) -> dict[str, Any]:
    """Run an action for every combination of some values of its params, side by side; blocking.

    The sweep is a run, and each of its children is one, too. Workers are processes, which have to
    find the action by its name: it is an installed one, or at the top level of a module or a file.

    Args:
        action: The action.
        params: The params that all children share.
        over: The values of each param that varies, by its dotted name.
        journal: The journal, which workers open by its address.
        **options: See `SweepOptions`.

    Returns:
        The `number` of the sweep; how many `runs` were completed, and how many `failed`; and the
        `children`, each with its `number`, `point`, `state`, `metrics` and `error`.

    Raises:
        ParamsError: A param or a value is not valid, or there are more than 10,000 combinations;
            nothing was run.
        ActionError: The action cannot be found by its name.
        StepFailedError: More children have failed than may; `handrail.resume` goes on.
        PlanDriftedError: The plan differs from the project's lock; nothing was run.
    """
    from handrail_workers.sweeps.begin import begun, finished  # noqa: PLC0415 - it imports what runs need

    orchestrator = begun(action, params or {}, over=over, journal=journal, **options)
    return finished(orchestrator, orchestrator.execute(), journal)


async def sweep_async(
    action: type[BaseAction[Any]] | Workflow,
    params: Mapping[str, Any] | None = None,
    *,
    over: Mapping[str, Iterable[Any]],
    journal: Journal,
    **options: Unpack[SweepOptions],
) -> dict[str, Any]:
    """Like `sweep`, for use inside a running event loop."""
    from handrail_workers.sweeps.begin import begun, finished  # noqa: PLC0415 - it imports what runs need

    orchestrator: Orchestrator[Any] = begun(
        action, params or {}, over=over, journal=journal, awaits=True, **options
    )
    return finished(orchestrator, await orchestrator.execute_async(), journal)


def sweep_of(journal: Journal, number: int) -> SweepRecord | None:
    """Return what is known of the runs of a sweep; None if the run with this number is no sweep.

    Raises:
        NotFoundError: The journal has no such run.
        JournalDamagedError: What is recorded of the sweep is not what was written.
    """
    from handrail_workers.sweeps.record import sweep_record  # noqa: PLC0415 - as above

    return sweep_record(journal, journal.read(number, fields=False))
