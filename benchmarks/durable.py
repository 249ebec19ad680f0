"""What durability costs, in one run: `python benchmarks/durable.py [FOLDER]`.

A step of a durable run beside raw SQLite with the same settings, which commits the same two rows
for it: the end of one step, with its result as JSON, and the beginning of the next. Then going on
with a run of many finished steps beside reading its rows, and a large context that no step changes
beside encoding it. What others take for the same is measured by `peers/run.py`.

The cases take turns, and each figure is the median of its rounds. The files are in the folder that
is given, or the one it is called from: its disk is what is measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import going_on
from rounds import Cases, Took, nothings, plan_of, show

from handrail import BaseStepContext, Orchestrator, RuntimeContext
from handrail.builtin.sqlite.database import LOG_PAGES
from handrail.sqlite import SqliteJournal

ENTRIES = 100_000

Synchronous = Literal["full", "normal"]


@dataclass(kw_only=True)
class Large(BaseStepContext):
    """Holds much that no step changes."""

    entries: dict[str, int] = field(
        default_factory=lambda: {f"files/photo-{number}.png": number for number in range(ENTRIES)}
    )


def raw_connection(
    path: Path, synchronous: Synchronous, log_pages: int = 1000
) -> sqlite3.Connection:
    """Return a connection to a new file with the table of attempts.

    After `log_pages` pages SQLite brings its log into the file: 1000 unless it is told otherwise.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA mmap_size = 0")
    connection.execute(f"PRAGMA wal_autocheckpoint = {log_pages}")
    connection.execute(
        "CREATE TABLE attempt (id INTEGER PRIMARY KEY, run INTEGER, step TEXT, n INTEGER,"
        " state TEXT, data_version INTEGER, result TEXT, error TEXT, at TEXT,"
        " UNIQUE (run, step, n)) STRICT"
    )
    return connection


def a_result() -> dict[str, object]:
    """Return what there is to store of a step that does nothing."""
    now = datetime.now(UTC).isoformat()
    return {"success": True, "timestamp": now, "took": 0.0}


BEGIN = (
    "INSERT INTO attempt (run, step, n, state, data_version, at) VALUES (?, ?, 1, 'started', 1, ?)"
)
END = "UPDATE attempt SET state = 'done', result = ?, at = ? WHERE run = ? AND step = ? AND n = 1"
BOTH = """
    INSERT INTO attempt (run, step, n, state, data_version, result, at)
    VALUES (?, ?, 1, 'done', 1, ?, ?)
"""


def raw(connection: sqlite3.Connection, count: int, *, rows: int) -> Callable[[], None]:
    """Return what makes a commit for each step: of its end alone, or of the next beginning, too."""
    runs = iter(range(1, 1_000_000))

    def body() -> None:
        run = next(runs)
        execute = connection.execute
        if rows == 2:
            execute(BEGIN, (run, "step_0", ""))
        for number in range(count):
            result = a_result()
            text, now = json.dumps(result), result["timestamp"]
            execute("BEGIN IMMEDIATE")
            if rows == 2:
                execute(END, (text, now, run, f"step_{number}"))
                execute(BEGIN, (run, f"step_{number + 1}", now))
            else:
                execute(BOTH, (run, f"step_{number}", text, now))
            execute("COMMIT")

    return body


def timed(work: Callable[[], object]) -> Took:
    """Return what `work` took."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - clock, time.process_time() - cpu)


def steps(folder: Path, synchronous: Synchronous, count: int, rounds: int) -> None:
    """Measure a run of `count` steps, each in a new file: a log that grows costs more to sync."""
    plan, files = plan_of(*nothings(count)), itertools.count()
    pages = LOG_PAGES[synchronous]

    def ours() -> Took:
        journal = SqliteJournal(folder / f"{synchronous}-{next(files)}.db", synchronous=synchronous)
        orchestrator = Orchestrator(plan, BaseStepContext(RuntimeContext()), journal=journal)
        took = timed(orchestrator.execute)
        journal.close()
        return took

    def by_hand(rows: int, log_pages: int = 1000) -> Took:
        connection = raw_connection(
            folder / f"{synchronous}-{next(files)}.db", synchronous, log_pages
        )
        took = timed(raw(connection, count, rows=rows))
        connection.close()
        return took

    cases: Cases = {
        "raw, the two rows of a step": lambda: by_hand(2),
        "raw, one row": lambda: by_hand(1),
        f"raw, two rows, {pages} pages of log": lambda: by_hand(2, pages),
        "durable step": ours,
    }
    show(f"{count} steps, synchronous={synchronous}", cases, count, rounds)


def context(folder: Path, count: int, rounds: int) -> None:
    """Measure a run of `count` steps with a large context that they leave as it is."""
    journal = SqliteJournal(folder / "context.db", synchronous="normal")
    plan, large = plan_of(*nothings(count)), Large(runtime_ctx=RuntimeContext())
    orchestrator = Orchestrator(plan, large, journal=journal)

    def dumps() -> None:
        for _ in range(count + 1):  # The opening of the run is a boundary, too.
            json.dumps(large.entries)

    def execute() -> None:
        orchestrator.execute()

    cases: Cases = {"json.dumps of the context": dumps, "durable step": execute}
    show(f"{ENTRIES} entries that no step changes", cases, count, rounds)
    journal.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default=".", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    # On a real disk: in memory, a sync costs nothing.
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="benchmark-") as made:
        where = Path(made)
        # What goes on is a process that has just begun, and has nothing else to look through.
        going_on.measure(where, 10_000, 15)
        steps(where, "full", 1000, 9)
        steps(where, "normal", 3000, 15)
        context(where, 20, 7)
