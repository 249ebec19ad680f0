"""What `handrail run`, `show` and `rollback` have of sweeps; what carries it out is elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from handrail.cli import Option

if TYPE_CHECKING:
    from handrail import BaseAction
    from handrail.cli import RollbackRequest, RunRequest, ShowRequest
    from handrail.journal import RunRow

_OF_OVER = ("sample", "sample_seed", "max_failed", "concurrency")


def swept(request: RunRequest) -> RunRequest:
    """Return the request to run a sweep of an action, if that is what is asked for."""
    if request.values.get("over"):
        from handrail_workers.sweeps.over import sweep_for  # noqa: PLC0415 - few runs are sweeps

        return sweep_for(request)
    for name in _OF_OVER:
        value = request.values.get(name)
        if value is not None:
            model = request.target.action_class.params_model
            own = model is not None and name in model.model_fields
            hint = f"; the param is set by -p {name}={value}" if own else ""
            raise click.UsageError(f"--{name.replace('_', '-')} goes with --over{hint}")
    return request


def swept_again(action: type[BaseAction[Any]], row: RunRow) -> type[BaseAction[Any]]:
    """Return the class of a recorded sweep of an action; the working folder is that of the run."""
    from handrail_workers.sweeps.action import recorded_sweep  # noqa: PLC0415 - see above

    return recorded_sweep(action, row)


def compared(request: ShowRequest) -> ShowRequest:
    """Return the request to show the runs of a sweep, side by side, if a sweep is to be shown."""
    values = request.values
    given = [name for name in ("csv", "sort", "best") if values.get(name)]
    best = values.get("best")
    if best and not re.match("(max|min):.", best):
        raise click.UsageError(f"--best {best}: say max:METRIC or min:METRIC")
    if given and len(request.numbers) > 1:
        raise click.UsageError(f"--{given[0]} takes one run")
    if len(request.numbers) == 1 and "derived_by" in request.records[0].row.packs:
        from handrail_workers.sweeps.report import with_runs  # noqa: PLC0415 - few runs are sweeps

        request = with_runs(request)
    elif given:
        raise click.UsageError(
            f"run {request.numbers[0]} is no sweep, whose runs could be compared"
        )
    return request


def others_undone(request: RollbackRequest) -> RollbackRequest:
    """Return the request to undo the runs of a sweep but some, if that is what is asked for."""
    if not request.values.get("keep"):
        return request
    from handrail_workers.sweeps.keeping import keeping  # noqa: PLC0415 - see above

    return keeping(request)


over = Option(
    click_params=[
        click.Option(
            ["--over"],
            multiple=True,
            metavar="NAME=VALUES",
            help="Run the action for each of these values of a param, side by side: epochs=10,20, "
            "or a JSON list. Repeatable: every combination is run.",
        ),
        click.Option(
            ["--sample"],
            type=click.IntRange(min=1),
            metavar="N",
            help="With --over: run only N combinations, drawn at random.",
        ),
        click.Option(
            ["--sample-seed"],
            type=int,
            metavar="S",
            help="With --sample: the seed of the draw, by default 0.",
        ),
        click.Option(
            ["--max-failed"],
            metavar="N",
            help="With --over: how many runs may fail, as a number or a share such as 2%, before "
            "no more are begun; by default 0.",
        ),
        click.Option(
            ["--concurrency"],
            type=click.IntRange(min=1),
            metavar="N",
            help="With --over: run at most N at a time, by default one a core.",
        ),
    ],
    apply=swept,
    derive=swept_again,
)

csv = Option(
    click_params=[
        click.Option(
            ["--sort"],
            metavar="METRIC",
            help="Of a sweep: sort its runs by a metric, the best first; -METRIC has the least "
            "first, +METRIC the greatest.",
        ),
        click.Option(
            ["--best"],
            metavar="max:METRIC",
            help="Of a sweep: mark the run with the greatest METRIC, or with min:METRIC the least. "
            "By default, the best by a metric of which the steps said if a higher one is better.",
        ),
        click.Option(["--csv"], is_flag=True, help="Of a sweep: write its runs as CSV."),
    ],
    apply=compared,
)

keep = Option(
    click_params=[
        click.Option(
            ["--keep"],
            metavar="RUN",
            multiple=True,
            help="Of a sweep: undo all its runs but this one. Repeatable.",
        ),
    ],
    apply=others_undone,
)
