"""The grid of a sweep: which combinations there are, in which order, and which a sample draws."""

from __future__ import annotations

import itertools
import json
from math import prod
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from handrail_workers.sweeps.grid import Grid

VALUES = st.lists(st.integers(), min_size=1, max_size=5, unique=True)
OVER = st.dictionaries(st.sampled_from(["a", "b.c", "b.d", "e"]), VALUES, min_size=1)


@given(OVER)
def test_a_grid_has_every_combination_once_in_the_order_of_nested_loops(
    over: dict[str, list[int]],
) -> None:
    expected = [
        dict(zip(over, values, strict=True)) for values in itertools.product(*over.values())
    ]
    assert list(Grid(over=over)) == expected
    assert Grid(over=over).count == len(expected)


@given(OVER, st.integers(1, 200), st.integers())
def test_a_sample_is_a_part_of_the_grid_in_its_order_and_the_same_for_the_same_seed(
    over: dict[str, list[int]], sample: int, seed: int
) -> None:
    whole = list(Grid(over=over))
    grid = Grid(over=over, sample=sample, seed=seed)
    drawn = list(grid)
    assert len(drawn) == grid.count == min(sample, len(whole))
    rest = iter(whole)
    assert all(point in rest for point in drawn)
    assert list(Grid(over=over, sample=sample, seed=seed)) == drawn


def test_a_sample_of_a_grid_that_no_memory_could_hold() -> None:
    over: dict[str, Any] = {f"param{number}": range(1000) for number in range(20)}
    grid = Grid(over=over, sample=5, seed=7)
    assert grid.whole == prod([1000] * 20)
    drawn = list(grid)
    assert len({json.dumps(point) for point in drawn}) == 5
    assert list(Grid(over=over, sample=5, seed=8)) != drawn
