"""Where to die: at each write in one way; with HANDRAIL_FAULTS at each in all of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import product
from typing import TypeVar

FULL = "HANDRAIL_FAULTS" in os.environ

Point = tuple[int, str]
Way = TypeVar("Way")


def points(writes: Iterable[int], share: int = 0) -> list[Point]:
    """Return `(write, before or after)`; without HANDRAIL_FAULTS one half of them.

    Before a write and after the one before it, the journal is the same. Each half has all writes,
    and the other one, `share` 1, has what is left: two tests of ways to go on have all points.
    """
    every = [
        (at, when, (number + late) % 2)
        for number, at in enumerate(writes)
        for late, when in enumerate(("before", "after"))
    ]
    return [(at, when) for at, when, half in every if FULL or half == share]


def each_with_one(found: Sequence[Point], ways: Sequence[Way]) -> list[tuple[int, str, Way]]:
    """Return all points with all ways; without HANDRAIL_FAULTS each point with the next way."""
    if FULL:
        return [(at, when, way) for (at, when), way in product(found, ways)]
    return [(at, when, ways[n % len(ways)]) for n, (at, when) in enumerate(found)]
