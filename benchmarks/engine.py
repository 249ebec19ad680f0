"""What a step costs beside the plain loop, in one run: `python benchmarks/engine.py`.

Each case is timed in turn, round after round, so that a machine that slows down slows all of them;
the table has the median of each, in microseconds a step, and its ratio to the plain loop.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    StepResult,
)

ROUNDS = 15
RESULT = StepResult()


class Nothing(BaseStep[BaseStepContext]):
    """Does nothing, so that all of the time is ours."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: BaseStepContext) -> StepResult:
        """Return the one result there is."""
        return RESULT

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        """Do nothing."""


class Fails(Nothing):
    """Fails, so that everything before it is undone."""

    def execute(self, context: BaseStepContext) -> StepResult:
        """Fail."""
        return StepResult(success=False, error="on purpose")


def registry_of(count: int, last: BaseStep[Any] | None = None) -> StepRegistry[BaseStepContext]:
    """Return a registry of `count` steps."""
    registry = StepRegistry[BaseStepContext]()
    for number in range(count):
        registry.register(Nothing(f"step_{number}"))
    if last is not None:
        registry.register(last)
    return registry


def fresh() -> BaseStepContext:
    """Return a context whose log goes nowhere."""
    return BaseStepContext(RuntimeContext())


def loop(steps: list[BaseStep[BaseStepContext]]) -> None:
    """Run the steps with nothing around them."""
    context = fresh()
    for step in steps:
        step.execute(context)


def guarded_undo(steps: list[BaseStep[BaseStepContext]]) -> None:
    """Undo the steps in a loop that only guards each call."""
    context = fresh()
    for step in reversed(steps):
        try:  # noqa: SIM105 - a context manager costs more than what is measured
            step.rollback(context, RESULT)
        except Exception:  # noqa: BLE001
            pass


def run(orchestrator: Orchestrator[BaseStepContext]) -> None:
    """Execute; a failure is what the case is about."""
    with suppress(RuntimeError):
        orchestrator.execute()


def cases(count: int) -> dict[str, Callable[[], None]]:
    """Return what is measured, by name."""
    registry = registry_of(count)
    steps = registry.get_steps()
    failing = registry_of(count, Fails("last"))
    plain = Orchestrator(registry, fresh())
    told = Orchestrator(registry, fresh(), lambda _current, _total: None)
    watched = Orchestrator(registry, fresh(), observers=[lambda _event: None])
    undone = Orchestrator(failing, fresh())
    return {
        "plain loop": lambda: loop(steps),
        "run": lambda: run(plain),
        "run, progress callback": lambda: run(told),
        "run, observer of all events": lambda: run(watched),
        "guarded loop of rollbacks": lambda: guarded_undo(steps),
        "run and undo": lambda: run(undone),
        "register and plan": lambda: registry_of(count).compiled(_plan),
    }


def _plan(registry: StepRegistry[Any]) -> Any:
    from handrail.plan.draft import plan_of_registry

    return plan_of_registry(registry)


def measure(count: int) -> None:
    """Print the table for `count` steps."""
    found = cases(count)
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(ROUNDS if count <= 10_000 else 5):
        for name, case in found.items():
            began = time.perf_counter()
            case()
            times[name].append((time.perf_counter() - began) / count * 1e6)
    floor = statistics.median(times["plain loop"])
    print(f"\n{count} steps, Python {sys.version.split()[0]}")
    print(f"{'case':30}{'us a step':>12}{'x plain loop':>15}")
    for name, taken in times.items():
        middle = statistics.median(taken)
        print(f"{name:30}{middle:12.3f}{middle / floor:15.1f}")


if __name__ == "__main__":
    for size in (100, 1_000, 10_000, 100_000):
        measure(size)
