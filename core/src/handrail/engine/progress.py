"""Exact percentages: weights are added as fractions and rounded down, so 100 means done."""

from __future__ import annotations

import math
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from handrail.engine.user_code import calls_user_code
from handrail.events import Event, ProgressChanged

if TYPE_CHECKING:
    from handrail.plan.plan import Plan


def ordinary_steps(plan: Plan) -> int:
    """Return how many steps of `plan` come before those that always run, which close it."""
    count = len(plan.steps)
    while count and plan.steps[count - 1].always_run:
        count -= 1
    return count


class Weights:
    """The weights of a plan as whole numbers over one common denominator.

    Where all of them are zero, every step counts the same.

    Attributes:
        done: `done[k]` is the weight of the first k steps.
        total: The weight of all steps; at least 1.
    """

    def __init__(self, plan: Plan) -> None:
        self._ordinary = ordinary_steps(plan)
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
        """Return how much of `total` of a step has to be done before `within` is above `percent`.

        It may be less by one rounding, and is infinite where the whole step is not enough.
        """
        if percent >= 99 or self.after(position) <= percent:
            return math.inf
        before = self.done[position]
        whole, scale = total.as_integer_ratio()
        goal = ((percent + 1) * self.total - 100 * before) * whole
        return math.nextafter(goal / (100 * (self.done[position + 1] - before) * scale), -math.inf)

    @cached_property
    def segments(self) -> Sequence[tuple[int, int, int]]:
        """The steps but for those that always run, cut into `(first, end, percent)`.

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


class Progress:
    """What a run has come to as a whole, and who is told of it.

    Attributes:
        wanted: Whether anybody wants to know.
        percent: What was told last.
    """

    __slots__ = (
        "_listener",
        "_lock",
        "_on_progress",
        "_plan",
        "_quiet",
        "_weights",
        "percent",
        "wanted",
    )

    def __init__(
        self,
        plan: Plan,
        on_progress: Callable[[int, int], object] | None,
        listener: Callable[[Event], None] | None,
    ) -> None:
        self.wanted = on_progress is not None or listener is not None
        self.percent = 0
        self._plan = plan
        self._on_progress = on_progress
        self._listener = listener
        self._weights: Weights | None = None
        self._lock = threading.RLock()
        self._quiet: tuple[int, float, float] = (-1, 0, 0)

    @property
    def weights(self) -> Weights:
        """The plan's weights, worked out when something reports progress."""
        if self._weights is None:
            self._weights = weights_of(self._plan)
        return self._weights

    @calls_user_code
    def reached(self, percent: int) -> None:
        """Tell that the run has come to `percent`, if that is news."""
        with self._lock:  # Steps may report from threads of their own.
            if percent <= self.percent:
                return
            self.percent = percent
            if self._listener is not None:
                self._listener(ProgressChanged(percent=percent))
            if self._on_progress is not None:
                self._on_progress(percent, 100)

    def within(self, position: int, current: float, total: float) -> None:
        """Take that `current` of `total` of the step at `position` is done; tell what is news."""
        # Nearly always there is none until the step has come to a value that is known.
        where, known, news = self._quiet
        if current < news and position == where and total == known:
            return
        weights = self.weights
        self.reached(weights.within(position, current, total))
        self._quiet = (position, total, weights.news(position, total, self.percent))


_known: WeakKeyDictionary[Plan, Weights] = WeakKeyDictionary()


def weights_of(plan: Plan) -> Weights:
    """Return the weights of `plan`, worked out once for all its runs."""
    weights = _known.get(plan)
    if weights is None:
        weights = _known[plan] = Weights(plan)
    return weights
