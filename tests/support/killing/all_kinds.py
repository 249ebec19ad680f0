"""A workflow with steps of all kinds whose effects are files, and one that a sweep runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    Run,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
    parallel,
)
from killing.effects import Files

WORLD = Files(Path("world"))
ITEMS = range(6)


class Makes(BaseStep[BaseStepContext]):
    """Makes two files, each recorded before."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name
        self.names = [f"{name}-{number}" for number in range(2)]

    def execute(self, context: BaseStepContext) -> StepResult:
        for name in self.names:
            context.record_rollback("names", name)
            WORLD.make(name, f"{context.run_id}/{self.name}")
        if os.environ.get("FAILING_STEP") == self.name:
            raise ValueError("told to fail")
        return StepResult()

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        for name in reversed(result.rollback_data.get("names", [])):
            WORLD.remove(name, f"{context.run_id}/{self.name}")


class Asks(Makes):
    """Is asked whether there is anything to do, so its start has a commit of its own."""

    def can_skip(self, context: BaseStepContext) -> bool:
        return False


class Twice(StepWrapper[BaseStepContext]):
    """Undoes the first attempt, and tries again."""

    def around(self, context: BaseStepContext) -> Iterator[Any]:
        yield Run()
        yield Undo()
        return (yield Run())


class Maps(BaseStep[BaseStepContext]):
    """Makes a file for each of its items."""

    name = "items"
    progress_weight = 0.1

    def execute(self, context: BaseStepContext) -> StepResult:
        made = {"rollback": remove_item, "shared": f"{context.run_id}/items", "chunk": 2}
        context.map_items(make_item, ITEMS, **made)
        return StepResult()


def make_item(item: int, context: Any) -> None:
    context.record_rollback("names", f"item-{item}")
    WORLD.make(f"item-{item}", context.shared)


def remove_item(item: int, context: Any, data: Mapping[str, Any]) -> None:
    for name in data.get("names", []):
        WORLD.remove(name, context.shared)


class Closes(BaseStep[BaseStepContext]):
    """Runs at the end of each run."""

    name = "close"
    progress_weight = 0.1
    always_run = True

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


class Params(BaseModel):
    """Which of the runs of a sweep it is."""

    place: int = 0


class Whole(BaseAction[Params]):
    """Steps of all kinds."""

    action_name = "whole"

    def setup_steps(self, registry: StepRegistry) -> None:
        registry.register(Makes("first"))
        registry.register(Asks("asked"))
        registry.register(Twice(Makes("twice")))
        registry.register(parallel("both", [[Makes("a1"), Makes("a2")], [Twice(Makes("b"))]]))
        registry.register(Maps())
        registry.register(Makes("last"))
        registry.register(Closes())


class Small(BaseAction[Params]):
    """A run of a sweep."""

    action_name = "small"

    def setup_steps(self, registry: StepRegistry) -> None:
        registry.register(Makes(f"one-{self.params.place}"))
        registry.register(Makes(f"two-{self.params.place}"))


def files(*steps: str) -> set[str]:
    """Return the files that steps make."""
    return {f"{step}-{number}" for step in steps for number in range(2)}


WHOLE = files("first", "asked", "twice", "a1", "a2", "b", "last") | {f"item-{n}" for n in ITEMS}
SWEPT = files(*(f"{step}-{place}" for step in ("one", "two") for place in (1, 2)))
