"""Begins a sweep from Python, and returns what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from handrail import Workflow
from handrail.derived import derived_run, with_values
from handrail.frozen import as_json
from handrail_workers.sweeps.action import OPTION, Sweep, swept
from handrail_workers.sweeps.grid import Grid
from handrail_workers.sweeps.points import check_points, checked_grid
from handrail_workers.sweeps.record import sweep_record

if TYPE_CHECKING:
    from handrail import BaseAction, Orchestrator
    from handrail.journal import Journal


def begun(
    action: type[BaseAction[Any]] | Workflow,
    params: Mapping[str, Any],
    *,
    over: Mapping[str, Iterable[Any]],
    sample: int | None = None,
    sample_seed: int = 0,
    max_failed: int | str = 0,
    awaits: bool = False,
    **options: Any,
) -> Orchestrator[Any]:
    """Return the orchestrator of a new sweep; see `handrail_workers.sweep`."""
    cls = action.action_class if isinstance(action, Workflow) else action
    listed = {each: list(values) for each, values in over.items()}
    grid = checked_grid(cls, params, Grid(over=listed, sample=sample, seed=sample_seed))
    sweep = Sweep(
        grid=grid,
        max_failed=max_failed,
        on_failure=options.get("on_failure", "undo"),
        strict_results=options.get("strict_results", False),
    )
    return derived_run(
        cls(with_values(params, next(iter(grid)))),
        lambda packs: swept(cls, sweep, packs, awaits=awaits),
        OPTION,
        as_json(sweep),
        parts=check_points(cls, params, grid),
        **options,
    )


def finished(
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
