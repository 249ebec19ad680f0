"""Wrappers in any order, around blocking and async steps, in both drivers."""

from __future__ import annotations

import asyncio
from math import prod
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handrail import (
    BaseStep,
    Orchestrator,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
)
from handrail_utils import LoggingStep, RetryStep, TimingStep


class Opaque(StepWrapper[Any]):
    """A wrapper written the plain way: it overrides execute."""

    def execute(self, context: Any) -> Any:
        return self.wrapped.execute(context)


class AsyncOpaque(StepWrapper[Any]):
    """The same as a coroutine; it takes both kinds of steps."""

    async def execute(self, context: Any) -> StepResult:
        result = self.wrapped.execute(context)
        return result if isinstance(result, StepResult) else await result


class Maker(BaseStep[Any]):
    """Makes things: some recorded, some returned. Fails `failures` times, then succeeds."""

    name = "maker"
    progress_weight = 0.4

    def __init__(self, how: str, failures: int) -> None:
        self.how = how
        self.failures = failures
        self.attempts = 0

    def work(self, context: Any) -> StepResult:
        self.attempts += 1
        thing = self.attempts
        context.record_rollback("things", thing)
        context.trail.append(("make", thing))
        if self.attempts > self.failures:
            return StepResult(data={"thing": thing}, rollback_data={"returned": thing})
        if self.how == "raise":
            raise OSError(f"no {thing}")
        return StepResult(success=False, error=f"no {thing}", rollback_data={"returned": thing})

    def remove(self, context: Any, result: StepResult) -> None:
        for thing in result.rollback_data["things"]:
            context.trail.append(("remove", thing))


class Blocking(Maker):
    def execute(self, context: Any) -> StepResult:
        return self.work(context)

    def rollback(self, context: Any, result: StepResult) -> None:
        self.remove(context, result)


class Async(Maker):
    async def execute(self, context: Any) -> StepResult:
        await asyncio.sleep(0)
        return self.work(context)

    async def rollback(self, context: Any, result: StepResult) -> None:
        await asyncio.sleep(0)
        self.remove(context, result)


class Last(BaseStep[Any]):
    """Fails, so that everything before it is undone."""

    name = "last"
    progress_weight = 0.1

    def execute(self, context: Any) -> StepResult:
        return StepResult(success=False, error="the end")


def twice(inner: BaseStep[Any]) -> StepWrapper[Any]:
    return RetryStep(inner, attempts=2, wait=0)


LAYERS = {
    "logging": LoggingStep,
    "timing": TimingStep,
    "retry": twice,
    "opaque": Opaque,
    "async opaque": AsyncOpaque,
}
nestings = st.lists(st.sampled_from(sorted(LAYERS)), max_size=5)
relaxed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def wrapped(maker: Maker, nesting: list[str]) -> BaseStep[Any]:
    inner: BaseStep[Any] = maker
    for layer in nesting:
        inner = LAYERS[layer](inner)
    return inner


def execute(context: Any, driver: str, *steps: BaseStep[Any]) -> BaseException | None:
    registry: StepRegistry[Any] = StepRegistry()
    for each in steps:
        registry.register(each)
    orchestrator = Orchestrator(registry, context)
    try:
        if driver == "blocking":
            orchestrator.execute()
        else:
            asyncio.run(orchestrator.execute_async())
    except StepFailedError as error:
        return error
    return None


def attempts_in(nesting: list[str]) -> int:
    return prod(2 for layer in nesting if layer == "retry")


def left(trail: list[Any]) -> list[int]:
    """What was made and not removed; removing what is not there shows as well."""
    made = [thing for what, thing in trail if what == "make"]
    for what, thing in trail:
        if what == "remove":
            made.remove(thing)
    return made


kinds = pytest.mark.parametrize("kind", [Blocking, Async])
drivers = pytest.mark.parametrize("driver", ["blocking", "async"])
hows = pytest.mark.parametrize("how", ["raise", "return"])


@kinds
@drivers
@hows
class TestNesting:
    """Every nesting behaves like the bare step, plus attempts, plus a duration."""

    @relaxed
    @given(nesting=nestings, failures=st.integers(0, 5))
    def test_outcome(
        self, make_context: Any, kind: Any, driver: str, how: str, nesting: Any, failures: int
    ) -> None:
        """It succeeds if and only if there are more attempts than failures, and keeps one thing."""
        context = make_context()
        maker = kind(how, failures)
        error = execute(context, driver, wrapped(maker, nesting))
        tries = attempts_in(nesting)
        assert maker.attempts == min(failures + 1, tries)
        if failures < tries:
            assert error is None
            result = context.results["maker"]
            data = {"thing": failures + 1}
            if "timing" in nesting:
                data["duration_seconds"] = result.data["duration_seconds"]
            assert result.data == data
            assert result.rollback_data["returned"] == failures + 1
            assert left(context.trail) == [failures + 1]
        else:
            bare = make_context()
            expected = execute(bare, driver, kind(how, 1))
            assert type(error.__cause__) is type(expected.__cause__)
            assert str(error).endswith(f"failed: no {tries}")
            assert left(context.trail) == []

    @relaxed
    @given(nesting=nestings, failures=st.integers(0, 3))
    def test_undone_by_a_later_failure(
        self, make_context: Any, kind: Any, driver: str, how: str, nesting: Any, failures: int
    ) -> None:
        """Nothing that any attempt made is left when the run fails, or is removed twice."""
        context = make_context()
        error = execute(context, driver, wrapped(kind(how, failures), nesting), Last())
        assert error is not None
        assert left(context.trail) == []
        assert context.errors == []

    @relaxed
    @given(nesting=nestings)
    def test_events_pair_up(
        self, make_context: Any, kind: Any, driver: str, how: str, nesting: Any
    ) -> None:
        """Every logged start has its end, whatever the nesting and the outcome."""
        context = make_context()
        execute(context, driver, wrapped(kind(how, 1), nesting))
        open_steps: list[str] = []
        for event, data in context.events:
            if event == "step_start":
                open_steps.append(data["step"])
            elif event == "step_end":
                assert open_steps.pop() == data["step"]
        assert open_steps == []

    @relaxed
    @given(nesting=nestings.filter(bool), failures=st.integers(0, 3))
    def test_by_hand(
        self, make_context: Any, kind: Any, driver: str, how: str, nesting: Any, failures: int
    ) -> None:
        """execute() by hand gives the same result as the orchestrator, or raises the same error."""
        by_run, by_hand = make_context(), make_context()
        error = execute(by_run, driver, wrapped(kind(how, failures), nesting))
        outer = wrapped(kind(how, failures), nesting)

        async def main() -> StepResult:
            result = outer.execute(by_hand)
            return result if isinstance(result, StepResult) else await result

        if error is not None and how == "raise":
            with pytest.raises(OSError, match=f"^{error.__cause__}$"):
                asyncio.run(main())
        else:
            result = asyncio.run(main())
            expected = by_run.step_results[0]
            assert (result.success, result.error) == (expected.success, expected.error)
            assert result.data.get("thing") == expected.data.get("thing")
        assert len(left(by_hand.trail)) == 1


@kinds
@drivers
def test_layers_of_a_registry(make_context: Any, kind: Any, driver: str) -> None:
    """Wrapped in a registry, in either order, the step keeps its name and is retried."""
    for layers in ([LoggingStep, twice], [twice, LoggingStep], [TimingStep, twice, Opaque]):
        context = make_context()
        registry: StepRegistry[Any] = StepRegistry()
        registry.register(kind("raise", 1))
        for layer in layers:
            registry.wrap("maker", layer)
        orchestrator = Orchestrator(registry, context)
        if driver == "blocking":
            orchestrator.execute()
        else:
            asyncio.run(orchestrator.execute_async())
        assert context.results["maker"].data["thing"] == 2
        assert left(context.trail) == [2]


@pytest.mark.parametrize("blocking_driver", [True, False])
def test_deep_nesting(context: Any, blocking_driver: bool) -> None:
    """Fifty layers are no problem."""
    step: BaseStep[Any] = Blocking("raise", 0)
    for _ in range(25):
        step = LoggingStep(TimingStep(step))
    assert execute(context, "blocking" if blocking_driver else "async", step) is None
    assert len(context.events) == 50
