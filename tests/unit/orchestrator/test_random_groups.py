"""Random plans with groups through both drivers: what started is undone, in a legal order."""

from __future__ import annotations

import asyncio
import os
import threading
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    Run,
    RuntimeContext,
    Sleep,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
    parallel,
)
from handrail.events import StepFailed, StepFinished, StepStarted, StepUndone

RANDOM_RUNS = 1000 if "HANDRAIL_FAULTS" in os.environ else 60


@dataclass(frozen=True)
class Spec:
    """What one random step does."""

    act: str  # ok, fail, raise, skip, skip_raises
    is_async: bool
    effects: int
    wrapped: str  # no, layer, retry
    flaky: bool  # the first attempt fails


specs = st.builds(
    Spec,
    act=st.sampled_from(["ok"] * 12 + ["fail", "raise", "skip", "skip_raises"]),
    is_async=st.booleans(),
    effects=st.integers(0, 2),
    wrapped=st.sampled_from(["no", "no", "layer", "retry"]),
    flaky=st.integers(0, 4).map(lambda number: number == 0),
)
lanes = st.lists(st.lists(specs, min_size=1, max_size=3), min_size=1, max_size=4)
plans = st.lists(st.tuples(lanes, st.sampled_from([None, None, 1, 2])) | specs, max_size=4)


class World:
    """What there is, and what was done, in order."""

    def __init__(self) -> None:
        self.there: dict[str, int] = {}
        self.log: list[tuple[str, str]] = []
        self.events: list[Any] = []
        self.lock = threading.Lock()

    def did(self, what: str, name: str) -> None:
        with self.lock:
            self.log.append((what, name))

    def make(self, name: str) -> None:
        with self.lock:
            self.there[name] = self.there.get(name, 0) + 1


class Step(BaseStep[Any]):
    progress_weight = 1.0

    def __init__(self, name: str, spec: Spec, world: World) -> None:
        self.name = name
        self.spec = spec
        self.world = world
        self.attempts = 0

    def can_skip(self, context: Any) -> bool:
        if self.spec.act == "skip_raises":
            raise ValueError("do not ask")
        return self.spec.act == "skip"

    def work(self, context: Any) -> StepResult:
        self.world.did("start", self.name)
        try:
            self.attempts += 1
            for number in range(self.spec.effects):
                context.record_rollback("made", f"{self.name}-{number}")
                self.world.make(f"{self.name}-{number}")
            if self.spec.act == "raise":
                raise ValueError("broken")
            fails = self.spec.act == "fail" or (self.spec.flaky and self.attempts == 1)
            return StepResult(success=not fails, error="failed" if fails else None)
        finally:
            self.world.did("end", self.name)

    def execute(self, context: Any) -> Any:
        return self.work(context)

    def rollback(self, context: Any, result: StepResult) -> None:
        for name in result.rollback_data.get("made", []):
            self.world.there.pop(name, None)
        self.world.did("undo", self.name)


class AsyncStep(Step):
    async def execute(self, context: Any) -> StepResult:
        await asyncio.sleep(0)
        return self.work(context)


class Layer(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        return (yield Run())


class Retry(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        result = yield Run()
        if not result.success:
            yield Undo()
            yield Sleep(0)
            result = yield Run()
        return result


def build(name: str, spec: Spec, world: World) -> BaseStep[Any]:
    step: BaseStep[Any] = (AsyncStep if spec.is_async else Step)(name, spec, world)
    return {"no": lambda: step, "layer": lambda: Layer(step), "retry": lambda: Retry(step)}[
        spec.wrapped
    ]()


def fails(spec: Spec) -> bool:
    retried = spec.wrapped == "retry"
    broken = spec.act in ("fail", "raise", "skip_raises")
    return broken or (spec.flaky and not retried and spec.act == "ok")


def check(plan: list[Any], world: World, error: StepFailedError | None) -> None:
    """Compare what happened with what is allowed."""
    named = [
        (f"s{place}-{lane}-{step}", spec)
        for place, item in enumerate(plan)
        for lane, each in enumerate([[item]] if isinstance(item, Spec) else item[0])
        for step, spec in enumerate(each)
    ]
    broken = {name for name, spec in named if fails(spec)}
    assert (error is None) == (not broken)
    if error is None:
        expected = [
            f"{name}-{number}"
            for name, spec in named
            if spec.act == "ok"
            for number in range(spec.effects)
        ]
        assert world.there == dict.fromkeys(expected, 1)
    else:
        assert error.step in broken
        assert world.there == {}
        began = {name for what, name in world.log if what == "start"}
        assert began <= {name for what, name in world.log if what == "undo"}
        undone_in_order(world.events, error.step)
    in_order(world.log)


def in_order(log: list[tuple[str, str]]) -> None:
    first = {each: place for place, each in reversed(list(enumerate(log)))}
    last = {each: place for place, each in enumerate(log)}
    started = [name for what, name in first if what == "start"]
    for name in started:
        place, lane, step = name[1:].split("-")
        for other in started:
            before, beside, earlier = other[1:].split("-")
            if before < place or (before == place and beside == lane and earlier < step):
                assert last["end", other] < first["start", name], f"{name} began before {other}"


def undone_in_order(events: list[Any], failed: str) -> None:
    """Check that what started after another step had ended, for the engine, is undone before it."""
    began, ended, undone = dict[str, int](), dict[str, int](), list[str]()
    for place, event in enumerate(events):
        if isinstance(event, StepStarted):
            began[event.step] = place
        elif isinstance(event, StepFinished | StepFailed):
            ended[event.step] = place
        elif isinstance(event, StepUndone):
            undone.append(event.step)
    assert failed not in undone[1:]
    for first, name in enumerate(undone):
        for other in undone[first + 1 :]:
            after = ended[name] < began[other]
            assert name == failed or not after, f"{name} was undone before {other}"


def run(plan: list[Any], world: World, how: str) -> StepFailedError | None:
    registry = StepRegistry[Any]()
    for place, item in enumerate(plan):
        if isinstance(item, Spec):
            registry.register(build(f"s{place}-0-0", item, world))
            continue
        built = [
            [build(f"s{place}-{lane}-{step}", spec, world) for step, spec in enumerate(each)]
            for lane, each in enumerate(item[0])
        ]
        registry.register(parallel(f"g{place}", built, concurrency=item[1]))
    observers = [world.events.append] if how.endswith("observed") else []
    orchestrator = Orchestrator(
        registry, BaseStepContext(RuntimeContext()), lambda now, total: None, observers=observers
    )
    try:
        if how.startswith("asyncio"):
            asyncio.run(orchestrator.execute_async())
        else:
            orchestrator.execute()
    except StepFailedError as error:
        return error
    return None


@settings(max_examples=RANDOM_RUNS, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plans)
def test_random_plans_with_groups(plan: list[Any]) -> None:
    """Nothing is doubled, and after a failure nothing is left; the undo goes back the way."""
    for how in ("blocking", "asyncio", "blocking observed", "asyncio observed"):
        world = World()
        check(plan, world, run(plan, world, how))
