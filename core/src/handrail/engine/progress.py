"""Exact percentages: weights are added as fractions and rounded down, so 100 means done."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from math import lcm
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from handrail.plan.plan import Plan


class Weights:
    """The weights of a plan as whole numbers over one common denominator.

    Where all of them are zero, every step counts the same.

    Attributes:
        done: `done[k]` is the weight of the first k steps.
        total: The weight of all steps; at least 1.
    """

    __slots__ = ("done", "total")

    def __init__(self, plan: Plan) -> None:
        fractions = [planned.weight for planned in plan.steps]
        scale = lcm(*{weight.denominator for weight in fractions})
        whole = [weight.numerator * (scale // weight.denominator) for weight in fractions]
        if not any(whole):
            whole = [1] * len(whole)
        self.done = list(accumulate(whole, initial=0))
        self.total = self.done[-1] or 1

    def after(self, position: int) -> int:
        """Return the percentage once the step at `position` is done; 100 is left to the end."""
        return min(99, self.done[position + 1] * 100 // self.total)

    def within(self, position: int, current: float, total: float) -> int:
        """Return the percentage when `current` of `total` of the step at `position` is done."""
        before = self.done[position]
        weight = self.done[position + 1] - before
        # Whole numbers all the way: floats are fractions too, and theirs are exact.
        part, part_scale = current.as_integer_ratio()
        whole, whole_scale = total.as_integer_ratio()
        part, whole = part * whole_scale, whole * part_scale
        return min(99, 100 * (before * whole + weight * part) // (self.total * whole))

    def segments(self, stop: int) -> Iterator[tuple[int, int, int]]:
        """Cut steps 0 to `stop` into runs `(first, end, percent)`.

        The percentage grows to `percent` only after the last step of each run, so that a driver
        need not look at it after every step.
        """
        first = 0
        while first < stop:
            percent = min(99, self.done[first] * 100 // self.total)
            # The first k with done[k] * 100 >= (percent + 1) * total.
            goal = -(-(percent + 1) * self.total // 100) if percent < 99 else self.total + 1
            end = min(stop, max(first + 1, bisect_left(self.done, goal)))
            yield first, end, min(99, self.done[end] * 100 // self.total)
            first = end


_known: WeakKeyDictionary[Plan, Weights] = WeakKeyDictionary()


def weights_of(plan: Plan) -> Weights:
    """Return the weights of `plan`, worked out once for all its runs."""
    weights = _known.get(plan)
    if weights is None:
        weights = _known[plan] = Weights(plan)
    return weights
