"""Cases that take turns, steps that do nothing, and the table of what they took."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from handrail import BaseStep, BaseStepContext, StepRegistry, StepResult
from handrail.plan.builder import plan_of_registry
from handrail.plan.plan import Plan


class Took(NamedTuple):
    """What a case has measured itself: seconds by the clock, and of work of the processor."""

    clock: float
    cpu: float | None


Cases = dict[str, Callable[[], Took | None]]
"""What is measured, by name."""


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


def show(title: str, cases: Cases, count: int, rounds: int) -> None:
    """Time the cases in turn, and print the median of each, and of its ratios to the first.

    A ratio is of what was measured in the same round, so a machine that slows down changes little.
    On one that others use, too, the work of the processor tells more than the clock; it leaves out
    all waiting for the disk.
    """
    times: dict[str, list[Took]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            clock, cpu = time.perf_counter(), time.process_time()
            told = case()
            times[name].append(told or Took(time.perf_counter() - clock, time.process_time() - cpu))
    floor = next(iter(times.values()))
    print(f"\n{title}\n{'case':40}{'us a step':>12}{'x':>8}{'us of CPU':>12}{'x':>8}")
    for name, each in times.items():
        line = f"{name:40}"
        for which in range(2):
            pairs = [(took[which], least[which]) for took, least in zip(each, floor, strict=True)]
            known = [(took, least) for took, least in pairs if took is not None]
            if known:
                middle = statistics.median(took for took, _ in known) / count * 1e6
                line += (
                    f"{middle:12.3f}{statistics.median(took / least for took, least in known):8.2f}"
                )
        print(line, flush=True)
