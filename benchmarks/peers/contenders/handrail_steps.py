"""Handrail."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from protocol import Build, Run, Watch, serve

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    StepResult,
)
from handrail.actions import about_action
from handrail.plan.builder import plan_of_registry
from handrail.plan.plan import Plan
from handrail.recovery.resume_run import Recovery
from handrail.sqlite import SqliteJournal

RESULT = StepResult()


class Nothing(BaseStep[BaseStepContext]):
    """Does nothing, so that all of the time is ours."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: BaseStepContext) -> StepResult:
        """Return the one result there is."""
        return RESULT

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        """Do nothing."""


class Fails(Nothing):
    """Fails, which is when the time of the undo begins."""

    def __init__(self, watch: Watch) -> None:
        super().__init__("last")
        self.watch = watch

    def execute(self, context: BaseStepContext) -> StepResult:
        """Fail."""
        self.watch.start()
        return StepResult(success=False, error="on purpose")


class Last(Nothing):
    """Dies, or says that it was reached."""

    def __init__(self, watch: Watch | None) -> None:
        super().__init__("last")
        self.watch = watch

    def execute(self, context: BaseStepContext) -> StepResult:
        """Tell the watch, if there is one."""
        if self.watch is None:
            os._exit(0)
        self.watch.stop()
        return StepResult()


class GoesOn(BaseAction[Any]):
    """The action of the run; its plan is given, as nobody else plans anew, either."""

    action_name = "registry"

    def setup_steps(self, registry: Any) -> None:
        """Register nothing."""


def plan_of(count: int, *more: BaseStep[Any]) -> Plan:
    """Return a plan of `count` steps that do nothing, and those."""
    registry = StepRegistry[BaseStepContext]()
    for step in (*(Nothing(f"step_{number}") for number in range(count)), *more):
        registry.register(step)
    plan: Plan = registry.compiled(plan_of_registry)
    return plan


def in_memory(count: int, folder: Path, watch: Watch) -> Run:
    """Run the steps; nobody listens."""
    return Orchestrator(plan_of(count), BaseStepContext(RuntimeContext())).execute


def with_progress(count: int, folder: Path, watch: Watch) -> Run:
    """Run the steps with a callback for the progress."""
    context = BaseStepContext(RuntimeContext())
    return Orchestrator(plan_of(count), context, lambda _current, _total: None).execute


def rollback(count: int, folder: Path, watch: Watch) -> Run:
    """Undo the steps when one more fails."""
    orchestrator = Orchestrator(plan_of(count, Fails(watch)), BaseStepContext(RuntimeContext()))

    def run() -> None:
        with suppress(RuntimeError):
            orchestrator.execute()

    return run


def durable(synchronous: Literal["full", "normal"]) -> Build:
    """Return what runs the steps with a journal."""

    def build(count: int, folder: Path, watch: Watch) -> Run:
        journal = SqliteJournal(folder / "runs.db", synchronous=synchronous)
        context = BaseStepContext(RuntimeContext())
        return Orchestrator(plan_of(count), context, journal=journal).execute

    return build


def leave(count: int, folder: Path, watch: Watch) -> Run:
    """Leave a run behind whose process died in its last step."""
    journal = SqliteJournal(folder / "runs.db")
    context = BaseStepContext(RuntimeContext())
    return Orchestrator(plan_of(count, Last(None)), context, journal=journal).execute


def resume(count: int, folder: Path, watch: Watch) -> Run:
    """Go on with that run."""
    plan = plan_of(count, Last(watch))

    def run() -> None:
        journal = SqliteJournal(folder / "runs.db")
        recorded = journal.read(1)
        action = GoesOn(None, packs=())
        about = about_action(action)
        Recovery(
            action=action, plan=plan, recorded=recorded, journal=journal, aim="resume", about=about
        ).run()

    return run


WAYS: dict[str, dict[str, Build]] = {
    "default": {
        "in-memory": in_memory,
        "rollback": rollback,
        "durable": durable("full"),
        "leave": leave,
        "resume": resume,
    },
    "progress": {"in-memory": with_progress},
    "normal": {"durable": durable("normal")},
}

if __name__ == "__main__":
    serve("handrail", WAYS[sys.argv.pop()])
