"""Going on with a run of many finished steps, beside reading its rows; `durable.py` calls this."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from pathlib import Path
from typing import Any, Literal

from rounds import Cases, Took, nothings, plan_of, show

from handrail import BaseAction, BaseStep, BaseStepContext, Orchestrator, RuntimeContext, StepResult
from handrail.actions import about_action
from handrail.plan.plan import Plan
from handrail.recovery import recorded as recorded_plan
from handrail.recovery.resume_run import Recovery
from handrail.sqlite import SqliteJournal

NAME = "runs.db"
ROWS = """
    SELECT step, n, state, data_version, result, error, at FROM attempt WHERE run = 1 ORDER BY id
"""


class Last(BaseStep[BaseStepContext]):
    """Dies where it is told to, else tells when it was reached."""

    name = "last"
    progress_weight = 0.1

    def __init__(self) -> None:
        self.dies = False
        self.reached = Took(0.0, 0.0)

    def execute(self, context: BaseStepContext) -> StepResult:
        """Note the time."""
        if self.dies:
            os._exit(0)
        self.reached = Took(time.perf_counter(), time.process_time())
        return StepResult()


class GoesOn(BaseAction[Any]):
    """The action of the run; its plan is made once, as planning is not what is measured."""

    action_name = "registry"

    def setup_steps(self, registry: Any) -> None:
        """Register nothing: the plan is given."""


def leave(folder: Path, plan: Plan, last: Last, synchronous: Literal["full", "normal"]) -> None:
    """Leave a run behind whose process died in its last step."""
    child = os.fork()
    if child == 0:
        last.dies = True
        journal = SqliteJournal(folder / NAME, synchronous=synchronous)
        Orchestrator(plan, BaseStepContext(RuntimeContext()), journal=journal).execute()
    os.waitpid(child, 0)
    connection = sqlite3.connect(folder / NAME)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def resume(left: Path, plan: Plan, last: Last, synchronous: Literal["full", "normal"]) -> Took:
    """Go on with that run at its place; return what it took until its last step was reached."""
    place = left.with_name("runs")
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(left, place)
    action = GoesOn(None, packs=())
    # As in a process that has neither read a plan nor named one before.
    recorded_plan._decoded.cache_clear()
    plan.__dict__.pop("fingerprint", None)
    clock, cpu = time.perf_counter(), time.process_time()
    journal = SqliteJournal(place / NAME, synchronous=synchronous)
    about = about_action(action)
    recorded = journal.read(1)
    Recovery(
        action=action, plan=plan, recorded=recorded, journal=journal, aim="resume", about=about
    ).run()
    journal.close()
    return Took(last.reached.clock - clock, (last.reached.cpu or 0.0) - cpu)


def measure(folder: Path, count: int, rounds: int) -> None:
    """Measure going on after `count` steps, up to where the next one is executed."""
    place, left, last = folder / "runs", folder / "left", Last()
    place.mkdir()
    plan = plan_of(*nothings(count), last)
    leave(place, plan, last, "normal")
    # A copy is no journal that could be gone on with while its original is there.
    place.rename(left)
    connection = sqlite3.connect(left / NAME)

    def rows() -> None:
        for row in connection.execute(ROWS).fetchall():
            if row[4] is not None:
                json.loads(row[4])

    def rows_and_plan() -> None:
        (text,) = connection.execute("SELECT plan FROM plan WHERE run = 1").fetchone()
        json.loads(text)
        rows()

    cases: Cases = {
        "raw: rows read, results decoded": rows,
        "raw: the plan read and decoded, too": rows_and_plan,
        "resumed, up to the next step": lambda: resume(left, plan, last, "normal"),
    }
    show(f"going on after {count} steps", cases, count, rounds)
    connection.close()
