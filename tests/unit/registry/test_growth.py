"""An edit of a registry takes the same few calls, however many steps there are."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from handrail import BaseStep, BaseStepContext, StepRegistry, StepResult

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


class Step(BaseStep):
    progress_weight = 0.1

    def __init__(self, number: int) -> None:
        self.name = f"s{number}"

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


def calls_of_inserts(count: int) -> int:
    """Count the calls of inserts before and after steps all over the registry."""
    registry = StepRegistry()
    registry.register(Step(0))
    steps = [Step(number) for number in range(1, count)]
    calls = 0

    def profile(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        for number, step in enumerate(steps):
            insert = registry.insert_after if number % 2 else registry.insert_before
            insert(f"s{number // 2}", step)
    finally:
        sys.setprofile(None)
    assert len(registry.get_steps()) == count
    return calls


def test_an_insert_takes_a_few_calls_however_many_steps_there_are() -> None:
    """It does not look at the other steps, nor ask an abstract class about this one."""
    small, large = calls_of_inserts(1_000), calls_of_inserts(2_000)
    assert (large - small) / 1_000 <= 22
    assert large <= 2 * small + 100
