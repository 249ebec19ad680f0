"""A run takes work in proportion to its steps, and keeps nothing that the result does not need."""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
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
        self.number = number

    def execute(self, context: BaseStepContext) -> StepResult:
        return RESULT


class Asked(Step):
    def can_skip(self, context: BaseStepContext) -> bool:
        return False


class Undoable(Step):
    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        pass


class Broken(Step):
    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult(success=False, error="broken")


class Reports(Step):
    def execute(self, context: BaseStepContext) -> StepResult:
        for done in range(self.number):
            context.set_progress(done, self.number)
        return RESULT


class Silent(RuntimeContext):
    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        pass


LISTENERS = [
    ({}, 4),
    ({"progress_callback": lambda now, total: None}, 8),
    ({"observers": [lambda event: None]}, 13),
]


def orchestrator(
    count: int, kind: type[Step] = Step, last: Step | None = None, **more: Any
) -> Orchestrator:
    registry = StepRegistry()
    for number in range(count):
        registry.register(kind(number))
    if last is not None:
        registry.register(last)
    return Orchestrator(registry, BaseStepContext(Silent()), **more)


def calls_of(work: Callable[[], object]) -> int:
    """Count the functions that `work` calls, those in C, and the generators that it resumes."""
    calls = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    gc.disable()  # Others are told of each collection, and the calls to them are no calls of ours.
    sys.setprofile(profile)
    try:
        with suppress(RuntimeError):
            work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return calls


def calls_per_step(made: Callable[[int], Orchestrator]) -> float:
    """Return how many calls a step more costs in a run; the plan is known already."""
    counted: list[int] = []
    for count in (1_000, 2_000):
        orchestrator = made(count)
        with suppress(RuntimeError):
            orchestrator.execute()
        counted.append(calls_of(orchestrator.execute))
    small, large = counted
    assert large <= 2 * small + 100
    return (large - small) / 1_000


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

    class Counted(Step):
        def rollback(self, context: BaseStepContext, result: StepResult) -> None:
            nonlocal undone
            undone += 1

    with pytest.raises(RuntimeError, match="broken"):
        orchestrator(20_000, kind=Counted, last=Broken(-1)).execute()
    assert undone == 20_000


@pytest.mark.parametrize(
    ("more", "most"),
    [
        ({}, 6),
        ({"progress_callback": lambda now, total: None}, 6),
        ({"kind": Asked}, 10),
        ({"kind": Asked, "progress_callback": lambda now, total: None}, 10),
        ({"observers": [lambda event: None]}, 75),
    ],
    ids=["plain", "progress", "asked", "asked, progress", "observed"],
)
def test_the_work_grows_with_the_steps_and_no_faster(more: Any, most: int) -> None:
    """Twice the steps take twice the function calls, and a plain step takes a handful."""
    assert calls_per_step(lambda count: orchestrator(count, **more)) <= most


def test_undoing_a_step_takes_a_few_calls_more_than_running_it() -> None:
    """Its rollback, and the way to it and back: sent, resumed, called."""
    failing = calls_per_step(lambda count: orchestrator(count, kind=Undoable, last=Broken(-1)))
    alone = calls_per_step(lambda count: orchestrator(count, kind=Undoable))
    assert failing - alone <= 3


@pytest.mark.parametrize(("more", "most"), LISTENERS, ids=["nobody", "callback", "observer"])
def test_a_report_of_progress_takes_a_few_calls(more: Any, most: int) -> None:
    """Exact percentages are worked out only where one can be news, however often a step reports."""

    def reporting(count: int) -> Orchestrator:
        return orchestrator(1, last=Reports(count), **more)

    small, large = (calls_of(reporting(count).execute) for count in (1_000, 2_000))
    assert (large - small) / 1_000 <= most


def test_planning_grows_with_the_steps_and_no_faster() -> None:
    """Registering and compiling are linear too."""
    small, large = (calls_of(lambda n=n: orchestrator(n).execute()) for n in (500, 1_000))
    assert large <= 2 * small + 100
    assert (large - small) / 500 <= 46


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
    assert peak_of(made.execute) < 10_000 * 30


def test_a_run_takes_at_most_half_as_much_memory_again_as_its_steps_and_results() -> None:
    """At its peak, with its registry, its plan and all that is kept for an undo."""

    class Undoable(Step):
        def execute(self, context: BaseStepContext) -> StepResult:
            return StepResult()

        def rollback(self, context: BaseStepContext, result: StepResult) -> None:
            pass

    def bare() -> object:
        steps = [Undoable(number) for number in range(10_000)]
        context = BaseStepContext(RuntimeContext())
        return steps, [step.execute(context) for step in steps]

    def run() -> object:
        made = orchestrator(10_000, kind=Undoable)
        made.execute()
        return made

    def fails() -> object:
        made = orchestrator(10_000, kind=Undoable, last=Broken(-1))
        with suppress(RuntimeError):
            made.execute()
        return made

    floor = peak_of(bare)
    assert peak_of(run) <= 1.5 * floor
    assert peak_of(fails) <= 1.5 * floor


def peak_of(work: Callable[[], object]) -> int:
    """Return how many bytes `work` allocates at most, in excess of what was there."""
    tracemalloc.start()
    try:
        kept = work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        del kept
