"""The grid of a sweep: every combination of some values of params, or a sample of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from random import Random
from typing import Any

from handrail.frozen import frozen

MOST = 10_000
"""The number of children that a sweep can have."""


@frozen
class Grid:
    """All combinations of values of params, in order: the values of the last param go round first.

    Combinations are computed from their places, and never held.

    Attributes:
        over: The values, which are JSON, by the dotted name of the param.
        sample: How many combinations to draw; None for all.
        seed: The seed of that draw: the same one draws the same combinations.
    """

    over: Mapping[str, Sequence[Any]]
    sample: int | None = None
    seed: int = 0

    @property
    def whole(self) -> int:
        """The number of all combinations."""
        return prod(map(len, self.over.values()))

    @property
    def count(self) -> int:
        """The number of children."""
        return self.whole if self.sample is None else min(self.sample, self.whole)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the combinations, each as values by dotted name, in the order of the grid."""
        return map(self._at, self._places())

    def _places(self) -> Sequence[int]:
        if self.count == self.whole:
            return range(self.whole)
        # `Random.sample` takes no range that is longer than a list can be.
        drawn, random = set[int](), Random(self.seed)
        while len(drawn) < self.count:
            drawn.add(random.randrange(self.whole))
        return sorted(drawn)

    def _at(self, place: int) -> dict[str, Any]:
        """Return the combination at a place in the whole grid, from 0."""
        values: dict[str, Any] = {}
        for name, choices in reversed(list(self.over.items())):
            place, index = divmod(place, len(choices))
            values[name] = choices[index]
        return dict(reversed(list(values.items())))
