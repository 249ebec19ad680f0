"""Time limits of steps that run side by side: each is that of its own step."""

from __future__ import annotations

import asyncio
import threading

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Limits,
    Orchestrator,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    parallel,
)

LONG = 30.0  # Seconds that nothing waits for if all is well.


class Make(BaseStep):
    """Do something, until it is told to end."""

    progress_weight = 1.0

    def __init__(self, name, world, until=None):
        self.name = name
        self.world = world
        self.until = until

    def execute(self, context):
        self.world.append(self.name)
        while self.until is not None and not self.until.wait(0.005):
            context.set_progress(1, 2)
        return StepResult()

    def rollback(self, context, result):
        self.world.remove(self.name)


class Stuck(Make):
    """Report progress for ever, so it finds out that its time is over."""

    limits = Limits(timeout=0.05)

    def execute(self, context):
        self.world.append(self.name)
        for _ in range(10_000):
            threading.Event().wait(0.005)
            context.set_progress(1, 2)
        raise AssertionError("nobody told it")


class Silent(Make):
    """Wait for ever in a loop, where it is cancelled."""

    limits = Limits(timeout=0.05)

    async def execute(self, context):
        self.world.append(self.name)
        await asyncio.sleep(LONG)


def run(driver, registry):
    orchestrator = Orchestrator(registry, BaseStepContext(runtime_ctx=RuntimeContext()))
    if driver == "blocking":
        return orchestrator.execute()
    return asyncio.run(orchestrator.execute_async())


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
@pytest.mark.parametrize("kind", [Stuck, Silent])
def test_a_step_in_a_lane_whose_time_is_over_fails_and_all_is_undone(driver, kind):
    world = []
    registry = StepRegistry()
    registry.register(Make("before", world))
    registry.register(parallel("media", [[kind("late", world)], [Make("other", world)]]))
    with pytest.raises(StepFailedError, match=r"late.*timeout of 0\.05s") as failed:
        run(driver, registry)
    assert failed.value.step == "late"
    assert world == []


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
def test_a_step_that_is_in_time_is_not_stopped_by_the_limit_of_its_neighbour(driver):
    world, over = [], threading.Event()

    class Quick(Make):
        limits = Limits(timeout=LONG)

        def execute(self, context):
            over.set()
            return super().execute(context)

    registry = StepRegistry()
    registry.register(parallel("media", [[Quick("quick", world)], [Make("slow", world, over)]]))
    run(driver, registry)
    assert sorted(world) == ["quick", "slow"]
