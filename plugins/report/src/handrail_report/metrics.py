"""The metrics that steps reported: curves, and their last, least and greatest values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from handrail_report.charts import line_chart
from handrail_report.elements import Content
from handrail_report.parts import figure, figures, left_out, named, section, table
from handrail_report.scales import short_number
from handrail_report.shown import Shown, part

_MOST_CHARTS = 24
_MOST_ROWS = 100


def metrics_section(steps: Sequence[Shown], number: int) -> Markup | None:
    """Return the metrics of the steps of a run; None if there are none.

    Args:
        steps: The steps in their JSON form.
        number: The number of the run.
    """
    found = [(step["name"], name, metric) for step in steps for name, metric in _metrics(step)]
    if not found:
        return None
    curves = [each for each in found if len(_numbers(each[2])) > 1 and not only_counts(each[2])]
    charts = [
        figure(
            name,
            line_chart({name: points_of(metric)}, says=_says(name, metric), x="reported"),
            f" of {step}",
        )
        for step, name, metric in curves[:_MOST_CHARTS]
    ]
    columns = ("last", "least", "greatest", "values")
    values = table(
        ("metric", "of", *columns),
        [_row(*each) for each in found[:_MOST_ROWS]],
        says="The values of metrics",
        numbers=columns,
        class_="fits",
    )
    words = f"handrail show {number} --json"
    return section(
        "metrics",
        "Metrics",
        values,
        left_out(len(found) - _MOST_ROWS, "metrics", words),
        figures(charts),
        left_out(len(curves) - _MOST_CHARTS, "curves", words),
    )


def _metrics(step: Shown) -> list[tuple[str, Shown]]:
    """Return the metrics of a step with a history, by name."""
    return [(name, each) for name, each in part(step, "metrics").items() if each.get("points")]


def points_of(metric: Shown) -> list[tuple[float, float | None]]:
    """Return the values of a metric by their number; None for those that are no numbers."""
    return [
        (number, value if isinstance(value, int | float) else None)
        for number, _, value in metric["points"]
    ]


def _numbers(metric: Shown) -> list[float]:
    return [
        value
        for _, _, value in metric["points"]
        if isinstance(value, int | float) and math.isfinite(value)
    ]


def only_counts(metric: Shown) -> bool:
    """Return whether a metric only counts, as `epoch` does: its curve tells nothing."""
    known = _numbers(metric)
    return all(after - before == 1 for before, after in pairwise(known))


def _says(name: str, metric: Shown) -> str:
    known = _numbers(metric)
    ends = f"from {short_number(known[0])} to {short_number(known[-1])}"
    return f"{name}: {ends} in {len(known):,} values"


def _row(step: str, name: str, metric: Shown) -> Sequence[Content]:
    known = _numbers(metric)
    count, _, last = metric["points"][-1]
    ends = (short_number(min(known)), short_number(max(known))) if known else ("-", "-")
    shown = short_number(last) if isinstance(last, int | float) else "-" if last is None else last
    return (named(name), named(step), shown, *ends, f"{count:,}")
