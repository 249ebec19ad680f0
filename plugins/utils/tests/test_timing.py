"""TimingStep: where the duration goes, and that the step's own result is left alone."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from handrail import BaseStep, Orchestrator, StepRegistry, StepResult, step
from handrail_utils import TimingStep


class Kept(BaseStep[Any]):
    """Returns one result of its own, again and again."""

    name = "kept"
    progress_weight = 0.2

    def __init__(self, **fields: Any) -> None:
        self.result = StepResult(**fields)

    def execute(self, context: Any) -> StepResult:
        return self.result


def test_duration_on_a_copy(context: Any) -> None:
    """The duration is in the data of a copy; every other field is the step's."""
    kept = Kept(data={"rows": 3}, rollback_data={"ids": [1]})
    timed = TimingStep(kept)
    result = timed.execute(context)
    duration = result.data["duration_seconds"]
    assert timed.name == "timed_kept"
    assert result.data == {"rows": 3, "duration_seconds": duration}
    assert round(duration, 6) == duration >= 0
    assert kept.result.data == {"rows": 3}
    assert result.rollback_data is kept.result.rollback_data
    assert result.timestamp == kept.result.timestamp


def test_existing_key_is_overwritten(context: Any) -> None:
    """A duration that the step put there itself gives way, in the copy only."""
    kept = Kept(data={"duration_seconds": "long"})
    assert isinstance(TimingStep(kept).execute(context).data["duration_seconds"], float)
    assert kept.result.data == {"duration_seconds": "long"}


def test_failed_result_is_timed(context: Any) -> None:
    """A failed result carries the duration as well, and stays failed."""
    result = TimingStep(Kept(success=False, error="no")).execute(context)
    assert (result.success, result.error) == (False, "no")
    assert "duration_seconds" in result.data


def test_measures_async_work(context: Any) -> None:
    """For an async step the time until it has finished counts, not until it was called."""

    @step
    async def wait(context: Any) -> None:
        await asyncio.sleep(0.02)

    registry: StepRegistry[Any] = StepRegistry()
    registry.register(TimingStep(wait))
    asyncio.run(Orchestrator(registry, context).execute_async())
    assert context.results["wait"].data["duration_seconds"] >= 0.015


def test_nested_timing(context: Any) -> None:
    """Of two timings the outer one, which saw more, is kept."""

    class Slow(TimingStep[Any]):
        def around(self, context: Any) -> Any:
            result = yield from super().around(context)
            time.sleep(0.01)
            return result

    result = TimingStep(Slow(Kept())).execute(context)
    assert result.data["duration_seconds"] >= 0.01


def test_error_passes(context: Any) -> None:
    """A step that raises has no result, so there is no duration and the error goes on."""

    @step
    def broken(context: Any) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        TimingStep(broken).execute(context)
