"""A signal handler of the program that raises while a lane is moved on."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    StepResult,
    parallel,
)
from handrail.orchestrator import lanes

MOVES = ("_collect",)


class AlarmError(Exception):
    """What the handler raises."""


class Makes(BaseStep[BaseStepContext]):
    """Tells only by its result what there is to undo."""

    progress_weight = 1.0

    def __init__(self, name: str, world: set[str]) -> None:
        self.name, self.world = name, world

    def execute(self, context: BaseStepContext) -> StepResult:
        self.world.add(self.name)
        return StepResult(rollback_data={"made": self.name})

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        self.world.discard(str(result.rollback_data.get("made")))


def interrupted_at(line: int) -> tuple[set[str], BaseException | None, bool]:
    """Run a group, and raise at a line, counted as they come, of what takes an answer of a lane.

    Returns:
        What is made afterwards, the error that the run raised, and whether it came to the line.
    """
    world: set[str] = set()
    registry: StepRegistry[Any] = StepRegistry()
    registry.register(parallel("g", [[Makes("a", world), Makes("b", world)], Makes("c", world)]))
    left = [line]

    def trace(frame: Any, event: str, arg: object) -> Any:
        if frame.f_code.co_filename != lanes.__file__ or frame.f_code.co_name not in MOVES:
            return None
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                raise AlarmError
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        Orchestrator(registry, BaseStepContext(RuntimeContext())).execute()
    except Exception as error:  # noqa: BLE001 - it is returned
        return world, error, left[0] <= 0
    finally:
        sys.settrace(before)
    return world, None, left[0] <= 0


@pytest.mark.parametrize("line", range(1, 24))
def test_no_answer_of_a_step_is_lost(line: int) -> None:
    """Whatever the line, either all was done or nothing is left."""
    world, error, reached = interrupted_at(line)
    assert world == (set() if error is not None else {"a", "b", "c"})
    assert (error is not None) == reached
