"""Several processes at the same runs: each run is finished once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from handrail import BaseAction, BaseStep, BaseStepContext, StepResult, resume
from handrail.errors import LeaseLostError, RunClosedError, RunHeldError
from handrail.sqlite import SqliteJournal

RUNS = 100
DYING = [False]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


class Params(BaseModel):
    """Where it happens."""

    file: Path


class Says(BaseStep[BaseStepContext]):
    """Adds a line to a file, in one write."""

    name = "says"
    progress_weight = 0.1

    def __init__(self, file: Path) -> None:
        self.file = file

    def execute(self, context: BaseStepContext) -> StepResult:
        if DYING[0]:
            raise LeaseLostError("as if killed")
        with self.file.open("a") as file:
            file.write("x")
        return StepResult()


class Ends(BaseStep[BaseStepContext]):
    """Always runs."""

    name = "ends"
    progress_weight = 0.1
    always_run = True

    def __init__(self, file: Path) -> None:
        self.file = file

    def execute(self, context: BaseStepContext) -> StepResult:
        with self.file.open("a") as file:
            file.write("e")
        return StepResult()


class Flow(BaseAction[Params]):
    """One line for each run."""

    action_name = "race"

    def setup_steps(self, registry: Any) -> None:
        registry.register(Says(self.params.file))
        registry.register(Ends(self.params.file))


def leave_behind(journal: Any, world: Path) -> None:
    """Leave runs behind that nobody owns, each with its step in doubt."""
    for number in range(RUNS):
        owned_by: list[Any] = []
        opened = journal.open_run

        def open_run(new: Any, changes: Any = ()) -> Any:
            owned = opened(new, changes)  # noqa: B023
            owned_by.append(owned)  # noqa: B023

            def write(changes: Any) -> None:
                raise LeaseLostError("as if killed")

            owned.write = write
            return owned

        journal.open_run = open_run
        with pytest.raises(LeaseLostError):
            Flow({"file": world / str(number)}, packs=()).run(journal=journal)
        journal.open_run = opened


def resume_all(path: Path, order: int) -> None:
    journal = SqliteJournal(path)
    for number in sorted(range(1, RUNS + 1), key=lambda number: number * order):
        try:
            resume(Flow, number, journal=journal, packs=())
        except (RunHeldError, RunClosedError):
            continue


def test_two_processes_that_resume_the_same_runs_finish_each_once(tmp_path, world, journal):
    DYING[0] = True
    leave_behind(journal, world)
    DYING[0] = False
    path = tmp_path / ".handrail" / "runs.db"
    children = []
    for order in (1, 1, -1):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                resume_all(path, order)
                code = 0
            finally:
                os._exit(code)
        children.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 3
    assert [row.outcome for row in journal.runs()] == ["completed"] * RUNS
    assert {(world / str(number)).read_text() for number in range(RUNS)} == {"xe"}
