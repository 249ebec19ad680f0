"""Views of several runs: side by side with what differs, and those of a sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from handrail.amounts import plural
from handrail_report.charts import Point, plot
from handrail_report.run import is_curve, points_of, run_sections
from handrail_report.shown import Link, Shown, part, parts, short_number
from handrail_report.templates import report_templates

_MOST = 200  # Rows of one kind, and runs of a sweep, that are shown.
_MOST_METRICS = 6
_WIDE = 100  # A param whose values are so many times apart has a logarithmic axis.
_NAMES = {"undo_took": "undo took", "core_version": "Handrail", "folder": "in"}
_ABOUT = ("took", "undo_took", "action", "plan", "core_version", "by", "folder", "project")
_KINDS = ("params", "packs", "metrics", "items")


def compare_sections(shown: Shown, *, link: Link | None = None) -> dict[str, Markup]:
    """Return the parts of the view of several runs by their ids, in order.

    Args:
        shown: The JSON object that `handrail show 12 14 --json` writes.
        link: Returns the address of the page of a run; None where there is none.
    """
    runs, differs = [each["run"] for each in shown["runs"]], shown["differs"]
    # Metrics are told also where they are the same.
    kinds = {
        kind: [row for row in part(differs, kind).items() if row[1].count(row[1][0]) < len(runs)]
        for kind in _KINDS
    }
    kinds["steps"] = [
        (name, list(zip(each["state"], each["took"], strict=True)))
        for name, each in part(differs, "steps").items()
    ]
    return report_templates().sections(
        "comparison.html",
        runs=runs,
        numbers=[str(each["id"]) for each in runs],
        actions=list(dict.fromkeys(each["action"] for each in runs)),
        link=link,
        kinds={"": list(_about(runs, differs)), **kinds},
        most=_MOST,
        curves=_curves(shown["runs"]),
    )


def _about(runs: Sequence[Shown], differs: Shown) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield what differs about the runs as a whole, and when they were started."""
    if "state" in differs:
        yield "state", [each["state"] for each in runs]
    yield "started", [each["started"] for each in runs]
    for name in _ABOUT:
        if name in differs:
            yield _NAMES.get(name, name), differs[name]


def _curves(runs: Sequence[Shown]) -> list[tuple[str, Markup]]:
    """Return the curves of each metric that several of the runs have, laid over each other."""
    curves: dict[str, dict[str, Any]] = {}
    for shown in runs:
        for step in shown["steps"]:
            metrics: Mapping[str, Shown] = part(step, "metrics")
            for name, metric in metrics.items():
                if is_curve(metric):
                    curves.setdefault(name, {})[f"run {shown['run']['id']}"] = points_of(metric)
    return [
        (name, plot("line", each, says=f"{name} of {plural(len(each), 'run')}", x="reported"))
        for name, each in curves.items()
        if len(each) > 1
    ]


def sweep_sections(shown: Shown, *, link: Link | None = None) -> dict[str, Markup]:
    """Return the parts of the view of a sweep by their ids, in order.

    Args:
        shown: The JSON object that `handrail show --json` writes of it.
        link: Returns the address of the page of a run; None where there is none.
    """
    sweep, run = shown["sweep"], shown["run"]
    # What is swept has no value in the whole, and what its runs returned is in its table.
    given = {name: each for name, each in run["given"].items() if name not in sweep["over"]}
    whole = run_sections({**shown, "run": {**run, "given": given, "result": None}}, link=link)
    listed = _listed(sweep)
    names = dict.fromkeys(name for each in sweep["runs"] for name in each["metrics"])
    own = report_templates().sections(
        "sweep.html",
        run=run,
        sweep=sweep,
        listed=listed,
        link=link,
        # That by which runs are compared first.
        metrics=sorted(names, key=lambda name: name != sweep["metric"])[:_MOST_METRICS],
        failed=[each for each in sweep["runs"] if each["error"]],
        curves=_curves_of_sweep(sweep),
        plots=list(_plots(sweep, {_id(each) for each in listed})),
    )
    after = {name: html for name, html in whole.items() if name in ("params", "packs")}
    return {"outcome": whole["outcome"], **own, **after}


def _listed(sweep: Shown) -> list[Shown]:
    """Return the runs that are shown: the first ones, and the best one."""
    runs = sweep["runs"]
    best = [each for each in runs[_MOST:] if _id(each) == sweep["best"]]
    return [*runs[: _MOST - len(best)], *best]


def _curves_of_sweep(sweep: Shown) -> Markup | None:
    """Return the curves of the metric, of the best run first, laid over each other."""
    metric = sweep["metric"]
    drawn = sorted(
        (each for each in sweep["runs"] if len(parts(each, "curve")) > 1),
        key=lambda each: _id(each) != sweep["best"],
    )
    series = {f"run {_id(each)}: {_point(each)}": each["curve"] for each in drawn}
    says = f"{metric} of {len(drawn)} runs"
    return plot("line", series, says=says, x="reported") if len(drawn) > 1 else None


def _plots(sweep: Shown, listed: set[int | None]) -> Iterator[tuple[str, Markup]]:
    """Yield a plot for each param: its values along, the metric up.

    Args:
        sweep: The sweep.
        listed: The runs that are in the table, to which points lead.
    """
    metric = sweep["metric"]
    having = [each for each in sweep["runs"] if each["metrics"].get(metric) is not None]
    for name, values in sweep["over"].items():
        if len(values) > 1 and len(having) > 1:
            yield name, _plot(name, metric, having, sweep, listed)


def _plot(
    name: str, metric: str, having: Sequence[Shown], sweep: Shown, listed: set[int | None]
) -> Markup:
    values: Sequence[Any] = sweep["over"][name]
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in values)
    points = [
        Point(
            x=each["point"][name] if numbers else values.index(each["point"][name]),
            y=each["metrics"][metric],
            says=f"run {_id(each)}: {_point(each)}, {metric} "
            f"{short_number(each['metrics'][metric])}",
            best=_id(each) == sweep["best"],
            href=f"#run-{_id(each)}" if _id(each) in listed else None,
        )
        for each in having
    ]
    return plot(
        "scatter",
        {metric: points},
        says=f"{metric} by {name}",
        x=name,
        log_x=numbers and min(values) > 0 and max(values) / min(values) >= _WIDE,
        names=() if numbers else [str(each) for each in values],
    )


def _id(child: Shown) -> int | None:
    return child["run"]["id"] if child["run"] else None


def _point(child: Shown) -> str:
    return ", ".join(f"{name}={each}" for name, each in child["point"].items())
