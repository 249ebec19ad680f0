"""What is left out of the exact percentages is never news."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

from handrail import BaseStep, BaseStepContext, StepRegistry, StepResult
from handrail.engine.state import Progress
from handrail.plan.builder import plan_of_registry


class Step(BaseStep):
    def __init__(self, name: str, weight: float) -> None:
        self.name = name
        self.progress_weight = weight

    def execute(self, context: BaseStepContext) -> StepResult:
        raise AssertionError("the engine calls no user code")


class Told(list[int]):
    def __call__(self, percent: int, total: int) -> None:
        self.append(percent)


def test_every_percentage_is_told_as_soon_as_it_is_reached() -> None:
    """Reports forward and back, of whole numbers and others: told is what exact fractions say."""
    chance = Random(7)
    for _ in range(60):
        registry: StepRegistry[Any] = StepRegistry()
        for number in range(chance.randint(1, 4)):
            weight = chance.choice((0, 0.1, 0.3, 1, 1e-9, 0.123456789))
            registry.register(Step(f"s{number}", weight))
        plan = plan_of_registry(registry)
        told = Told()
        expected: list[int] = []
        progress, weights = Progress(plan, told, None), plan.weights
        for position in range(len(plan)):
            total = chance.choice((7, 1000, 0.7, 3.3e5))
            for _ in range(120):
                current = total * chance.random() if total < 1 else chance.randint(0, int(total))
                before, after = weights.done[position], weights.done[position + 1]
                part = Fraction(current) / Fraction(total)
                exact = (before + (after - before) * part) * 100 // weights.total
                if min(99, exact) > max(expected, default=0):
                    expected.append(min(99, int(exact)))
                progress.within(position, current, total)
        assert told == expected
