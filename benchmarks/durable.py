"""What durability costs, in one run: `python benchmarks/durable.py`.

A step of a durable run beside one raw commit to SQLite with a write-ahead log, at the same
`synchronous`; and going on with a run of many finished steps beside reading its rows. The cases
take turns, and each figure is a median.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from handrail import BaseStep, BaseStepContext, Orchestrator, RuntimeContext, StepRegistry
from handrail import StepResult as Result
from handrail.journal.sqlite import SqliteJournal
from handrail.recovery.drift import drift
from handrail.recovery.position import fields_at, position_of

ROUNDS = 7
ROW = '{"success":true,"error":null,"skipped":false,"data":{},"rollback_data":{}}'


class Nothing(BaseStep[BaseStepContext]):
    """Does nothing, so that all of the time is ours."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: BaseStepContext) -> Result:
        """Return an empty result."""
        return Result()


def plan_of(count: int) -> Any:
    """Return a plan of `count` steps."""
    from handrail.plan.draft import plan_of_registry

    registry = StepRegistry[BaseStepContext]()
    for number in range(count):
        registry.register(Nothing(f"step_{number}"))
    return registry.compiled(plan_of_registry)


def raw(path: Path, synchronous: str, count: int) -> Callable[[], None]:
    """Return what makes `count` commits of two rows each."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, step TEXT, state TEXT, result TEXT)"
    )

    def body() -> None:
        for number in range(count):
            connection.execute("BEGIN IMMEDIATE")
            for state in ("done", "started"):
                values = (f"step_{number}", state, ROW)
                connection.execute("INSERT INTO t (step, state, result) VALUES (?, ?, ?)", values)
            connection.execute("COMMIT")

    return body


def timed(cases: dict[str, Callable[[], object]], count: int) -> dict[str, float]:
    """Return the median of each case, in microseconds a step."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            began = time.perf_counter()
            case()
            times[name].append((time.perf_counter() - began) / count * 1e6)
    return {name: statistics.median(each) for name, each in times.items()}


def show(title: str, found: dict[str, float]) -> None:
    """Print a table; the first case is what the others are compared to."""
    floor = next(iter(found.values()))
    print(f"\n{title}\n{'case':34}{'us a step':>12}{'x':>8}")
    for name, took in found.items():
        print(f"{name:34}{took:12.2f}{took / floor:8.2f}")


def steps(folder: Path, synchronous: Literal["full", "normal"], count: int) -> None:
    """Measure a run of `count` steps."""
    journal = SqliteJournal(folder / f"{synchronous}.db", synchronous=synchronous)
    orchestrator = Orchestrator(plan_of(count), BaseStepContext(RuntimeContext()), journal=journal)
    cases: dict[str, Callable[[], object]] = {
        "raw commit": raw(folder / f"raw-{synchronous}.db", synchronous, count),
        "durable step": orchestrator.execute,
    }
    show(f"{count} steps, synchronous={synchronous}", timed(cases, count))
    journal.close()


def going_on(folder: Path, count: int) -> None:
    """Measure finding where a run of `count` steps stands."""
    path = folder / "going_on.db"
    journal = SqliteJournal(path, synchronous="normal")
    plan = plan_of(count)
    Orchestrator(plan, BaseStepContext(RuntimeContext()), journal=journal).execute()
    connection = sqlite3.connect(path)

    def read() -> object:
        return connection.execute("SELECT * FROM attempt WHERE run = 1 ORDER BY id").fetchall()

    def place() -> None:
        recorded = journal.read(1)
        drift(recorded, plan)
        position_of(recorded, plan)
        fields_at(recorded.fields)

    show(
        f"going on after {count} steps",
        timed({"read raw": read, "read": lambda: journal.read(1), "read and placed": place}, count),
    )
    journal.close()


if __name__ == "__main__":
    # On a real disk: in memory, a sync costs nothing.
    base = sys.argv[1] if len(sys.argv) > 1 else "."
    with tempfile.TemporaryDirectory(dir=base) as name:
        steps(Path(name), "full", 300)
        steps(Path(name), "normal", 3000)
        going_on(Path(name), 10_000)
