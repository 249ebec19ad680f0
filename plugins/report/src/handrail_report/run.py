"""The view of one run, from the JSON that `handrail show --json` writes."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from markupsafe import Markup

from handrail.amounts import seconds
from handrail.records import UNDONE, is_failure
from handrail_report.attachments import attachments_of
from handrail_report.charts import plan_picture, plot
from handrail_report.shown import Link, Shown, part, short_number
from handrail_report.steps import logs_of, progress_of, steps_table
from handrail_report.templates import report_templates

_MOST_CURVES, _SERIES = 24, 6  # Curves that are drawn, and those of one plot.

# What a name says besides what was measured: `val_loss` is drawn with `loss`.
_SPLITS = ("train", "training", "val", "valid", "validation", "test", "eval", "dev")


def run_sections(shown: Shown, *, link: Link | None = None) -> dict[str, Markup]:
    """Return the parts of the view of a run by their ids, in order.

    A part for which the run has nothing is left out.

    Args:
        shown: The JSON object of the run.
        link: Returns the address of the page of another run; None where there is none.
    """
    run, steps = shown["run"], shown["steps"]
    given = part(run, "given")
    values = part(part(run, "params"), "values")
    return report_templates().sections(
        "run.html",
        run=run,
        steps=steps,
        link=link,
        damaged=[each.get("message") for each in shown.get("damaged") or ()],
        undone=sum(step["state"] in UNDONE for step in steps),
        failures=list(_failures(shown)),
        table_of_steps=steps_table(shown),
        picture=_picture(shown) if steps else None,
        metrics=metrics_of(steps),
        attachments=attachments_of(steps),
        having_items=[step for step in steps if step.get("items")],
        given=given,
        others={name: each for name, each in values.items() if name not in given},
        logs=logs_of(steps),
        packs=part(run, "packs"),
    )


def _failures(shown: Shown) -> Iterator[dict[str, Any]]:
    """Yield why steps failed, the cause first, and then why undos did."""
    steps = sorted(shown["steps"], key=lambda step: step["name"] != shown["run"]["cause"])
    for kind in ("", "undo_"):
        for step in steps:
            if error := step.get(f"{kind}error"):
                word = "failed" if is_failure(error) else "was stopped"
                yield {
                    "step": step,
                    "word": "could not be undone" if kind else word,
                    "error": error,
                    "traceback": step.get(f"{kind}traceback"),
                }


def _picture(shown: Shown) -> Markup:
    """Return the picture of the plan, with how far each step came."""
    run, steps = shown["run"], shown["steps"]
    parallel = {name: run[name] for name in ("groups", "actions") if name in run}
    plan = {"action": run["action"], "steps": steps, **parallel}
    states = {step["name"]: step["state"] for step in steps}
    notes = {step["name"]: seconds(step["took"]) for step in steps if step["took"] is not None}
    notes |= {step["name"]: told for step in steps if (told := progress_of(step)) is not None}
    return plan_picture(plan, states, notes)


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
    ends = list(accumulate(min(len(some), _SERIES) for some in curves.values()))
    drawn = list(curves.items())[: bisect_right(ends, _MOST_CURVES)]
    return {
        "rows": [list(_row(*each)) for each in known],
        "plots": [
            (kind if len(some) > 1 else next(iter(some)), step, _plot(some))
            for (step, kind), some in drawn
        ],
        "left": len(curves) - len(drawn),
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
