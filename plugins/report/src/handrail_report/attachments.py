"""What steps attached to a run: plots, tables, texts and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from shlex import quote

from markupsafe import Markup

from handrail.amounts import size
from handrail_report.charts import Point, bar_chart, heatmap, line_chart, scatter_chart
from handrail_report.elements import Content, element, joined
from handrail_report.markdown import markdown
from handrail_report.parts import command, figure, figures, left_out, opened, section, table
from handrail_report.scales import short_number
from handrail_report.shown import Shown, parts

_MOST_ROWS = 100
_LONG, _FIRST = 15, 10  # Of a table with more rows, so many are shown at once.
_ROOM = 2_000_000
"""Letters of all attachments of a report: pictures are long."""


def attachments_section(steps: Sequence[Shown], number: int) -> Markup | None:
    """Return what the steps of a run attached, step by step; None for nothing.

    Args:
        steps: The steps in their JSON form.
        number: The number of the run.
    """
    found = list(_all(steps, number))
    return section("attachments", "What steps attached", found) if found else None


def _all(steps: Sequence[Shown], number: int) -> Iterator[Markup]:
    room = _ROOM
    for step in steps:
        kept = parts(step, "attachments")
        shown: list[Content] = []
        asks = f"handrail show {number} --step {step['name']}"
        for drawn in (_figure(each, asks) for each in kept if each.get("value") is not None):
            if len(drawn) <= room:
                room -= len(drawn)
                shown.append(drawn)
        if kept:
            left = left_out(len(kept) - len(shown), "attachments", f"{asks} --json")
            yield joined(element("h3", step["name"]), figures(shown), left)


def _figure(attachment: Shown, asks: str) -> Markup:
    name, kind, value = attachment["name"], attachment["type"], attachment["value"]
    if kind not in _KINDS:  # Of a pack.
        about = f": {kind}, {size(len(json.dumps(value)))} of JSON"
        return figure(name, command(f"{asks} --attachment {quote(name)} -o -"), about)
    title = value.get("title") or name
    return figure(title, _KINDS[kind](title, value))


def plot(title: str, value: Shown) -> Markup:
    """Return a plot from its JSON form."""
    kind, series = value["kind"], value["series"]
    x, y = str(value.get("x") or ""), str(value.get("y") or "")
    says = f"{title}: {y or ', '.join(list(series)[:6])}"
    if kind == "bar":
        return bar_chart(series, says=says, x=x, y=y)
    if kind == "heatmap":
        return heatmap(series, says=says, x=x, y=y)
    log_x, log_y = bool(value.get("log_x")), bool(value.get("log_y"))
    if kind == "line":
        return line_chart(series, says=says, x=x, y=y, log_x=log_x, log_y=log_y)
    points = [
        Point(x=at, y=up, says=f"{name}: {short_number(at)}, {short_number(up)}")
        for name, pairs in series.items()
        for at, up in pairs
        if up is not None
    ]
    return scatter_chart(points, says=says, x=x, y=y, log_x=log_x, log_y=log_y)


def _table(title: str, value: Shown) -> Markup:
    columns, rows = value["columns"], value["rows"]
    numbers = [
        column
        for place, column in enumerate(columns)
        if rows and all(isinstance(row[place], int | float | None) for row in rows)
    ]

    def some(rows: Sequence[Sequence[object]], says: str) -> Markup:
        cells = [list(map(_cell, row)) for row in rows]
        return table(columns, cells, says=says, numbers=numbers, class_="fits")

    first = rows if len(rows) <= _LONG else rows[:_FIRST]
    rest = rows[len(first) : _MOST_ROWS]
    more = (value.get("total") or len(rows)) - len(first) - len(rest)
    folded = rest and opened(f"{len(rest):,} more rows", some(rest, f"more of {title}"))
    return joined(some(first, title), folded or None, left_out(more, "rows"))


def _cell(value: object) -> Content:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return short_number(value)
    return f"{value:,}" if isinstance(value, int) else str(value)[:1000]


def _text(_title: str, value: Shown) -> Markup:
    return markdown(value["text"])


def _picture(title: str, value: Shown) -> Markup:
    address = f"data:{value['media_type']};base64,{value['data']}"
    return element("img", src=address, alt=value.get("alt") or title)


_KINDS: Mapping[str, Callable[[str, Shown], Markup]] = {
    "plot": plot,
    "table": _table,
    "markdown": _text,
    "picture": _picture,
}
