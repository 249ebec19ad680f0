"""Begins a sweep from Python, and returns what came of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from handrail.actions import about_action, orchestrator_of, require_inputs
from handrail.errors import ActionError
from handrail.frozen import as_json
from handrail.packs.action_names import names_of
from handrail.packs.installed import installed_packs
from handrail.packs.planner import secret_variables
from handrail.recovery.invocation import Invocation
from handrail.settings.load import project_at
from handrail.sweeps.action import Sweep, swept, template_of
from handrail.sweeps.grid import Grid
from handrail.sweeps.points import at_point, check_points, check_secrets, checked_grid
from handrail.sweeps.record import sweep_record
from handrail.targets import name_from
from handrail.workflow import Workflow

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.journal.protocol import Journal
    from handrail.orchestrator import Orchestrator, RunOptions, RunResult
    from handrail.packs.installed import InstalledPacks


def begun(
    action: type[BaseAction[Any]] | Workflow,
    params: Mapping[str, Any],
    *,
    over: Mapping[str, Iterable[Any]],
    sample: int | None = None,
    sample_seed: int = 0,
    max_failed: int | str = 0,
    awaits: bool = False,
    **options: Unpack[RunOptions],
) -> Orchestrator[Any]:
    """Return the orchestrator of a new sweep; see `handrail.sweeps.sweep`."""
    cls = action.action_class if isinstance(action, Workflow) else action
    packs = installed_packs()
    name = _name_of(packs, cls)
    listed = {each: list(values) for each, values in over.items()}
    grid = checked_grid(cls, params, Grid(over=listed, sample=sample, seed=sample_seed))
    first = cls(at_point(params, next(iter(grid))), packs=packs)
    whole = first.plan()
    plan = packs.check_lock(whole, cls, lambda: whole)
    if not plan.steps:
        raise ActionError(f"{cls.action_name} has no steps, so it cannot be swept")
    for each in check_points(cls, params, grid):
        require_inputs(each, plan)
    sweep = Sweep(
        grid=grid,
        max_failed=max_failed,
        on_failure=options.get("on_failure", "undo"),
        strict_results=options.get("strict_results", False),
    )
    invocation = Invocation.of(
        packs.selection,
        packs.settings.pack_values,
        secrets=secret_variables(plan, packs),
        executor=options.get("executor") or packs.executor,
        sweep=as_json(sweep),
    )
    about = about_action(
        cls,
        first.params,
        recorded_as=name,
        packs=invocation.to_json(),
        serializers=packs.serializers,
        secrets=[text for each in packs.secrets() for text in each.texts],
    )
    check_secrets(cls.action_name, about.params, os.environ)
    template = template_of(sweep, name, about.params, about.packs, project_at(os.getcwd()))
    made = swept(cls, sweep, template, awaits=awaits)(first.params, packs=())
    options |= {"on_failure": "keep", "executor": options.get("executor") or packs.executor}
    options["observers"] = (*options.get("observers", ()), *packs.observers())
    return orchestrator_of(made, made.plan(), about, **options)


def finished(
    orchestrator: Orchestrator[Any], counts: RunResult, journal: Journal
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


def _name_of(packs: InstalledPacks, action: type[BaseAction[Any]]) -> str:
    """Return the name by which workers find an action from the working folder.

    Raises:
        ActionError: It has none.
    """
    found = names_of(packs, action)
    if not found:
        raise ActionError(
            f"{action.action_name} cannot be found in other processes",
            ways_out=("define it at the top level of a module or a file",),
        )
    return name_from(found[0], packs.settings.project.folder, Path.cwd())
