"""The metrics that steps reported: curves, and their last, least and greatest values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from handrail_report.charts import plot
from handrail_report.scales import short_number
from handrail_report.shown import Shown, part

# What a name says besides what was measured: `val_loss` is drawn with `loss`.
_SPLITS = ("train", "training", "val", "valid", "validation", "test", "eval", "dev")

Curves = Mapping[str, Sequence[tuple[float, float | None]]]


def metrics_of(steps: Sequence[Shown]) -> dict[str, Any]:
    """Return the values of the metrics of some steps, and a plot for each kind that has a curve.

    Args:
        steps: The steps in their JSON form.
    """
    known = [
        (step["name"], name, metric)
        for step in steps
        for name, metric in part(step, "metrics").items()
        if metric.get("points")
    ]
    curves: dict[tuple[str, str], dict[str, Any]] = {}
    for step, name, metric in known:
        if is_curve(metric):
            curves.setdefault((step, _kind(name)), {})[name] = metric
    return {
        "rows": [list(_row(*each)) for each in known],
        "plots": [
            (kind if len(some) > 1 else next(iter(some)), step, _plot(some))
            for (step, kind), some in curves.items()
        ],
    }


def _kind(name: str) -> str:
    words = [word for word in re.split(r"[_/.\s-]+", name) if word.lower() not in _SPLITS]
    return "_".join(words) or name


def _plot(metrics: Mapping[str, Shown]) -> Markup:
    says = "; ".join(_says(name, metric) for name, metric in metrics.items())
    series = {name: points_of(metric) for name, metric in metrics.items()}
    return plot("line", series, says=says, x="reported")


def points_of(metric: Shown) -> list[tuple[float, float | None]]:
    """Return the values of a metric by their number; None for those that are no numbers."""
    return [
        (number, value if isinstance(value, int | float) else None)
        for number, _, value in metric["points"]
    ]


def is_curve(metric: Shown) -> bool:
    """Return whether a metric has a curve that tells something: not of `epoch`, which counts."""
    numbers = _numbers(metric)
    return len(numbers) > 1 and any(after - before != 1 for before, after in pairwise(numbers))


def _numbers(metric: Shown) -> list[float]:
    return [
        value
        for _, _, value in metric["points"]
        if isinstance(value, int | float) and math.isfinite(value)
    ]


def _says(name: str, metric: Shown) -> str:
    known = _numbers(metric)
    ends = f"from {short_number(known[0])} to {short_number(known[-1])}"
    return f"{name}: {ends} in {len(known):,} values"


def _row(step: str, name: str, metric: Shown) -> Iterator[object]:
    known = _numbers(metric)
    count, _, last = metric["points"][-1]
    yield name
    yield step
    yield short_number(last) if isinstance(last, int | float) else "-" if last is None else last
    yield from (short_number(min(known)), short_number(max(known))) if known else ("-", "-")
    yield f"{count:,}"
