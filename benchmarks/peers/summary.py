"""From measurements to rows: medians, and ratios of what was measured in the same round."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MICROSECONDS = 1e6
PHASES = ("first", "again", "changed", "undo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A contender in the table; figures are medians, and None where there are none.

    `each` and `cpu` are microseconds a step; `built` and `ready` are seconds, `peak` bytes.
    """

    label: str
    version: str
    steps: int
    each: float | None = None
    cpu: float | None = None
    x_floor: float | None = None
    x_ours: float | None = None
    built: float | None = None
    ready: float | None = None
    peak: float | None = None
    rounds: int = 0
    remark: str = ""


def figures(measures: Sequence[dict[str, Any] | None], name: str) -> list[float]:
    """Return that figure of all measurements that have it."""
    return [each[name] for each in measures if each is not None and each.get(name) is not None]


def middle(measures: Sequence[dict[str, Any] | None], name: str) -> float | None:
    """Return the median of that figure, if there is any."""
    found = figures(measures, name)
    return statistics.median(found) if found else None


def ratio(row: dict[str, Any], beside: dict[str, Any] | None) -> float | None:
    """Return the median of the ratios of a step of both, of the rounds in which both were measured.

    A machine that slows down slows both of a round, but not both of two rounds.
    """
    if beside is None:
        return None
    pairs = zip(row["measures"], beside["measures"], strict=True)
    ratios = [
        (ours["clock"] / row["steps"]) / (least["clock"] / beside["steps"])
        for ours, least in pairs
        if ours is not None and least is not None and "failed" not in {*ours, *least}
    ]
    return statistics.median(ratios) if ratios else None


def rows(case: dict[str, Any]) -> list[Row]:
    """Return the table of a case: those that were measured, then those that were not, and why."""
    by_label = {row["label"]: row for row in case["rows"]}
    return [row_of(row, by_label) for row in case["rows"]]


def phase(case: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the case with what one phase took, of measurements that each have several."""

    def of_phase(measure: dict[str, Any] | None) -> dict[str, Any] | None:
        if measure is None or "failed" in measure:
            return measure
        return {**measure, **measure[name]} if name in measure else None

    return {
        **case,
        "rows": [
            {**row, "measures": [of_phase(each) for each in row["measures"]]}
            for row in case["rows"]
        ],
    }


def row_of(row: dict[str, Any], by_label: dict[str, dict[str, Any]]) -> Row:
    """Return the row with its ratios to what it is held against."""
    measures = row["measures"]
    good = [each for each in measures if each is not None and "failed" not in each]
    failed = [each["failed"] for each in measures if each is not None and "failed" in each]
    remark = row["remark"]
    if failed:
        remark = f"failed in {len(failed)} of {len(failed) + len(good)}: {failed[0]}"
    clock, cpu = middle(good, "clock"), middle(good, "cpu")
    versions = [each["version"] for each in good if "version" in each]
    return Row(
        label=row["label"],
        version=versions[0] if versions else "",
        steps=row["steps"],
        each=None if clock is None else clock / row["steps"] * MICROSECONDS,
        cpu=None if cpu is None else cpu / row["steps"] * MICROSECONDS,
        x_floor=ratio(row, by_label.get(row["floor"])),
        x_ours=ratio(row, by_label.get(row["ours"])),
        built=middle(good, "built"),
        ready=middle(good, "ready"),
        peak=middle(good, "peak"),
        rounds=len(good),
        remark=remark,
    )
