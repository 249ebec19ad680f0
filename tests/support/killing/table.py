"""A workflow with one step of each kind, and ways to crash it, for the table of crashes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from handrail import BaseAction, BaseStep, BaseStepContext, StepResult, resume, rollback
from handrail.errors import (
    JournalError,
)
from handrail.sqlite import SqliteJournal
from killing.processes import in_child

TOLD: dict[str, Any] = {}
"""The events for the steps in this process: `die`, `fail`, `stuck`, `seal`, `at`."""


class Params(BaseModel):
    """The folder of the effects."""

    world: Path


@dataclass(kw_only=True)
class Context(BaseStepContext):
    """What the steps share."""

    world: Path


def at(instant: str) -> None:
    """Mark an instant in a step at which the process may die."""
    if TOLD.get("die") == instant:
        os.kill(os.getpid(), signal.SIGKILL)
    TOLD.get("at", {}).get(instant, lambda: None)()


class Makes(BaseStep[Context]):
    """Creates a file with the name of the step, and records its calls."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def say(self, context: Context, what: str) -> None:
        with (context.world / "calls").open("a") as file:
            file.write(f"{self.name} {what}\n")
        at(f"{self.name} {what.split(' ', maxsplit=1)[0]}")

    def execute(self, context: Context) -> StepResult:
        self.say(context, "begins")
        try:
            context.record_rollback("made", self.name)
        except JournalError:
            if not TOLD.get("swallow"):
                raise
            return StepResult()
        at(f"{self.name} recorded")
        path = context.world / self.name
        assert not path.exists(), f"{self.name} was made twice"
        path.touch()
        at(f"{self.name} made")
        if TOLD.get("fail") == self.name:
            raise ValueError("told to fail")
        return StepResult(rollback_data={"returned": [self.name]})

    def rollback(self, context: Context, result: StepResult) -> None:
        self.say(context, f"undo {','.join(sorted(result.rollback_data))}")
        if TOLD.get("stuck") == self.name:
            raise OSError("stuck")
        for name in result.rollback_data.get("made", ()):
            (context.world / name).unlink(missing_ok=True)


class Asks(Makes):
    """Has a skip check that returns False."""

    skips = False

    def can_skip(self, context: Context) -> bool:
        self.say(context, "asked")
        return self.skips


class Skips(Asks):
    """Has a skip check that returns True."""

    skips = True


class GoesOn(Asks):
    """Resumes where it was interrupted."""

    def resume(self, context: Context, result: StepResult) -> StepResult:
        self.say(context, "goes on")
        context.record_rollback("made", "more")
        at("more recorded")
        for name in (self.name, "more"):
            (context.world / name).touch()
        return StepResult()


class Closes(Makes):
    """Always runs."""

    always_run = True

    def execute(self, context: Context) -> StepResult:
        self.say(context, f"begins {context.outcome}")
        if TOLD.get("seal") and context.outcome == "completed":
            context.seal("told to")
            at("sealed")
        return StepResult()


class Flow(BaseAction[Params]):
    """One step of each kind."""

    action_name = "table"
    context_class = Context

    def setup_steps(self, registry: Any) -> None:
        for step in (Asks("a"), Skips("s"), Makes("k"), GoesOn("g"), Closes("close")):
            registry.register(step)


class Dying(SqliteJournal):
    """A journal whose process dies, or fails, at one write."""

    strike: Callable[[Any], bool]
    when = "before"

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        if TOLD.get("die") == "open":
            os.kill(os.getpid(), signal.SIGKILL)
        return self._struck(super().open_run(new, changes))

    def claim(self, number: int, *, take_over: bool = False) -> Any:
        return self._struck(super().claim(number, take_over=take_over))

    def _struck(self, owned: Any) -> Any:
        write = owned.write

        def struck(changes: Any) -> None:
            strikes = any(map(self.strike, changes))
            if strikes and self.when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            if strikes and self.when == "full":
                raise JournalError("the disk is full")
            write(changes)
            if strikes:
                os.kill(os.getpid(), signal.SIGKILL)

        owned.write = struck
        return owned


class Table:
    """A working folder and its journal."""

    def __init__(self, world: Path, journal: Any) -> None:
        self.world, self.journal = world, journal

    def die(
        self,
        instant: str = "",
        *,
        strike: Callable[[Any], bool] = lambda change: False,
        when: str = "before",
        work: Any = None,
        **told: Any,
    ) -> None:
        """Run the workflow in a process that dies at the given point."""

        def body() -> None:
            TOLD.update(told, die=instant)
            dying = Dying(self.world.parent / ".handrail" / "runs.db")
            dying.strike, dying.when = strike, when
            (work or self.run)(dying)

        assert in_child(body) == -signal.SIGKILL

    def run(self, journal: Any = None) -> Any:
        return Flow({"world": self.world}, packs=()).run(journal=journal or self.journal)

    def resume(self, journal: Any = None) -> Any:
        return resume(Flow, 1, journal=journal or self.journal, packs=())

    def rollback(self) -> Any:
        return rollback(Flow, 1, journal=self.journal, packs=())

    def calls(self, name: str) -> list[str]:
        lines = (self.world / "calls").read_text().splitlines()
        return [line.split(" ", 1)[1] for line in lines if line.split(" ")[0] == name]

    def attempts(self, name: str) -> list[tuple[int, str]]:
        return [(row.n, row.state) for row in self.journal.read(1).attempts if row.step == name]

    def left(self) -> set[str]:
        return {path.name for path in self.world.iterdir()} - {"calls", "theirs"}

    def finished(self, *more: str) -> None:
        assert self.resume()["success"]
        assert self.left() == {"a", "k", "g", *more}
        assert self.journal.runs()[0].outcome == "completed"

    def undone(self) -> None:
        assert self.rollback()["rolled_back"]
        assert self.left() == set()
        assert self.journal.runs()[0].outcome == "rolled_back"
        assert self.calls("close")[-1] == "begins rolled_back"
