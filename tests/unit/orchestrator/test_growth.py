"""A run takes work in proportion to its steps, and keeps nothing that the result does not need."""

from __future__ import annotations

import sys
import tracemalloc
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    StepResult,
)

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

RESULT = StepResult()


class Step(BaseStep):
    progress_weight = 0.1

    def __init__(self, number: int) -> None:
        self.name = f"s{number}"

    def execute(self, context: BaseStepContext) -> StepResult:
        return RESULT


def orchestrator(count: int, **more: Any) -> Orchestrator:
    registry = StepRegistry()
    for number in range(count):
        registry.register(Step(number))
    return Orchestrator(registry, BaseStepContext(RuntimeContext()), **more)


def calls_of(count: int, **more: Any) -> int:
    made = orchestrator(count, **more)
    made.execute()
    made.context.step_results.clear()
    calls = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        made.execute()
    finally:
        sys.setprofile(None)
    return calls


def test_a_hundred_thousand_steps_run() -> None:
    """There is no recursion, forward or back, and progress ends at 100."""
    percents: list[int] = []
    made = orchestrator(100_000, progress_callback=lambda now, total: percents.append(now))
    limit = sys.getrecursionlimit()
    assert made.execute()["steps_executed"] == 100_000 > limit
    assert percents == list(range(1, 101))


def test_a_hundred_thousand_steps_are_undone() -> None:
    """The way back is as long, and as flat."""
    undone = 0

    class Undoable(Step):
        def rollback(self, context: BaseStepContext, result: StepResult) -> None:
            nonlocal undone
            undone += 1

    class Broken(Step):
        def execute(self, context: BaseStepContext) -> StepResult:
            return StepResult(success=False, error="broken")

    registry = StepRegistry()
    for number in range(20_000):
        registry.register(Undoable(number))
    registry.register(Broken(-1))
    with pytest.raises(RuntimeError, match="broken"):
        Orchestrator(registry, BaseStepContext(RuntimeContext())).execute()
    assert undone == 20_000


@pytest.mark.parametrize(
    ("more", "most"),
    [
        ({}, 9),
        ({"progress_callback": lambda now, total: None}, 9),
        ({"observers": [lambda event: None]}, 85),
    ],
    ids=["plain", "progress", "observed"],
)
def test_the_work_grows_with_the_steps_and_no_faster(more: Any, most: int) -> None:
    """Twice the steps take twice the function calls, and a plain step takes a handful."""
    small, large = calls_of(1_000, **more), calls_of(2_000, **more)
    per_step = (large - small) / 1_000
    assert per_step <= most
    assert large <= 2 * small + 100


def test_planning_grows_with_the_steps_and_no_faster() -> None:
    """Registering and compiling are linear too."""

    def planning(count: int) -> int:
        calls = 0

        def profile(frame: Any, event: str, argument: Any) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        sys.setprofile(profile)
        try:
            orchestrator(count).execute()
        finally:
            sys.setprofile(None)
        return calls

    small, large = planning(500), planning(1_000)
    assert large <= 2 * small + 100


def test_the_plan_is_compiled_once() -> None:
    """A second execute uses the compiled plan; an edit makes a new one."""
    made = orchestrator(3)
    made.execute()
    registry = made.registry
    assert isinstance(registry, StepRegistry)
    first = registry.compiled(lambda _: "new")
    assert first != "new"
    registry.unregister("s1")
    assert registry.compiled(lambda _: "new") == "new"


def test_a_plain_step_allocates_nothing_that_stays() -> None:
    """Two lists of results are all that a run keeps of plain steps."""
    made = orchestrator(10_000)
    made.execute()
    made.context.step_results.clear()
    tracemalloc.start()
    try:
        made.execute()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000 * 30
