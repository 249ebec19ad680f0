"""Values in nested mappings, by the path to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

KeyPath = tuple[str, ...]
"""The keys that lead to a value through nested mappings."""


def value_at(values: object, path: KeyPath, missing: object = None) -> Any:
    """Return the value at `path`, or `missing` if there is none.

    If a value on the way is not a mapping, it is returned.
    """
    for key in path:
        if not isinstance(values, Mapping):
            return values
        values = cast("Mapping[object, object]", values).get(key, missing)
    return values


def set_path(values: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Set the value at `path`, making the mappings that are missing on the way."""
    for key in path[:-1]:
        inner = values.get(key)
        if not isinstance(inner, dict):
            inner = values[key] = {}
        values = cast("dict[str, Any]", inner)
    values[path[-1]] = value


def merge(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add `more` to `values`; its values win, and its mappings are copied."""
    for key, value in more.items():
        if isinstance(value, Mapping):
            if not isinstance(values.get(key), dict):
                values[key] = {}
            merge(values[key], cast("Mapping[str, Any]", value))
        else:
            values[key] = value


def leaves(values: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Yield path and value of each leaf in nested mappings; an empty mapping is a leaf."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(cast("dict[str, Any]", value), (*path, key))
        else:
            yield (*path, key), value
