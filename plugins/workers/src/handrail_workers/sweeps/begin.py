"""`sweep`: begins a sweep from Python, and returns what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from handrail import Workflow
from handrail.derived import derived_run, with_values
from handrail.frozen import as_json
from handrail_workers.sweeps.action import OPTION, Sweep, swept
from handrail_workers.sweeps.grid import Grid
from handrail_workers.sweeps.points import check_points, checked_grid
from handrail_workers.sweeps.record import sweep_record

if TYPE_CHECKING:
    from typing import Unpack

    from handrail import BaseAction, Orchestrator
    from handrail.events import Event
    from handrail.journal import Journal


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
    cls = action.action_class if isinstance(action, Workflow) else action
    rest: dict[str, Any] = {**options}
    shared, listed = params or {}, {each: list(values) for each, values in over.items()}
    seed = rest.pop("sample_seed", 0)
    drawn = Grid(over=listed, sample=rest.pop("sample", None), seed=seed)
    grid = checked_grid(cls, shared, drawn)
    made = Sweep(
        grid=grid,
        max_failed=rest.pop("max_failed", 0),
        on_failure=rest.get("on_failure", "undo"),
        strict_results=rest.get("strict_results", False),
    )
    orchestrator = derived_run(
        cls(with_values(shared, next(iter(grid)))),
        lambda packs: swept(cls, made, packs),
        OPTION,
        as_json(made),
        parts=check_points(cls, shared, grid),
        journal=journal,
        **rest,
    )
    return _result(orchestrator, orchestrator.execute(), journal)


def _result(
    orchestrator: Orchestrator[Any], counts: Mapping[str, Any], journal: Journal
) -> dict[str, Any]:
    """Return the result of a sweep that was completed."""
    number, context = orchestrator.run_number, orchestrator.context
    assert number is not None
    record = sweep_record(journal, journal.read(number))
    assert record is not None
    children = [
        {
            "number": each.number,
            "point": dict(each.point),
            "state": each.state,
            "metrics": dict(each.metrics),
            "error": each.error,
        }
        for each in record.children
    ]
    return {
        **counts,
        "number": number,
        "runs": context.done,
        "failed": context.failed,
        "children": children,
    }
