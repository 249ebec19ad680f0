"""Charts from numbers: lines, points, bars and fields of colour, as wide as there is room.

The shapes are SVG, and the words beside them HTML, so that they stay readable on a phone. Series
differ by their dashes and shapes of points, too, and not by their colours alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TypeGuard, TypeVar

from markupsafe import Markup

from handrail.frozen import frozen
from handrail_report.elements import Content, element, joined
from handrail_report.parts import hidden, left_out, table
from handrail_report.scales import Scale, names_scale, percent, scale_of, short_number

_SERIES = 6
"""How many series of one chart are told apart."""

_MOST = 1000  # Points of a series that are drawn.
_BARS = 20
_NAME = 12  # Letters of a name at an axis.
_FIELDS = 40  # Rows, and columns, of a heatmap.

T = TypeVar("T")

Pair = tuple[float | str, float | None]


@frozen
class Point:
    """A point of a scatter plot.

    Attributes:
        x: Its place along.
        y: Its place up.
        says: What it stands for, in words.
        best: Whether it is marked.
        href: Where it leads, or None.
    """

    x: float
    y: float
    says: str = ""
    best: bool = False
    href: str | None = None


def line_chart(
    series: Mapping[str, Sequence[tuple[float, float | None]]],
    *,
    says: str,
    x: str = "",
    y: str = "",
    log_x: bool = False,
    log_y: bool = False,
) -> Markup:
    """Return a chart with a line for each series; a gap where a number is None.

    Args:
        series: The numbers along and up of each series, by its name. The first six are drawn.
        says: What the chart shows, for those who do not see it.
        x: What is along.
        y: What is up.
        log_x: Whether the axis along is logarithmic.
        log_y: Whether the axis up is logarithmic.
    """
    drawn = {name: _spread(series[name]) for name in list(series)[:_SERIES]}
    points = [point for each in drawn.values() for point in each]
    along = scale_of((at for at, _ in points if _is_number(at)), log=log_x)
    up = scale_of((value for _, value in points if _is_number(value)), log=log_y)
    lines = [
        _line(number, line, along, up)
        for number, each in enumerate(drawn.values(), 1)
        for line in _without_gaps(each)
    ]
    shapes = element("svg", lines, viewBox="0 0 1000 1000", preserveAspectRatio="none", class_="in")
    return joined(
        _legend(drawn, len(series)),
        _plot(along, up, shapes, says=says, x=x, y=y),
    )


def scatter_chart(
    points: Sequence[Point],
    *,
    says: str,
    x: str = "",
    y: str = "",
    log_x: bool = False,
    log_y: bool = False,
    names: Sequence[str] = (),
) -> Markup:
    """Return a chart with points; see `line_chart`.

    Args:
        points: The points.
        says: What the chart shows, for those who do not see it.
        x: What is along.
        y: What is up.
        log_x: Whether the axis along is logarithmic.
        log_y: Whether the axis up is logarithmic.
        names: Names in place of the numbers 0, 1, 2, ... along.
    """
    drawn = [each for each in points if _is_number(each.x) and _is_number(each.y)]
    others = [each for each in drawn if not each.best]
    # The marked ones last, so that no other covers them.
    drawn = [*_spread(others), *(each for each in drawn if each.best)]
    along = names_scale(names) if names else scale_of((each.x for each in drawn), log=log_x)
    up = scale_of((each.y for each in drawn), log=log_y)
    marks = [_dot(each, along, up) for each in drawn]
    links = any(each.href for each in drawn)
    return _plot(along, up, joined(marks), says=says, x=x, y=y, role="group" if links else "img")


def bar_chart(
    series: Mapping[str, Sequence[Pair]], *, says: str, x: str = "", y: str = ""
) -> Markup:
    """Return bars with their numbers, one below the other, for each label of each series.

    Args:
        series: The labels and numbers of each series, by its name.
        says: What the chart shows.
        x: What the labels are.
        y: What the numbers are.
    """
    known = [value for pairs in series.values() for _, value in pairs if _is_number(value)]
    least, most = min([0.0, *known]), max([0.0, *known])
    share = 100 / (most - least or 1.0)

    def bar(number: int, value: float | None) -> Markup:
        length = value * share if _is_number(value) else 0.0
        begin = min(length, 0.0) - least * share
        places = {"x": f"{begin:.2f}%", "width": f"{abs(length):.2f}%", "height": "100%"}
        shape = element("rect", **places, class_=f"shape series-{number}")
        return element("svg", shape, class_="bar", aria_hidden="true")

    several = len(series) > 1
    rows = [
        (*[name] * several, str(label), bar(number, value), _shown(value))
        for number, (name, pairs) in enumerate(list(series.items())[:_SERIES], 1)
        for label, value in pairs[:_BARS]
    ]
    names = (*[hidden("series")] * several, x or "label", hidden("bar"), y or "value")
    more = sum(max(len(pairs) - _BARS, 0) for pairs in series.values())
    bars = table(names, rows, says=says, numbers=(y or "value",), class_="bars")
    return joined(bars, left_out(more, "bars"))


def heatmap(series: Mapping[str, Sequence[Pair]], *, says: str, x: str = "", y: str = "") -> Markup:
    """Return a table of numbers on grounds that are the stronger, the greater they are.

    Args:
        series: The columns and numbers of each row, by its name, such as of a confusion matrix.
        says: What the chart shows.
        x: What the columns are.
        y: What the rows are.
    """
    rows = list(series.items())[:_FIELDS]
    columns = list(dict.fromkeys(label for _, pairs in rows for label, _ in pairs))[:_FIELDS]
    known = [value for _, pairs in rows for _, value in pairs if _is_number(value)]
    low, high = min(known, default=0.0), max(known, default=0.0)

    def cell(value: float | None) -> Markup:
        share = 0.0 if value is None or high == low else (value - low) / (high - low)
        return element("span", _shown(value), class_=f"heat-{round(share * 5)}")

    values = [(name, dict(pairs)) for name, pairs in rows]
    cells = [(name, *(cell(each.get(label)) for label in columns)) for name, each in values]
    names = list(map(str, columns))
    corner = joined(y and f"{y} ↓", x and f" {x} →")
    fields = table((corner, *names), cells, says=says, numbers=names, class_="heatmap")
    return joined(fields, left_out(len(series) - len(rows), "rows"))


def _plot(
    along: Scale, up: Scale, shapes: Content, *, says: str, x: str, y: str, role: str = "img"
) -> Markup:
    """Return shapes between two axes with their marks; with links among them, it is a group."""
    grid = [
        *(_rule(0, 1 - up.place(mark), 1, 1 - up.place(mark)) for mark in up.marks),
        *(_rule(along.place(mark), 0, along.place(mark), 1) for mark in along.marks),
    ]
    area = element("svg", element("g", grid, class_="grid"), shapes, role=role, aria_label=says)
    heights = [
        element("text", name, x="100%", y=percent(1 - up.place(mark))) for mark, name in up.written
    ]
    lengths = [
        element("text", name, x=percent(along.place(mark)), y="1em") for mark, name in _apart(along)
    ]
    return element(
        "div",
        element("div", y, class_="up-name") if y else None,
        element("svg", heights, class_="up", aria_hidden="true"),
        element("div", area, class_="area"),
        element("svg", lengths, class_="along", aria_hidden="true"),
        element("div", x, class_="along-name") if x else None,
        class_="chart",
    )


def _apart(scale: Scale) -> Sequence[tuple[float, str]]:
    """Return the marks along for which there is room on a phone."""
    cut = [
        (mark, name if len(name) <= _NAME else f"{name[: _NAME - 1]}…")
        for mark, name in scale.written
    ]
    return cut[:: max(1, math.ceil(len(cut) / 6))]


def _rule(x1: float, y1: float, x2: float, y2: float) -> Markup:
    places = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return element("line", **{name: percent(each) for name, each in places.items()})


def _line(number: int, line: list[tuple[float, float]], along: Scale, up: Scale) -> Markup:
    # From a point without a neighbour to itself, or it could not be seen.
    ends = line if len(line) > 1 else line * 2
    points = " ".join(
        f"{along.place(at) * 1000:.1f},{1000 - up.place(value) * 1000:.1f}" for at, value in ends
    )
    kind = f"line series-{number}{' lone' * (len(line) == 1)}"
    return element("polyline", points=points, class_=kind)


def _dot(point: Point, along: Scale, up: Scale) -> Markup:
    place = {"cx": percent(along.place(point.x)), "cy": percent(1 - up.place(point.y))}
    title = element("title", point.says)
    kind = "dot best" if point.best else "dot series-1"
    dot = element("circle", title, r=7 if point.best else 4.5, class_=kind, **place)
    return dot if point.href is None else element("a", dot, href=point.href, aria_label=point.says)


def _legend(drawn: Mapping[str, object], count: int) -> Markup | None:
    if count <= 1:
        return None
    keys = [
        element("li", _swatch(number), element("span", name))
        for number, name in enumerate(drawn, 1)
    ]
    if count > len(drawn):
        keys.append(element("li", f"and {count - len(drawn)} more", class_="muted"))
    return element("ul", keys, class_="legend")


def _swatch(number: int) -> Markup:
    line = element("line", x1=0, x2=28, y1=5, y2=5, class_=f"line series-{number}")
    return element("svg", line, width=28, height=10, aria_hidden="true")


def _shown(value: float | None) -> str:
    return "-" if value is None else short_number(value)


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _without_gaps(points: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    return [
        [(at, value) for at, value in line if value is not None]
        for there, line in groupby(points, key=lambda point: _is_number(point[1]))
        if there
    ]


def _spread(values: Sequence[T]) -> Sequence[T]:
    """Return as many of some values as are drawn, evenly spread, with the first and the last."""
    if len(values) <= _MOST:
        return values
    last = len(values) - 1
    return [values[round(number * last / (_MOST - 1))] for number in range(_MOST)]
