"""Steps with a given behaviour, and a journal that records its writes and can fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    StepResult,
)
from handrail.errors import JournalError, LeaseLostError
from handrail.journal.records import AttemptChange
from handrail.sqlite import SqliteJournal


class Does(BaseStep[Any]):
    """Calls the given function when it executes."""

    progress_weight = 0.1

    def __init__(self, name: str, work: Callable[[Any], Any] = lambda context: None, **told: Any):
        self.name = name
        self.work = work
        self.told = told
        self.always_run = told.get("always", False)
        self.undone: list[Any] = []

    def execute(self, context: Any) -> StepResult:
        made = self.work(context)
        return made if isinstance(made, StepResult) else StepResult()

    def rollback(self, context: Any, result: StepResult) -> None:
        self.undone.append(result.rollback_data)
        if self.told.get("stuck"):
            raise OSError("stuck")


class Asked(Does):
    """Calls the given function as its skip check."""

    def can_skip(self, context: Any) -> bool:
        return bool(self.told["asked"](context))


class AsyncDoes(Does):
    """Like `Does`, in a coroutine."""

    async def execute(self, context: Any) -> StepResult:
        await self.work(context)
        return StepResult()


@dataclass(kw_only=True)
class Context(BaseStepContext):
    """What the steps share."""

    seen: list[str] = field(default_factory=list)
    number: float = 0.0
    anything: Any = None


class Writes(SqliteJournal):
    """A journal that records its writes, and can fail."""

    fail: Callable[[Any], bool] = staticmethod(lambda change: False)
    error: type[JournalError] = JournalError

    def __init__(self, path: Any) -> None:
        super().__init__(path)
        self.commits: list[list[Any]] = []

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        self.commits.append(list(changes))
        owned = super().open_run(new, changes)
        write = owned.write

        def told(changes: Any) -> None:
            if any(map(self.fail, changes)):
                raise self.error("no room")
            self.commits.append(list(changes))
            write(changes)

        owned.write = told
        return owned


def play(journal: Any, *steps: Any, context: Any = None, **more: Any) -> Any:
    registry: Any = StepRegistry()
    for step in steps:
        registry.register(step)
    context = Context(RuntimeContext()) if context is None else context
    return Orchestrator(registry, context, journal=journal, **more).execute()


def flow(*steps: Any) -> Any:
    """Return an action with the given steps."""

    class Flow(BaseAction[Any]):
        action_name = "flow"
        context_class = Context

        def setup_steps(self, registry: Any) -> None:
            for step in steps:
                registry.register(step)

    return Flow


def flow_run(journal: Any, *steps: Any, **more: Any) -> Any:
    return flow(*steps)({}, packs=()).run(journal=journal, **more)


def interrupted(journal: Any, *steps: Any) -> None:
    """Leave an interrupted run whose last step may or may not have finished."""

    journal.fail = lambda change: (
        isinstance(change, AttemptChange) and change.step == "lost" and (change.state == "done")
    )
    journal.error = LeaseLostError
    with pytest.raises(LeaseLostError):
        flow_run(journal, *steps, Does("lost"))
