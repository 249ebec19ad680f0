"""Checks the grid of a sweep with the params model of its action, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from handrail.derived import NOTHING, DottedParams, stored_value, with_values
from handrail.errors import ParamsError
from handrail.frozen import replace
from handrail_workers.sweeps.grid import MOST, Grid

if TYPE_CHECKING:
    from handrail import BaseAction

_SHOWN = 40  # Characters of a value.


def checked_grid(action: type[BaseAction[Any]], params: Mapping[str, Any], grid: Grid) -> Grid:
    """Return a grid with its values as the params model of the action has them.

    Args:
        action: The action.
        params: The params that all children share.
        grid: The grid, with values that the model can convert.

    Raises:
        ParamsError: A param does not exist or is a secret, a value is not valid, or there are too
            many children, or none.
    """
    name, known = action.action_name, DottedParams(action.params_model)
    over = {known.preferred(each): list(values) for each, values in grid.over.items()}
    grid = replace(grid, over=over)
    _check_names(name, known, over)
    _check_size(name, grid)
    first = {each: values[0] for each, values in grid.over.items()}
    for each, values in over.items():
        # One by one, so that an error is about one value.
        over[each] = [_converted(action, params, {**first, each: value}, each) for value in values]
        if len({*map(json.dumps, over[each])}) < len(values):
            raise ParamsError(name, [(each, "has a value twice")])
    return replace(grid, over=over)


def check_points(
    action: type[BaseAction[Any]], params: Mapping[str, Any], grid: Grid
) -> Iterator[BaseAction[Any]]:
    """Yield the action at each point of a checked grid.

    Raises:
        ParamsError: A validator of the whole model refuses a point; the error names it.
    """
    for point in grid:
        try:
            yield action(with_values(params, point), packs=())
        except ParamsError as error:
            raise _at(error, point) from error.__cause__


def point_text(point: Mapping[str, Any]) -> str:
    """Return a point in one line, such as `learning_rate=0.1  epochs=20`."""
    return "  ".join(f"{name}={value_text(value)}" for name, value in point.items())


def value_text(value: Any) -> str:
    """Return the value of a param in a few words."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _check_names(action: str, params: DottedParams, names: Iterable[str]) -> None:
    listed = list(names)
    if not listed:
        raise ParamsError(action, [("over", "names no param; a sweep needs one with some values")])
    wrong: list[tuple[str, str]] = []
    for name in listed:
        if problem := params.problem(name):
            secret = problem == "is a secret"
            wrong.append((name, f"{problem}, and cannot be swept" if secret else problem))
        inside = [each for each in listed if each.startswith(f"{name}.")]
        wrong += [(each, f"is a part of {name}, which is swept too") for each in inside]
    if wrong:
        raise ParamsError(action, wrong)


def _check_size(action: str, grid: Grid) -> None:
    empty = [(name, "has no values") for name, values in grid.over.items() if not values]
    if empty:
        raise ParamsError(action, empty)
    if grid.sample is not None and grid.sample < 1:
        raise ParamsError(action, [("sample", "must be 1 or more")])
    if grid.count > MOST:
        counts = " x ".join(f"{len(values):,}" for values in grid.over.values())
        product = f"{counts} = " if len(grid.over) > 1 else ""
        raise ParamsError(
            action,
            [("over", f"makes {product}{grid.count:,} runs; a sweep has at most {MOST:,}")],
            ways_out=(f"draw some of them:  --sample {min(100, MOST)}", "or give fewer values"),
        )


def _converted(
    action: type[BaseAction[Any]], params: Mapping[str, Any], point: Mapping[str, Any], name: str
) -> Any:
    """Return the value of a param at a point as a journal has it, after validation."""
    try:
        made = action(with_values(params, point), packs=())
    except ParamsError as error:
        # Those without a path are about several params.
        raise (error if all(path for path, _ in error.fields) else _at(error, point)) from None
    found = stored_value(action.params_model, made.params, action.action_name, name)
    if found is NOTHING:
        shown = "contains a secret or a password, and cannot be swept"
        raise ParamsError(action.action_name, [(name, shown)])
    return found


def _at(error: ParamsError, point: Mapping[str, Any]) -> ParamsError:
    where = f"at {point_text(point)}"
    fields = [(path, f"{text} ({where})") for path, text in error.fields]
    return ParamsError(error.action, fields, ways_out=error.ways_out)
