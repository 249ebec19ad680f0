"""The tables of a run: for the terminal, and for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from summary import Row, rows

HEADS = {
    "step": ("us a step", "of CPU", "x floor", "x handrail", "built ms", "ready s", "peak MB"),
    "process": ("ms", "of CPU", "x floor", "x handrail"),
}

WITH_WORK = "1 ms of work takes"


def number(value: float | None, digits: int = 3) -> str:
    """Return the value with that many digits that count, and none that were not measured."""
    if value is None:
        return "-"
    if value < 1e-3:
        return "< 0.001"
    rounded = float(f"{value:.{digits}g}")
    if rounded >= 10 ** (digits - 1):
        return f"{rounded:,.0f}".replace(",", " ")
    return f"{rounded:#.{digits}g}"


def cells(row: Row, unit: str) -> list[str]:
    """Return what stands in the columns of that row."""
    if row.each is None:
        return ["-"] * len(HEADS[unit])
    if unit == "process":
        values = (row.each / 1e3, None if row.cpu is None else row.cpu / 1e3)
        return [*map(number, values), number(row.x_floor), number(row.x_ours)]
    return [
        *(number(value) for value in (row.each, row.cpu, row.x_floor, row.x_ours)),
        number(None if row.built is None else row.built * 1e3),
        number(row.ready, 2),
        number(None if row.peak is None else row.peak / 1e6),
    ]


def remark(row: Row) -> str:
    """Return what there is to say beside the figures."""
    version = f"{row.version}; " if row.version else ""
    took = f"{row.rounds} x" if row.rounds else ""
    if row.remark:
        return f"{version}{took} {row.remark}".strip()
    return f"{version}{row.steps:,} steps, {took}".replace(",", " ", 1) if version else took


def printed(case: dict[str, Any]) -> str:
    """Return the table for a terminal."""
    heads = HEADS[case["unit"]]
    lines = [f"\n{case['title']}", f"{'':34}" + "".join(f"{head:>11}" for head in heads)]
    for row in rows(case):
        columns = "".join(f"{cell:>11}" for cell in cells(row, case["unit"]))
        lines.append(f"{row.label:34}{columns}  {remark(row)}".rstrip())
    return "\n".join(lines)


def markdown(case: dict[str, Any], columns: Sequence[str]) -> str:
    """Return the table for a page; what 1 ms of work takes is worked out, not measured."""
    heads = HEADS[case["unit"]]
    title = case["title"]
    lines = [f"| {title} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for row in rows(case):
        by_head = dict(zip(heads, cells(row, case["unit"]), strict=True))
        by_head[WITH_WORK] = "-" if row.each is None else f"{(1000 + row.each) / 1000:.3f} ms"
        figures = [by_head[column] for column in columns]
        if row.each is None and row.remark:
            figures = [row.remark, *([""] * (len(columns) - 1))]
        steps = "" if row.steps in {1, 1000} else f", {row.steps} steps"
        failed = f" ({row.remark})" if row.remark and row.each is not None else ""
        lines.append(f"| {row.label}{steps}{failed} | {' | '.join(figures)} |")
    return "\n".join(lines)
