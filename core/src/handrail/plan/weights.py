"""Exact percentages: weights are added as fractions and rounded down."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.plan.plan import Plan


class Weights:
    """The weights of a plan as whole numbers over one common denominator.

    Where all of them are zero, every step counts the same.

    Attributes:
        done: `done[k]` is the weight of the first k steps.
        total: The weight of all steps; at least 1.
    """

    def __init__(self, plan: Plan) -> None:
        self._ordinary = plan.ordinary
        alike = {planned.facts for planned in plan.steps}
        scale = math.lcm(*{facts.weight.denominator for facts in alike})
        whole = {
            facts: facts.weight.numerator * (scale // facts.weight.denominator) for facts in alike
        }
        if not any(whole.values()):
            whole = dict.fromkeys(alike, 1)
        done = list(accumulate((whole[planned.facts] for planned in plan.steps), initial=0))
        # An array has no object for each of them, but no room for weights with many digits.
        self.done: Sequence[int] = array("q", done) if done[-1] < 2**63 else done
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

    def news(self, position: int, total: float, percent: int) -> float:
        """Return how much of `total` of a step must be done before `within` exceeds `percent`.

        It may be less by one rounding error, and is infinite if the whole step is not enough.
        """
        if percent >= 99 or self.after(position) <= percent:
            return math.inf
        before = self.done[position]
        whole, scale = total.as_integer_ratio()
        goal = ((percent + 1) * self.total - 100 * before) * whole
        return math.nextafter(goal / (100 * (self.done[position + 1] - before) * scale), -math.inf)

    @cached_property
    def segments(self) -> Sequence[tuple[int, int, int]]:
        """The steps except those that always run, cut into `(first, end, percent)`.

        The percentage grows to `percent` only after the last step of each run, so that a driver
        need not look at it after every step.
        """
        found: list[tuple[int, int, int]] = []
        first = 0
        while first < self._ordinary:
            percent = min(99, self.done[first] * 100 // self.total)
            # The first k with done[k] * 100 >= (percent + 1) * total.
            goal = -(-(percent + 1) * self.total // 100) if percent < 99 else self.total + 1
            end = min(self._ordinary, max(first + 1, bisect_left(self.done, goal)))
            found.append((first, end, min(99, self.done[end] * 100 // self.total)))
            first = end
        return found
