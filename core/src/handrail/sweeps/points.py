"""Checks the grid of a sweep with the params model of its action, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail.errors import ParamsError
from handrail.frozen import replace
from handrail.params.model import fields_of, kind_at, model_in, paths_of
from handrail.params.secrets import secrets_of, touches
from handrail.params.stored import params_text
from handrail.params.values import KeyPath, merge, set_path, value_at
from handrail.suggest import did_you_mean
from handrail.sweeps.grid import MOST, Grid

if TYPE_CHECKING:
    from pydantic import BaseModel

    from handrail.actions import BaseAction

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
    name, model = action.action_name, action.params_model
    over = {_preferred(model, each): list(values) for each, values in grid.over.items()}
    grid = replace(grid, over=over)
    _check_names(name, model, over)
    _check_size(name, grid)
    first = {each: values[0] for each, values in grid.over.items()}
    for each, values in over.items():
        # One by one, so that an error is about one value.
        over[each] = [_converted(action, params, {**first, each: value}, each) for value in values]
        _check_doubles(name, each, over[each])
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
            yield action(at_point(params, point), packs=())
        except ParamsError as error:
            raise _at(error, point) from error.__cause__


def at_point(params: Mapping[str, Any], point: Mapping[str, Any]) -> dict[str, Any]:
    """Return the params of the child at a point."""
    values: dict[str, Any] = {}
    merge(values, params)
    for name, value in point.items():
        set_path(values, path_of(name), value)
    return values


def path_of(name: str) -> KeyPath:
    """Return the way to a param from its dotted name."""
    return tuple(part.strip() for part in name.split("."))


def point_text(point: Mapping[str, Any]) -> str:
    """Return a point in one line, such as `learning_rate=0.1  epochs=20`."""
    return "  ".join(f"{name}={value_text(value)}" for name, value in point.items())


def value_text(value: Any) -> str:
    """Return the value of a param in a few words."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _check_names(action: str, model: type[BaseModel] | None, names: Iterable[str]) -> None:
    listed = list(names)
    if not listed:
        raise ParamsError(action, [("over", "names no param; a sweep needs one with some values")])
    wrong: list[tuple[str, str]] = []
    secrets = frozenset[KeyPath]() if model is None else secrets_of(model)
    for name in listed:
        path = path_of(name)
        if touches(path, secrets):
            wrong.append((name, "is a secret, and cannot be swept"))
        elif model is not None and kind_at(model, path) is None and not _takes_others(model, path):
            wrong.append((name, "; ".join(filter(None, ("unknown param", _hint(model, path))))))
        else:
            inside = [
                each for each in listed if each != name and path_of(each)[: len(path)] == path
            ]
            wrong += [(each, f"is a part of {name}, which is swept too") for each in inside]
    if wrong:
        raise ParamsError(action, wrong)


def _hint(model: type[BaseModel], path: KeyPath) -> str:
    known = list(_dotted(model))
    same = [each for each in known if each.rpartition(".")[2] == path[-1]]
    return f"did you mean {' or '.join(same)}?" if same else did_you_mean(".".join(path), known)


def _preferred(model: type[BaseModel] | None, name: str) -> str:
    """Return the dotted name by which a param is stored, if it has several."""
    path, inner = path_of(name), model
    found: KeyPath = ()
    while inner is not None and path:
        ways = [(paths_of(inner, field), info) for field, info in fields_of(inner).items()]
        here = [
            (each[0], way, info) for each, info in ways for way in each if path[: len(way)] == way
        ]
        if not here:
            break
        preferred, way, info = here[0]
        found, path = (*found, *preferred), path[len(way) :]
        inner = model_in(info.annotation)
    return ".".join((*found, *path))


def _takes_others(model: type[BaseModel], path: KeyPath) -> bool:
    """Return whether a param that is no field may be given nevertheless."""
    inner: type[BaseModel] | None = model
    for part in path[:-1]:
        found = None if inner is None else fields_of(inner).get(part)
        inner = None if found is None else model_in(found.annotation)
    return inner is not None and inner.model_config.get("extra") == "allow"


def _dotted(model: type[BaseModel], prefix: KeyPath = ()) -> Iterator[str]:
    """Yield the dotted names of the params of a model, those of models in it, too."""
    for name, info in fields_of(model).items():
        path = (*prefix, *paths_of(model, name)[0])
        inner = model_in(info.annotation)
        if inner is None or inner is model:
            yield ".".join(path)
        else:
            yield from _dotted(inner, path)


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
        made = action(at_point(params, point), packs=())
    except ParamsError as error:
        # Those without a path are about several params.
        raise (error if all(path for path, _ in error.fields) else _at(error, point)) from None
    text = params_text(action.params_model, made.params, action.action_name)
    missing = object()
    found = value_at(json.loads(text)["values"], path_of(name), missing)
    if found is missing:
        shown = "contains a secret or a password, and cannot be swept"
        raise ParamsError(action.action_name, [(name, shown)])
    return found


def _check_doubles(action: str, name: str, values: Sequence[Any]) -> None:
    seen: list[Any] = []
    for value in values:
        # In JSON, true is not 1.
        if any(type(each) is type(value) and each == value for each in seen):
            raise ParamsError(action, [(name, f"has the value {value_text(value)} twice")])
        seen.append(value)


def _at(error: ParamsError, point: Mapping[str, Any]) -> ParamsError:
    where = f"at {point_text(point)}"
    fields = [(path, f"{text} ({where})") for path, text in error.fields]
    return ParamsError(error.action, fields, ways_out=error.ways_out)


def check_secrets(action: str, params: str, environ: Mapping[str, str]) -> None:
    """Check that the children of a sweep can read the secrets of their params from variables.

    Args:
        action: Name of the action.
        params: The params that they share, as a journal stores them.
        environ: The environment.

    Raises:
        ParamsError: A variable is not set.
    """
    stored = json.loads(params)
    missing = [
        (path, f"is read by each run of a sweep from the variable {name}, which is not set")
        for path, name in stored["secrets"].items()
        if not environ.get(name)
    ]
    if missing:
        raise ParamsError(action, missing)
