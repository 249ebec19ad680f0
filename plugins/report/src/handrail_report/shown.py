"""Reads the JSON objects that `handrail show` and `handrail runs` write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Shown = Mapping[str, Any]
"""A run, a step, or another object in its JSON form."""

Link = Callable[[int], str]
"""Returns the address of the page of a run, by its number."""


def part(shown: Shown, name: str) -> Shown:
    """Return an object in another one; an empty one where there is none."""
    found: Shown | None = shown.get(name)
    return {} if found is None else found


def parts(shown: Shown, name: str) -> Sequence[Any]:
    """Return a list in an object; an empty one where there is none."""
    found: Sequence[Any] | None = shown.get(name)
    return () if found is None else found
