"""The view of several runs side by side, and what differs between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from handrail.amounts import plural, seconds
from handrail_report.charts import line_chart
from handrail_report.elements import Content, Markup, element
from handrail_report.metrics import only_counts
from handrail_report.parts import (
    Link,
    figure,
    figures,
    hidden,
    left_out,
    moment,
    run_link,
    scrolling,
    section,
    value,
)
from handrail_report.scales import short_number
from handrail_report.shown import Shown, part, parts
from handrail_report.states import badge

_MOST = 200  # Rows of one kind.
_MOST_CHARTS = 12
_NAMES = {
    "took": "took",
    "undo_took": "undo took",
    "core_version": "Handrail",
    "folder": "in",
}


def compare_sections(shown: Shown, *, link: Link | None = None) -> dict[str, Markup]:
    """Return the parts of the view of several runs by their ids, in order.

    Args:
        shown: The JSON object that `handrail show 12 14 --json` writes.
        link: Returns the address of the page of a run; None where there is none.
    """
    runs, differs = shown["runs"], shown["differs"]
    numbers = [each["run"]["id"] for each in runs]
    found: dict[str, Markup | None] = {
        "outcome": _outcome(runs),
        "differences": _differences(runs, differs, link),
        "metrics": _curves(runs, numbers),
    }
    return {name: each for name, each in found.items() if each is not None}


def _outcome(runs: Sequence[Shown]) -> Markup:
    names = [str(each["run"]["id"]) for each in runs]
    shown = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    actions = list(dict.fromkeys(each["run"]["action"] for each in runs))
    title = element("h1", f"runs {shown} · {', '.join(actions)}", id="outcome-title")
    return element(
        "section",
        element("div", title, class_="title"),
        id="outcome",
        aria_labelledby="outcome-title",
    )


def _differences(runs: Sequence[Shown], differs: Shown, link: Link | None) -> Markup:
    head = element(
        "thead",
        element(
            "tr",
            element("th", hidden("what"), scope="col"),
            [
                element("th", run_link(each["run"]["id"], link, "run "), scope="col")
                for each in runs
            ],
        ),
    )
    bodies = [element("tbody", list(rows)) for rows in _bodies(runs, differs)]
    table = element("table", head, bodies, class_="compare")
    same = [name for name in ("plan", "packs", "params", "state") if name not in differs]
    note = element("p", f"The same in all: {', '.join(same)}.", class_="muted") if same else None
    cut = max(len(part(differs, name)) for name in (*_CELLS, "steps"))
    words = "handrail show " + " ".join(str(each["run"]["id"]) for each in runs) + " --json"
    more = left_out(cut - _MOST, "differences", words)
    whole = scrolling(table, "The differences in a table")
    return section("differences", "What differs", whole, note, more)


def _bodies(runs: Sequence[Shown], differs: Shown) -> Iterator[Iterator[Markup]]:
    def first() -> Iterator[Markup]:
        yield _row("state", [badge(each["run"]["state"]) for each in runs])
        yield _row("started", [moment(each["run"]["started"]) for each in runs])
        for name in ("took", "undo_took"):
            if name in differs:
                times = [seconds(each) if each else None for each in differs[name]]
                yield _row(_NAMES[name], times, number=True)
        for name in ("action", "plan", "core_version", "by", "folder", "project"):
            if name in differs:
                shown = [str(each or "-") for each in differs[name]]
                cut = [each[:8] for each in shown] if name == "plan" else shown
                yield _row(_NAMES.get(name, name), cut)

    yield first()
    for kind, cell in _CELLS.items():
        if differs.get(kind):
            yield _named(kind, differs[kind], cell, len(runs))
    if differs.get("steps"):
        yield _steps(differs["steps"], len(runs))


def _named(kind: str, values: Shown, cell: Any, count: int) -> Iterator[Markup]:
    yield _heading(kind, count)
    for name, each in list(values.items())[:_MOST]:
        yield _row(name, [cell(one) for one in each], number=kind in ("metrics", "items"))


def _steps(steps: Shown, count: int) -> Iterator[Markup]:
    yield _heading("steps", count)
    for name, each in list(steps.items())[:_MOST]:
        yield _row(name, [_step(*pair) for pair in zip(each["state"], each["took"], strict=True)])


def _step(state: str | None, took: float | None) -> Content:
    if state is None:
        return element("span", "not in its plan", class_="muted")
    return (badge(state), None if took is None else f" {seconds(took)}")


def _heading(kind: str, count: int) -> Markup:
    cell = element("th", kind, scope="rowgroup", colspan=count + 1)
    return element("tr", cell, class_="heading")


def _row(name: str, cells: Sequence[Content], *, number: bool = False) -> Markup:
    kind = "number" if number else None
    return element(
        "tr",
        element("th", name, scope="row"),
        [element("td", "-" if each is None else each, class_=kind) for each in cells],
    )


def _metric(value: object) -> Content:
    return short_number(value) if isinstance(value, int | float) else None


def _param(given: object) -> Content:
    return element("span", "default", class_="muted") if given is None else value(given)


def _version(version: object) -> Content:
    return None if version is None else str(version)


def _count(count: object) -> Content:
    return f"{count or 0:,}"


_CELLS: Mapping[str, Callable[[object], Content]] = {
    "params": _param,
    "packs": _version,
    "metrics": _metric,
    "items": _count,
}


def _curves(runs: Sequence[Shown], numbers: Sequence[int]) -> Markup | None:
    """Return the curves of each metric that several of the runs have, on top of each other."""
    curves: dict[str, dict[str, list[tuple[float, float | None]]]] = {}
    for number, shown in zip(numbers, runs, strict=True):
        for step in shown["steps"]:
            for name, metric in part(step, "metrics").items():
                points = parts(metric, "points")
                if len(points) > 1 and not only_counts(metric):
                    curves.setdefault(name, {})[f"run {number}"] = [
                        (place, each if isinstance(each, int | float) else None)
                        for place, _, each in points
                    ]
    drawn = {name: each for name, each in curves.items() if len(each) > 1}
    if not drawn:
        return None
    charts = [
        figure(
            name, line_chart(series, says=f"{name} of {plural(len(series), 'run')}", x="reported")
        )
        for name, series in list(drawn.items())[:_MOST_CHARTS]
    ]
    more = len(drawn) - len(charts)
    rest = element("p", f"and {more} more metrics", class_="muted small") if more > 0 else None
    return section("metrics", "Metrics", figures(charts), rest)
