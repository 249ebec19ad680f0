# pyright: basic, reportMissingImports=false
"""Synapse SDK: its step modules, which Handrail's interface of steps descends from."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from protocol import Run, Watch, serve
from synapse_sdk.plugins.context import PluginEnvironment, RuntimeContext
from synapse_sdk.plugins.steps import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    StepRegistry,
    StepResult,
)

RESULT = StepResult()


class Nothing(BaseStep[Any]):
    """Does nothing, so that all of the time is theirs."""

    name = ""
    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: Any) -> StepResult:
        """Return the one result there is."""
        return RESULT

    def rollback(self, context: Any, result: StepResult) -> None:
        """Do nothing."""


class Fails(Nothing):
    """Fails, which is when the time of the undo begins."""

    def __init__(self, watch: Watch) -> None:
        super().__init__("last")
        self.watch = watch

    def execute(self, context: Any) -> StepResult:
        """Fail."""
        self.watch.start()
        return StepResult(success=False, error="on purpose")


def orchestrator(count: int, *more: BaseStep[Any]) -> Orchestrator[Any]:
    """Return what runs `count` steps that do nothing, and those; it wants to tell its progress."""
    registry: StepRegistry[Any] = StepRegistry()
    for step in (*(Nothing(f"step_{number}") for number in range(count)), *more):
        registry.register(step)
    # Without a logger, it has the least to do.
    runtime: Any = RuntimeContext(logger=None, env=PluginEnvironment())
    context = BaseStepContext(runtime_ctx=runtime)
    return Orchestrator(registry, context, lambda _current, _total: None)


def in_memory(count: int, folder: Path, watch: Watch) -> Run:
    """Run the steps."""
    return orchestrator(count).execute


def rollback(count: int, folder: Path, watch: Watch) -> Run:
    """Undo the steps when one more fails."""
    fails = orchestrator(count, Fails(watch))

    def run() -> None:
        with suppress(RuntimeError):
            fails.execute()

    return run


if __name__ == "__main__":
    serve("synapse-sdk", {"in-memory": in_memory, "rollback": rollback})
