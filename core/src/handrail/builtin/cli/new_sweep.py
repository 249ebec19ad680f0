"""Carries out `handrail run --over`: runs an action at each point of a grid."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from handrail.actions import require_inputs
from handrail.amounts import plural
from handrail.builtin.cli.execution import head_of
from handrail.builtin.cli.executors import check_named
from handrail.builtin.cli.new_run import (
    GivenParams,
    RunRequest,
    about_run,
    chosen,
    last_plan,
    locked,
    made,
    run_journal,
    run_steps,
)
from handrail.builtin.cli.params.over import check_given_once, grid_from, labelled_over
from handrail.builtin.cli.session import warn
from handrail.errors import ParamsError
from handrail.executors.opening import default_url
from handrail.frozen import as_json, replace
from handrail.runtime import silent_runtime
from handrail.sweeps.action import Sweep, swept, template_of
from handrail.sweeps.points import at_point, check_points, check_secrets, checked_grid, point_text

if TYPE_CHECKING:
    from handrail.actions import BaseAction
    from handrail.builtin.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.plan.plan import Plan
    from handrail.sweeps.grid import Grid
    from handrail.targets import Target

_SHOWN = 20  # Points that a dry run shows without --all.


def run_sweep(request: RunRequest) -> int:
    """Run an action at each point of a grid, and return the exit code."""
    session, target, options = request.session, request.target, request.options
    if request.everything and not request.dry_run:
        raise click.UsageError("--all goes with --dry-run")
    if request.no_journal:
        raise click.UsageError("--over needs a journal, in which every run has its own record")
    if request.sample_seed is not None and request.sample is None:
        raise click.UsageError("--sample-seed goes with --sample")
    warn(session, goes_on=False)
    given = GivenParams.of(request)
    grid = grid_from(request.over, options, sample=request.sample, seed=request.sample_seed or 0)
    check_given_once(given.typed, options, grid.over)
    try:
        grid = checked_grid(target.action_class, given.params, grid)
        first = made(session, target, at_point(given.params, next(iter(grid))))
        whole = locked(session, target, first.plan(), request)
        if not whole.steps:
            raise click.UsageError(f"{whole.action} has no steps, so it cannot be swept")
        part = chosen(whole, request)
        for each in check_points(target.action_class, given.params, grid):
            require_inputs(each, part)
    except ParamsError as error:
        raise labelled_over(error, options, grid.over) from error.__cause__
    request = replace(request, executor=_executor(session, request))
    check_named(session, request.executor, request.journal)
    if request.dry_run:
        _show_points(session, whole, grid, everything=request.everything)
        return run_steps(session, first, part, request)
    sweep = Sweep(
        grid=grid,
        max_failed=_max_failed(request),
        on_failure=request.on_failure,
        strict_results=request.strict_results or session.packs.strict_results,
    )
    with run_journal(session, request) as journal:
        assert journal is not None
        last_plan(session, target, whole, request)
        return _run(session, target, first, part, request, given, sweep, journal)


def _run(
    session: Session,
    target: Target,
    first: BaseAction[Any],
    part: Plan,
    request: RunRequest,
    given: GivenParams,
    sweep: Sweep,
    journal: Journal,
) -> int:
    about = about_run(session, first, target, part, request, given.variables, sweep=as_json(sweep))
    check_secrets(first.action_name, about.params, os.environ)
    project = session.packs.settings.project_id
    template = template_of(sweep, about.action, about.params, about.packs, project)
    cls = swept(target.action_class, sweep, template)
    action = cls(first.params, silent_runtime(), packs=())
    # A child that fails has been undone, or kept; the others stay in any case.
    kept = replace(request, on_failure="keep")
    before, plan, after = head_of(part, journal).partition("plan ")
    head = f"{before}sweep of {plural(sweep.grid.count, 'run')} · {plan}{after}"
    # Packs have their part in the plans of the children, and see the sweep as a whole.
    watching = session.packs.observers()
    return run_steps(session, action, action.plan(), kept, journal, about, watching, head=head)


def _executor(session: Session, request: RunRequest) -> str | None:
    """Return the URL of the executor, with the number of runs at a time."""
    url = request.executor or session.packs.executor
    if request.concurrency is None:
        return url
    name = url or default_url()
    if ":" in name:
        raise click.UsageError(
            f"--concurrency {request.concurrency} and the executor {name} both say how many"
        )
    return f"{name}:{request.concurrency}"


def _max_failed(request: RunRequest) -> int | str:
    text = (request.max_failed or "0").strip()
    share = text.removesuffix("%")
    if not share.isdecimal():
        raise click.UsageError(f"--max-failed takes a number, or a share such as 2%, not '{text}'")
    return text if text.endswith("%") else int(text)


def _show_points(session: Session, whole: Plan, grid: Grid, *, everything: bool) -> None:
    if session.json:
        points = list(islice(grid, grid.count if everything else _SHOWN))
        event = {"event": "SweepPreview", "action": whole.action, "runs": grid.count}
        session.console.json_line({**event, "points": points})
        return
    for line in _lines(whole, grid, everything=everything):
        session.console.print(line)


def _lines(whole: Plan, grid: Grid, *, everything: bool) -> Iterator[str]:
    drawn = f", drawn from {grid.whole:,} with seed {grid.seed}" * (grid.count < grid.whole)
    yield f"{whole.action} would be run {grid.count} times{drawn}"
    shown = grid.count if everything or grid.count <= _SHOWN else _SHOWN - 1
    width = len(str(grid.count))
    for place, point in enumerate(islice(grid, shown), 1):
        yield f"  {place:{width}}  {point_text(point)}"
    if shown < grid.count:
        yield f"  ... and {grid.count - shown} more (--all)"
    yield "the first of them:"
