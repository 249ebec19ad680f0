"""`handrail run --over`: turns the request to run an action into that to run it at each point."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import click

from handrail.amounts import plural
from handrail.cli import Derivation, echo, echo_json
from handrail.derived import DottedParams, path_of, require_inputs, with_values
from handrail.errors import ParamsError
from handrail.frozen import as_json, replace
from handrail.packs import default_url
from handrail_workers.sweeps.action import OPTION, Sweep, swept
from handrail_workers.sweeps.grid import Grid
from handrail_workers.sweeps.points import check_points, checked_grid, point_text

if TYPE_CHECKING:
    from handrail import Plan
    from handrail.cli import RunRequest

_SHOWN = 20  # Points that a dry run shows without --all.


def sweep_for(request: RunRequest) -> RunRequest:
    """Return the request to run an action at each point of the grid that a call asks for.

    Raises:
        click.UsageError: The options do not go together, or their texts cannot be read.
        ParamsError: A value is not valid.
    """
    values, action = request.values, request.target.action_class
    if request.everything and not request.dry_run:
        raise click.UsageError("--all goes with --dry-run")
    if request.no_journal:
        raise click.UsageError("--over needs a journal, in which every run has its own record")
    if values["sample_seed"] is not None and values["sample"] is None:
        raise click.UsageError("--sample-seed goes with --sample")
    given = request.params_given()
    params = DottedParams(action.params_model)
    seed = values["sample_seed"] or 0
    grid = grid_from(values["over"], params, sample=values["sample"], seed=seed)
    check_given_once(_by_position(request, request.params_typed(), grid), grid.over, request.label)
    given = replace(given, params=_by_position(request, given.params, grid))
    named = request.named({name: f"--over {name}" for name in grid.over})
    try:
        grid = checked_grid(action, given.params, grid)
    except ParamsError as error:
        raise named.labelled(error) from error.__cause__
    named = named.named({name: f"--over {name}" for name in grid.over})
    shared, first = given.params, with_values(given.params, next(iter(grid)))
    sweep = Sweep(
        grid=grid,
        max_failed=_max_failed(values["max_failed"]),
        on_failure=request.on_failure,
        strict_results=request.strict_results or request.session.packs.strict_results,
    )

    def check(part: Plan) -> None:
        if not part.steps:
            raise click.UsageError(f"{part.action} has no steps, so it cannot be swept")
        try:
            for each in check_points(action, shared, grid):
                require_inputs(each, part)
        except ParamsError as error:
            raise named.labelled(error) from error.__cause__

    derivation = Derivation(
        option=OPTION,
        data=as_json(sweep),
        title=f"sweep of {plural(grid.count, 'run')}",
        derive=lambda cls, packs: swept(cls, sweep, packs),
        check=check,
        preview=lambda: _show_points(request, grid),
    )
    return replace(
        named,
        given=replace(given, params=first),
        executor=_executor(request),
        derivation=derivation,
    )


def _by_position(request: RunRequest, params: Mapping[str, Any], grid: Grid) -> Mapping[str, Any]:
    """Return params in which the words of the call are those of the arguments without `--over`."""
    metavars, typed = dict(request.options.arguments), request.params_typed()
    names = [path[0] for path, label in request.options.labels.items() if label in metavars]
    words = [typed[name] for name in names if name in typed]
    free = [name for name in names if name not in grid.over]
    if len(words) != len(free):
        return params
    kept = {k: v for k, v in params.items() if k not in names or k not in grid.over}
    return kept | dict(zip(free, words, strict=True))


def _executor(request: RunRequest) -> str | None:
    """Return the URL of the executor, with the number of runs at a time."""
    url = request.executor or request.session.packs.executor
    most = request.values["concurrency"]
    if most is None:
        return url
    name = url or default_url()
    if ":" in name:
        raise click.UsageError(f"--concurrency {most} and the executor {name} both say how many")
    return f"{name}:{most}"


def _max_failed(given: str | None) -> int | str:
    text = (given or "0").strip()
    share = text.removesuffix("%")
    if not share.isdecimal():
        raise click.UsageError(f"--max-failed takes a number, or a share such as 2%, not '{text}'")
    return text if text.endswith("%") else int(text)


def _show_points(request: RunRequest, grid: Grid) -> None:
    action, everything = request.target.action_class.action_name, request.everything
    if request.session.json:
        points = list(islice(grid, grid.count if everything else _SHOWN))
        echo_json({"event": "SweepPreview", "action": action, "runs": grid.count, "points": points})
        return
    for line in _lines(action, grid, everything=everything):
        echo(line)


def _lines(action: str, grid: Grid, *, everything: bool) -> Iterator[str]:
    drawn = f", drawn from {grid.whole:,} with seed {grid.seed}" * (grid.count < grid.whole)
    yield f"{action} would be run {grid.count} times{drawn}"
    shown = grid.count if everything or grid.count <= _SHOWN else _SHOWN - 1
    width = len(str(grid.count))
    for place, point in enumerate(islice(grid, shown), 1):
        yield f"  {place:{width}}  {point_text(point)}"
    if shown < grid.count:
        yield f"  ... and {grid.count - shown} more (--all)"
    yield "the first of them:"


def grid_from(texts: Sequence[str], params: DottedParams, *, sample: int | None, seed: int) -> Grid:
    """Return the grid of a sweep, with values that are not validated yet.

    Args:
        texts: The values of `--over`.
        params: The params of the action, with their types.
        sample: How many points to draw; None for all.
        seed: The seed of that draw.

    Raises:
        click.UsageError: A text cannot be read, or a param is named twice.
    """
    over: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not all(path_of(name)):
            raise click.UsageError(f"--over takes NAME=VALUES, such as epochs=10,20, not '{text}'")
        if params.model is None:
            raise click.UsageError(f"--over {name}: the action takes no params")
        if name in over:
            raise click.UsageError(f"--over {name} is given twice; give all its values in one")
        over[name] = _values(name, values, params)
    return Grid(over=over, sample=sample, seed=seed)


def check_given_once(
    given: Mapping[str, Any], names: Iterable[str], label: Callable[[str], str]
) -> None:
    """Check that no param of a grid has a value by its option, or by `-p`, too.

    Args:
        given: The params that were given like that.
        names: The params of the grid.
        label: Returns the option that sets a param.

    Raises:
        click.UsageError: One has.
    """
    for name in names:
        if _is_given(given, path_of(name)):
            raise click.UsageError(
                f"{name} has a value by {label(name)}, and others by --over: drop one"
            )


def _is_given(values: object, path: Sequence[str]) -> bool:
    for part in path:
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = cast("Mapping[str, object]", values)[part]
    return True


def _values(name: str, text: str, params: DottedParams) -> list[Any]:
    if text.startswith("["):
        return _json_list(name, text)
    if not text:
        raise click.UsageError(f"--over {name} has no values")
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise click.UsageError(f"--over {name}: there is no value between two commas of '{text}'")
    return [params.read(name, word) for word in words]


def _json_list(name: str, text: str) -> list[Any]:
    try:
        read: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.UsageError(
            f"--over {name}: '{text}' is not a JSON list ({error}); quote it for the shell: "
            f"--over '{name}=[...]'"
        ) from None
    if not isinstance(read, list) or not read:
        raise click.UsageError(f"--over {name} has no values")
    return list(read)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
