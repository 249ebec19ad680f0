"""The tables of a run: for the terminal, and for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from summary import PHASES, Row, phase, rows

HEADS = {
    "step": ("us a step", "of CPU", "x floor", "x handrail", "built ms", "ready s", "peak MB"),
    "process": ("ms", "of CPU", "x floor", "x handrail"),
    "item": ("us an item", "of CPU", "x", "peak MB"),
    "transfer": tuple(f"{name} {unit}" for name in PHASES for unit in ("s", "x", "MB")),
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


def lines_of(case: dict[str, Any]) -> list[tuple[Row, dict[str, str]]]:
    """Return each row, and what stands in its columns."""
    unit = case["unit"]
    if unit == "transfer":
        of_phases = zip(*(rows(phase(case, name)) for name in PHASES), strict=True)
        found = [
            (each[0], [cell for row in each for cell in cells(row, unit)]) for each in of_phases
        ]
    else:
        found = [(row, cells(row, unit)) for row in rows(case)]
    return [(row, dict(zip(HEADS[unit], columns, strict=True))) for row, columns in found]


def scaled(value: float | None, factor: float) -> float | None:
    """Return the value in another unit, if there is one."""
    return None if value is None else value * factor


def cells(row: Row, unit: str) -> list[str]:
    """Return what stands in the columns of that row, or of one phase of it."""
    peak = number(scaled(row.peak, 1e-6))
    if unit == "transfer":
        return [number(scaled(row.each, 1e-6)), number(row.x_floor), peak]
    if row.each is None:
        return ["-"] * len(HEADS[unit])
    if unit == "item":
        return [number(row.each), number(row.cpu), number(row.x_floor), peak]
    ratios = [number(row.x_floor), number(row.x_ours)]
    if unit == "process":
        return [number(row.each / 1e3), number(scaled(row.cpu, 1e-3)), *ratios]
    built = number(scaled(row.built, 1e3))
    return [number(row.each), number(row.cpu), *ratios, built, number(row.ready, 2), peak]


def remark(row: Row) -> str:
    """Return what there is to say beside the figures."""
    version = f"{row.version}; " if row.version else ""
    took = f"{row.rounds} x" if row.rounds else ""
    if row.remark:
        return f"{version}{took} {row.remark}".strip()
    steps = f"{row.steps:,} steps, ".replace(",", " ", 1) if row.steps > 1 and version else ""
    return f"{version}{steps}{took}"


def printed(case: dict[str, Any]) -> str:
    """Return the table for a terminal."""
    heads = HEADS[case["unit"]]
    lines = [f"\n{case['title']}", f"{'':34}" + "".join(f"{head:>11}" for head in heads)]
    for row, by_head in lines_of(case):
        columns = "".join(f"{cell:>11}" for cell in by_head.values())
        lines.append(f"{row.label:34}{columns}  {remark(row)}".rstrip())
    return "\n".join(lines)


def markdown(case: dict[str, Any], columns: Sequence[str]) -> str:
    """Return the table for a page; what 1 ms of work takes is worked out, not measured."""
    lines = [f"| {case['title']} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for row, by_head in lines_of(case):
        by_head[WITH_WORK] = "-" if row.each is None else f"{(1000 + row.each) / 1000:.3f} ms"
        figures = [by_head[column] for column in columns]
        if row.each is None and row.remark:
            figures = [row.remark, *([""] * (len(columns) - 1))]
        usual = row.steps in {1, 1000} or case["unit"] == "item"  # Whose title has their number.
        steps = "" if usual else f", {row.steps} steps"
        failed = f" ({row.remark})" if row.remark and row.each is not None else ""
        lines.append(f"| {row.label}{steps}{failed} | {' | '.join(figures)} |")
    return "\n".join(lines)
