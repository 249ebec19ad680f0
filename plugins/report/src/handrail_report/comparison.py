"""The view of several runs side by side, and what differs between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from handrail.amounts import plural, seconds
from handrail_report.charts import plot
from handrail_report.metrics import is_curve, points_of
from handrail_report.scales import short_number
from handrail_report.shown import Link, Shown, part
from handrail_report.templates import report_templates

_MOST = 200  # Rows of one kind.
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
    return report_templates().sections(
        "comparison.html",
        runs=runs,
        numbers=[str(each["id"]) for each in runs],
        actions=list(dict.fromkeys(each["action"] for each in runs)),
        link=link,
        differs=differs,
        about=list(_about(differs)),
        kinds={kind: list(_rows(kind, differs)) for kind in _KINDS},
        most=_MOST,
        longest=max(len(part(differs, name)) for name in (*_KINDS, "steps")),
        curves=_curves(shown["runs"]),
    )


def _about(differs: Shown) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what differs about the runs as a whole, but for their states."""
    for name in _ABOUT:
        if name in differs:
            values = ["-" if each in (None, "") else _said(name, each) for each in differs[name]]
            yield _NAMES.get(name, name), values


def _said(name: str, value: Any) -> str:
    if name in ("took", "undo_took"):
        return seconds(value)
    return value[:8] if name == "plan" else str(value)


def _rows(kind: str, differs: Shown) -> Iterator[tuple[str, Sequence[object]]]:
    for name, values in list(part(differs, kind).items())[:_MOST]:
        if kind == "items":
            yield name, [f"{each or 0:,}" for each in values]
        elif kind == "metrics":
            numbers = [isinstance(each, int | float) for each in values]
            pairs = zip(values, numbers, strict=True)
            yield name, [short_number(each) if number else None for each, number in pairs]
        else:
            yield name, values


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
