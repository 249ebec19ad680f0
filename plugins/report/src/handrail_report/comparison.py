"""The view of several runs side by side, and what differs between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from handrail.amounts import plural, seconds
from handrail_report.charts import line_chart
from handrail_report.elements import Content, element
from handrail_report.metrics import only_counts, points_of
from handrail_report.parts import (
    figure,
    figures,
    headline,
    hidden,
    left_out,
    moment,
    run_link,
    scrolling,
    section,
    value,
)
from handrail_report.scales import short_number
from handrail_report.shown import Link, Shown, part, parts
from handrail_report.templates import badge

_MOST = 200  # Rows of one kind.
_MOST_CHARTS = 12
_NAMES = {"undo_took": "undo took", "core_version": "Handrail", "folder": "in"}

Row = tuple[str, Sequence[Content]]


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
    return headline(f"runs {shown} · {', '.join(actions)}")


def _differences(runs: Sequence[Shown], differs: Shown, link: Link | None) -> Markup:
    names = [hidden("what"), *(run_link(each["run"]["id"], link, "run ") for each in runs)]
    head = element("thead", element("tr", [element("th", each, scope="col") for each in names]))
    bodies = [
        element("tbody", _heading(kind, len(names)), [_row(*each) for each in rows])
        for kind, rows in _kinds(runs, differs)
    ]
    table = scrolling(element("table", head, bodies, class_="compare"), "What differs in a table")
    same = [name for name in ("plan", "packs", "params", "state") if name not in differs]
    note = element("p", f"The same in all: {', '.join(same)}.", class_="muted") if same else None
    cut = max(len(part(differs, name)) for name in (*_CELLS, "steps"))
    words = "handrail show " + " ".join(str(each["run"]["id"]) for each in runs) + " --json"
    more = left_out(cut - _MOST, "differences", words)
    return section("differences", "What differs", table, note, more)


def _kinds(runs: Sequence[Shown], differs: Shown) -> Iterator[tuple[str, Iterable[Row]]]:
    """Yield the rows of each kind of difference, those about the runs as a whole first."""
    yield "", _about(runs, differs)
    for kind, cell in _CELLS.items():
        if values := list(part(differs, kind).items())[:_MOST]:
            yield kind, [(name, [cell(one) for one in each]) for name, each in values]
    if steps := list(part(differs, "steps").items())[:_MOST]:
        yield "steps", [(name, [*map(_step, each["state"], each["took"])]) for name, each in steps]


def _about(runs: Sequence[Shown], differs: Shown) -> Iterator[Row]:
    yield "state", [badge(each["run"]["state"]) for each in runs]
    yield "started", [moment(each["run"]["started"]) for each in runs]
    for name, cell in _ABOUT.items():
        if name in differs:
            yield _NAMES.get(name, name), [cell(each) if each else None for each in differs[name]]


def _step(state: str | None, took: float | None) -> Content:
    if state is None:
        return element("span", "not in its plan", class_="muted")
    return (badge(state), None if took is None else f" {seconds(took)}")


def _heading(kind: str, columns: int) -> Markup | None:
    cell = element("th", kind, scope="rowgroup", colspan=columns)
    return element("tr", cell, class_="heading") if kind else None


def _row(name: str, cells: Sequence[Content]) -> Markup:
    shown = [element("td", "-" if each is None else each) for each in cells]
    return element("tr", element("th", name, scope="row"), shown)


def _metric(value: object) -> Content:
    return short_number(value) if isinstance(value, int | float) else None


def _param(given: object) -> Content:
    return element("span", "default", class_="muted") if given is None else value(given)


def _version(version: object) -> Content:
    return None if version is None else str(version)


def _count(count: object) -> Content:
    return f"{count or 0:,}"


_ABOUT: Mapping[str, Callable[[Any], Content]] = {
    **dict.fromkeys(("took", "undo_took"), seconds),
    "action": str,
    "plan": lambda fingerprint: fingerprint[:8],
    **dict.fromkeys(("core_version", "by", "folder", "project"), str),
}
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
                if len(parts(metric, "points")) > 1 and not only_counts(metric):
                    curves.setdefault(name, {})[f"run {number}"] = points_of(metric)
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
    return section("metrics", "Metrics", figures(charts), left_out(more, "metrics"))
