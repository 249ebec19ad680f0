"""Cases that take turns, steps that do nothing, and the table of what they took."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from handrail import BaseStep, BaseStepContext, StepRegistry, StepResult
from handrail.plan.draft import plan_of_registry
from handrail.plan.plan import Plan

Cases = dict[str, Callable[[], float | None]]
"""What is measured, by name; one that returns seconds has measured itself."""


class Nothing(BaseStep[BaseStepContext]):
    """Does nothing, so that all of the time is ours."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: BaseStepContext) -> StepResult:
        """Return an empty result."""
        return StepResult()


def nothings(count: int) -> list[BaseStep[Any]]:
    """Return that many steps."""
    return [Nothing(f"step_{number}") for number in range(count)]


def plan_of(*steps: BaseStep[Any]) -> Plan:
    """Return a plan of those steps."""
    registry = StepRegistry[BaseStepContext]()
    for step in steps:
        registry.register(step)
    return registry.compiled(plan_of_registry)


def show(title: str, cases: Cases, count: int, rounds: int, unit: str = "step") -> None:
    """Time the cases in turn, and print the median of each, and of its ratios to the first.

    A ratio is of what was measured in the same round, so a machine that slows down changes little.
    """
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            began = time.perf_counter()
            told = case()
            took = time.perf_counter() - began if told is None else told
            times[name].append(took / count * 1e6)
    floor = next(iter(times.values()))
    print(f"\n{title}\n{'case':44}{f'us a {unit}':>14}{'x':>8}")
    for name, each in times.items():
        ratio = statistics.median(took / least for took, least in zip(each, floor, strict=True))
        print(f"{name:44}{statistics.median(each):14.2f}{ratio:8.2f}", flush=True)
