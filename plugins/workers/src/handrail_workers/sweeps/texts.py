"""Reads the values of `--over NAME=VALUES`: a JSON list, or values with commas."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import click

from handrail.derived import path_of
from handrail_workers.sweeps.grid import Grid

if TYPE_CHECKING:
    from handrail.derived import DottedParams


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
    if params.takes_several(name):
        example = f'--over \'{name}=[["a", "b"], ["c"]]\''
        raise click.UsageError(f"--over {name} takes lists: give a JSON list of them: {example}")
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
