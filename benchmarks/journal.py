"""What a durable write costs beside raw sqlite3, in one run: `python benchmarks/journal.py`.

Raw is the least that does the same: the same row, or rows, into a table with the same columns, in
one commit of one connection, with the same settings. Each case is timed in turn, round after round;
the table has the median of each, in microseconds, and its ratio to raw. The files are in
the folder that is given, or the one it is called from: its disk is what is measured.
"""

from __future__ import annotations

import itertools
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

from handrail.journal import AttemptChange, FieldRow, NewRun, NoteRow, OwnedRun
from handrail.sqlite import SqliteJournal

ROUNDS = 1000
BATCH = 256
THREADS = 8
PLAN = '{"steps": ["scan", "copy", "archive"]}'
LONG_PLAN = "x" * 2_000_000  # As of ten thousand steps.
VALUES = '["files/a/photo.png"]'

Synchronous = Literal["full", "normal"]


def raw_connection(path: Path, synchronous: str) -> sqlite3.Connection:
    """Return a connection to a new file with one table."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(
        "CREATE TABLE note (id INTEGER PRIMARY KEY, run INTEGER, step TEXT, n INTEGER,"
        ' seq INTEGER, key TEXT, "values" TEXT, UNIQUE (run, step, n, seq)) STRICT'
    )
    return connection


def raw_commit(connection: sqlite3.Connection, numbers: list[int]) -> None:
    """Commit a row for each number."""
    statement = 'INSERT INTO note (run, step, n, seq, key, "values") VALUES (?, ?, ?, ?, ?, ?)'
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(statement, [(1, "copy", 1, n, "made", VALUES) for n in numbers])
    connection.execute("COMMIT")


def open_run(path: Path, synchronous: Synchronous, plan: str = PLAN) -> OwnedRun:
    """Return a run in a journal of its own."""
    return SqliteJournal(path, synchronous=synchronous).open_run(
        NewRun(
            uid=str(uuid.uuid4()),
            action="benchmark",
            plan=plan,
            params="{}",
            packs="{}",
            cwd="/work",
            core_version="0.1.0",
            opened="2026-11-25T03:30:00.000Z",
        )
    )


def note(seq: int, values: str = VALUES) -> NoteRow:
    """Return a note with that number."""
    return NoteRow(step="copy", n=1, seq=seq, key="made", values=values)


class Case(NamedTuple):
    """What is measured, and as how many raw commits of which kind it counts."""

    run: Callable[[], object]
    raw: str
    commits: int = 1


def cases(folder: Path, synchronous: Synchronous) -> dict[str, Case]:
    """Return what is measured, by name."""
    numbers = itertools.count(1)
    raw = raw_connection(folder / "raw.db", synchronous)
    run = open_run(folder / "runs.db", synchronous)
    long = open_run(folder / "long.db", synchronous, LONG_PLAN)
    keys = "[" + ", ".join([VALUES[1:-1]] * BATCH) + "]"
    pool = ThreadPoolExecutor(THREADS)

    def some(count: int) -> list[int]:
        return list(itertools.islice(numbers, count))

    def write_one(number: int) -> None:
        run.write([note(number)])

    def boundary(number: int, *more: FieldRow) -> None:
        run.write(
            [
                AttemptChange(step=f"step {number}", n=1, state="done", result='{"success": true}'),
                *more,
                AttemptChange(step=f"step {number + 1}", n=1, state="started"),
            ]
        )

    def boundary_with_field() -> None:
        number = next(numbers)
        boundary(number, FieldRow(boundary=number, name="photos", value="[1, 2, 3]"))

    one, many = "raw, 1 row", f"raw, {BATCH} rows"
    return {
        one: Case(lambda: raw_commit(raw, some(1)), one),
        "1 note": Case(lambda: write_one(next(numbers)), one),
        "1 note, plan of 2 MB": Case(lambda: long.write([note(next(numbers))]), one),
        "boundary: done, started": Case(lambda: boundary(next(numbers)), one),
        "boundary: done, a field, started": Case(boundary_with_field, one),
        f"1 note of {BATCH} values": Case(lambda: run.write([note(next(numbers), keys)]), one),
        f"{THREADS} notes from {THREADS} threads": Case(
            lambda: list(pool.map(write_one, some(THREADS))), one, THREADS
        ),
        many: Case(lambda: raw_commit(raw, some(BATCH)), many),
        f"{BATCH} notes": Case(lambda: run.write([note(n) for n in some(BATCH)]), many),
    }


def measure(folder: Path, synchronous: Synchronous) -> None:
    """Print the table for one setting."""
    found = cases(folder, synchronous)
    times: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(ROUNDS):
        for name, case in found.items():
            began = time.perf_counter()
            case.run()
            times[name].append((time.perf_counter() - began) * 1e6)
    middle = {name: statistics.median(taken) for name, taken in times.items()}
    print(f"\nsynchronous = {synchronous}, SQLite {sqlite3.sqlite_version}")
    print(f"{'written':36}{'us':>8}{'x raw':>8}")
    for name, case in found.items():
        ratio = middle[name] / middle[case.raw] / case.commits
        print(f"{name:36}{middle[name]:8.0f}{ratio:8.2f}")


if __name__ == "__main__":
    where = sys.argv[1] if len(sys.argv) > 1 else "."
    settings: tuple[Synchronous, ...] = ("full", "normal")
    for setting in settings:
        with tempfile.TemporaryDirectory(dir=where, prefix="benchmark-") as made:
            measure(Path(made), setting)
