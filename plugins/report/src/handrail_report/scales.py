"""Axes: from numbers and times to places in a picture, with round marks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from handrail.frozen import frozen

_STEPS = (1, 2, 2.5, 5, 10)
_TIMES = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600),
    *(7200, 10800, 21600, 43200, 86400),
)


@frozen
class Scale:
    """An axis from `low` to `high`.

    Attributes:
        low: The number at its begin.
        high: The number at its end, greater than `low`.
        marks: The numbers that are written at it.
        log: Whether it is logarithmic.
        names: What is written in place of each mark, where these are no numbers.
    """

    low: float
    high: float
    marks: Sequence[float]
    log: bool = False
    names: Sequence[str] = ()

    @property
    def written(self) -> list[tuple[float, str]]:
        """The marks, each with what is written at it."""
        names = self.names or [short_number(mark) for mark in self.marks]
        return list(zip(self.marks, names, strict=True))

    def place(self, value: float) -> float:
        """Return where a number is, from 0.0 to 1.0."""
        if self.log:
            low, high = math.log10(self.low), math.log10(self.high)
            share = (math.log10(value) - low) / (high - low) if value > 0 else 0.0
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)


def scale_of(values: Iterable[float], *, log: bool = False, marks: int = 5) -> Scale:
    """Return an axis with room for all of some finite numbers.

    Args:
        values: The numbers.
        log: Whether it is logarithmic, if all of them are positive.
        marks: About how many marks it gets.
    """
    known = list(values)
    low, high = min(known, default=0.0), max(known, default=1.0)
    if log and low > 0:
        return _decades(low, high, marks)
    if low == high:
        around = abs(low) / 10 or 1.0
        low, high = low - around, high + around
    step = _step((high - low) / marks)
    if not math.isfinite(step) or step == 0:  # The numbers are too far apart, or too close.
        return Scale(low=low, high=high, marks=(low, high))
    first, last = math.floor(low / step), math.ceil(high / step)
    found = tuple(number * step for number in range(first, last + 1))
    return Scale(low=found[0], high=found[-1], marks=found)


def names_scale(names: Sequence[str]) -> Scale:
    """Return an axis with a place for each name: 0, 1, 2, ..."""
    last = len(names) - 0.5
    return Scale(low=-0.5, high=last, marks=list(map(float, range(len(names)))), names=names)


def time_marks(seconds: float, *, marks: int = 5) -> list[float]:
    """Return round times from 0 on, up to a number of seconds."""
    step = next((each for each in _TIMES if seconds / each <= marks), None)
    if step is None:
        days = 86400
        step = math.ceil(seconds / marks / days) * days
    return [number * float(step) for number in range(int(seconds / step) + 1)]


def short_number(value: float) -> str:
    """Return a number in a few letters, such as `0.941`, `1,234` or `1e-05`."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:.4g}"


def percent(share: float) -> str:
    """Return where a share of a picture is, as attributes of its shapes say it."""
    return f"{share * 100:.2f}%"


def _step(rough: float) -> float:
    if rough <= 0 or not math.isfinite(rough):
        return 0.0
    unit: float = 10.0 ** math.floor(math.log10(rough))
    return next((unit * each for each in _STEPS if unit * each >= rough), unit * 10)


def _decades(low: float, high: float, marks: int) -> Scale:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last += last == first
    every = max(1, math.ceil((last - first) / marks))
    found = [10.0**power for power in range(first, last + 1, every)]
    return Scale(low=10.0**first, high=10.0**last, marks=found, log=True)
