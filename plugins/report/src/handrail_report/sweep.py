"""The view of a sweep: its runs as a table, and what each param did to the metric as points."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from handrail.amounts import plural, seconds
from handrail_report.charts import Point, scatter_chart
from handrail_report.elements import Content, element, joined
from handrail_report.parts import (
    counted,
    failure,
    figure,
    figures,
    left_out,
    run_link,
    section,
    table,
    value,
)
from handrail_report.run import run_sections
from handrail_report.scales import short_number
from handrail_report.shown import Link, Shown
from handrail_report.templates import badge

_MOST = 200  # Runs that are shown.
_MOST_CHARTS = 6
_MOST_METRICS = 6
_WIDE = 100  # A param whose values are so many times apart has a logarithmic axis.


def sweep_sections(shown: Shown, *, link: Link | None = None) -> dict[str, Markup]:
    """Return the parts of the view of a sweep by their ids, in order.

    Args:
        shown: The JSON object that `handrail show --json` writes of it.
        link: Returns the address of the page of a run; None where there is none.
    """
    sweep, run = shown["sweep"], shown["run"]
    # What is swept has no value in the sweep as a whole.
    given = {name: each for name, each in run["given"].items() if name not in sweep["over"]}
    whole = run_sections({**shown, "run": {**run, "given": given}}, link=link)
    listed = _listed(sweep)
    found: dict[str, Markup | None] = {
        "outcome": whole["outcome"],
        "sweep": _table(shown, listed, link),
        "plots": _plots(sweep, {_id(each) for each in listed}),
        "params": whole.get("params"),
        "packs": whole.get("packs"),
    }
    return {name: each for name, each in found.items() if each is not None}


def _listed(sweep: Shown) -> list[Shown]:
    """Return the runs that are shown: the first ones, and the best one."""
    runs = sweep["runs"]
    best = [each for each in runs[_MOST:] if _id(each) == sweep["best"]]
    return [*runs[: _MOST - len(best)], *best]


def _table(shown: Shown, listed: Sequence[Shown], link: Link | None) -> Markup:
    sweep, number = shown["sweep"], shown["run"]["id"]
    over = list(sweep["over"])
    metrics = _metrics(sweep)
    runs = table(
        ("run", *over, "state", "took", *metrics),
        [_row(each, sweep, over, metrics, link) for each in listed],
        says="The runs of the sweep",
        numbers=("run", "took", *metrics),
        ids=[each["run"] and f"run-{_id(each)}" for each in listed],
    )
    states = counted(each["state"] for each in sweep["runs"])
    about = f"{plural(len(sweep['runs']), 'run')}: {states}"
    if sweep.get("sample"):
        about += f" · drawn with seed {sweep['seed']}"
    rest = left_out(len(sweep["runs"]) - len(listed), "runs", f"handrail show {number} --csv")
    return section("sweep", "Runs", runs, rest, _failures(sweep, number), more=about)


def _row(
    child: Shown, sweep: Shown, over: Sequence[str], metrics: Sequence[str], link: Link | None
) -> Sequence[Content]:
    run, number = child["run"], _id(child)
    best = number is not None and number == sweep["best"]
    mark = element("strong", f" best {sweep['metric']}", class_="best") if best else None
    return (
        "-" if number is None else run_link(number, link),
        *(value(child["point"][each]) for each in over),
        (badge(child["state"]), mark),
        "-" if run is None else seconds(run["took"]),
        *(_number(child["metrics"].get(each)) for each in metrics),
    )


def _number(value: float | None) -> Content:
    return "-" if value is None else short_number(value)


def _metrics(sweep: Shown) -> list[str]:
    """Return the metrics that are shown, that by which runs are compared first."""
    names = dict.fromkeys(name for each in sweep["runs"] for name in each["metrics"])
    return sorted(names, key=lambda name: name != sweep["metric"])[:_MOST_METRICS]


def _failures(sweep: Shown, number: int) -> Markup | None:
    failed = [each for each in sweep["runs"] if each["error"]]
    if not failed:
        return None
    items = [
        failure(f"run {_id(each)}" if each["run"] else f"place {each['place']}", each["error"])
        for each in failed[:20]
    ]
    more = left_out(len(failed) - 20, "that failed", f"handrail show {number} --all")
    return joined(element("h3", "Why runs failed"), element("ul", items), more)


def _plots(sweep: Shown, listed: set[int | None]) -> Markup | None:
    """Return a plot for each param: its values along, the metric up.

    Args:
        sweep: The sweep.
        listed: The runs that are in the table, to which points lead.
    """
    metric = sweep["metric"]
    if not metric:
        return None
    having = [each for each in sweep["runs"] if each["metrics"].get(metric) is not None]
    plots = [
        _plot(name, metric, having, sweep, listed)
        for name, values in sweep["over"].items()
        if len(values) > 1 and len(having) > 1
    ]
    return section("plots", f"{metric} by param", figures(plots[:_MOST_CHARTS])) if plots else None


def _plot(
    name: str, metric: str, having: Sequence[Shown], sweep: Shown, listed: set[int | None]
) -> Markup:
    values = sweep["over"][name]
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    log = numbers and min(values) > 0 and max(values) / min(values) >= _WIDE
    points = [
        Point(
            x=each["point"][name] if numbers else values.index(each["point"][name]),
            y=each["metrics"][metric],
            says=f"run {_id(each)}: {_point(each)}, {metric} {_number(each['metrics'][metric])}",
            best=_id(each) == sweep["best"],
            href=f"#run-{_id(each)}" if _id(each) in listed else None,
        )
        for each in having
    ]
    names = () if numbers else [str(each) for each in values]
    says = f"{metric} by {name}"
    chart = scatter_chart(points, says=says, x=name, log_x=log, names=names)
    return figure(metric, chart, f" by {name}")


def _id(child: Shown) -> int | None:
    return child["run"]["id"] if child["run"] else None


def _point(child: Shown) -> str:
    return ", ".join(f"{name}={each}" for name, each in child["point"].items())
