"""Pictures of numbers and of plans, as wide as there is room.

The shapes of plots are SVG, and the words beside them HTML, so that they stay readable on a phone;
plans are boxes of HTML: steps below each other, lanes side by side, layers around steps. Series
differ by their dashes and marks, too, and not by their colours alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeGuard

from markupsafe import Markup

from handrail.cli import StepBox, boxes_of
from handrail.frozen import frozen
from handrail_report.shown import short_number
from handrail_report.templates import render

_STEPS = (1, 2, 2.5, 5, 10)
_TIMES = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600),
    *(7200, 10800, 21600, 43200, 86400),
)

_SERIES = 6
"""How many series of one plot, and packs of one plan, are told apart."""

_MOST = 1000  # Points of a series that are drawn.
_BARS = 20
_NAME = 12  # Letters of a name at an axis.
_FIELDS = 40  # Rows, and columns, of a heatmap.


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


@frozen
class Point:
    """A point of a scatter plot.

    Attributes:
        x: Its place along.
        y: Its place up; None is a gap in a line.
        says: What it stands for, in words.
        best: Whether it is marked.
        href: Where it leads, or None.
    """

    x: float
    y: float | None
    says: str = ""
    best: bool = False
    href: str | None = None


Series = Mapping[str, Sequence[Any]]
"""The points of each series, by its name: pairs of x and y, or of a label and a number."""


def plot(
    kind: str,
    series: Series,
    *,
    says: str,
    x: str = "",
    y: str = "",
    log_x: bool = False,
    log_y: bool = False,
    names: Sequence[str] = (),
) -> Markup:
    """Return a plot, such as `handrail.attachments.Plot` has it; of many series, the first six.

    Args:
        kind: `line`, `scatter`, `bar` or `heatmap`.
        series: The points of each series, by its name: pairs of x and y, of a line with a gap where
            y is None, of a scatter plot also `Point`; or pairs of a label and a number.
        says: What the plot shows, for those who do not see it.
        x: What is along, or what the labels are.
        y: What is up, or what the rows of a heatmap are.
        log_x: Whether the axis along is logarithmic.
        log_y: Whether the axis up is logarithmic.
        names: Names in place of the numbers 0, 1, 2, ... along.
    """
    if kind == "bar":
        return render("bars.html", **_bars(series), says=says, x=x, y=y)
    if kind == "heatmap":
        return render("heatmap.html", **_fields(series), says=says, x=x, y=y)
    drawn = {name: _spread(list(map(_point, series[name]))) for name in list(series)[:_SERIES]}
    known = [point for each in drawn.values() for point in each if _is_number(point.y)]
    along = names_scale(names) if names else scale_of((each.x for each in known), log=log_x)
    up = scale_of((each.y for each in known if each.y is not None), log=log_y)
    is_line = kind == "line"
    return render(
        "plot.html",
        lines=list(_lines(drawn, along, up)) if is_line else [],
        dots=[] if is_line else list(_dots(drawn, along, up)),
        links=any(point.href for point in known),
        along=_apart(along),
        up=[(percent(1 - up.place(mark)), name) for mark, name in up.written],
        legend=list(drawn) if len(series) > 1 else [],
        more=len(series) - len(drawn),
        says=says,
        x=x,
        y=y,
    )


def _point(given: Any) -> Point:
    return given if isinstance(given, Point) else Point(x=given[0], y=given[1])


def _lines(
    drawn: Mapping[str, Sequence[Point]], along: Scale, up: Scale
) -> Iterator[tuple[int, str, bool]]:
    """Yield the number of a series, the points of a line of it, and whether it is only one."""
    for number, points in enumerate(drawn.values(), 1):
        for there, some in groupby(points, lambda point: _is_number(point.y)):
            if there:
                places = [
                    f"{along.place(each.x) * 1000:.1f},{1000 - up.place(each.y or 0.0) * 1000:.1f}"
                    for each in some
                ]
                # From a point without a neighbour to itself, or it could not be seen.
                yield number, " ".join(places * 2 if len(places) == 1 else places), len(places) == 1


def _dots(
    drawn: Mapping[str, Sequence[Point]], along: Scale, up: Scale
) -> Iterator[tuple[str, str, int, Point, str]]:
    """Yield the marks, those of the best points last, so that no other covers them."""
    all_of = [(number, each) for number, some in enumerate(drawn.values(), 1) for each in some]
    names = list(drawn)
    for number, point in sorted(all_of, key=lambda item: item[1].best):
        if _is_number(point.x) and _is_number(point.y):
            x, y = percent(along.place(point.x)), percent(1 - up.place(point.y))
            says = f"{names[number - 1]}: {short_number(point.x)}, {short_number(point.y)}"
            yield x, y, number, point, point.says or says


def _bars(series: Series) -> dict[str, Any]:
    """Return bars with their numbers, one below the other, for each label of each series."""
    known = [value for pairs in series.values() for _, value in pairs if _is_number(value)]
    least, most = min([0.0, *known]), max([0.0, *known])
    share = 1 / (most - least or 1.0)

    def places(value: float | None) -> tuple[str, str]:
        length = value * share if _is_number(value) else 0.0
        return percent(min(length, 0.0) - least * share), percent(abs(length))

    bars = [
        (number, name, label, places(value), _number(value))
        for number, (name, pairs) in enumerate(list(series.items())[:_SERIES], 1)
        for label, value in pairs[:_BARS]
    ]
    more = sum(max(len(pairs) - _BARS, 0) for pairs in series.values())
    return {"bars": bars, "several": len(series) > 1, "more": more}


def _fields(series: Series) -> dict[str, Any]:
    """Return numbers on grounds that are the stronger, the greater they are: 0 to 5."""
    rows = list(series.items())[:_FIELDS]
    columns = list(dict.fromkeys(label for _, pairs in rows for label, _ in pairs))[:_FIELDS]
    known = [value for _, pairs in rows for _, value in pairs if _is_number(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def field(value: float | None) -> tuple[int, str]:
        share = 0.0 if value is None or high == low else (value - low) / (high - low)
        return round(share * 5), _number(value)

    values = [(name, dict(pairs)) for name, pairs in rows]
    fields = [(name, [field(each.get(label)) for label in columns]) for name, each in values]
    return {"columns": list(map(str, columns)), "rows": fields, "more": len(series) - len(rows)}


def _apart(scale: Scale) -> Sequence[tuple[str, str]]:
    """Return the marks along for which there is room on a phone."""
    cut = [
        (percent(scale.place(mark)), name if len(name) <= _NAME else f"{name[: _NAME - 1]}…")
        for mark, name in scale.written
    ]
    return cut[:: max(1, math.ceil(len(cut) / 6))]


def _number(value: float | None) -> str:
    return "-" if value is None else short_number(value)


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _spread(points: Sequence[Point]) -> Sequence[Point]:
    """Return as many points as are drawn, evenly spread, with the first, the last and the best."""
    if len(points) <= _MOST:
        return points
    last = len(points) - 1
    places = {round(number * last / (_MOST - 1)) for number in range(_MOST)}
    return [each for place, each in enumerate(points) if place in places or each.best]


def plan_picture(
    plan: Mapping[str, Any],
    states: Mapping[str, str] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Markup:
    """Return the picture of a plan, for a page that has the stylesheet of reports.

    Args:
        plan: The plan as `Plan.to_dict` returns it, or as it was recorded.
        states: How far each step came, by its name, as `handrail.records` says it. Without them,
            the picture shows no states.
        notes: What stands behind the state of a step, such as `0.4s`.
    """
    steps = (StepBox(number=0, planned=each) for each in plan["steps"])
    others = dict.fromkeys(step.pack for step in steps if step.brought)
    return render(
        "plan.html",
        plan=plan,
        sequences=[each for each in boxes_of(plan, states, notes) if each],
        accents={pack: number % _SERIES + 1 for number, pack in enumerate(others)},
    )
