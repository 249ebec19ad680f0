"""The floors: what the same work costs when it is written by hand for this one purpose."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from protocol import Build, Run, Watch, serve

RESULT = {"success": True}


class Nothing:
    """Does nothing."""

    weight = 1

    def __init__(self, name: str) -> None:
        self.name = name

    def can_skip(self, context: list[Any]) -> bool:
        """Never."""
        return False

    def execute(self, context: list[Any]) -> dict[str, bool]:
        """Return the one result there is."""
        return RESULT

    def undo(self, context: list[Any], result: object) -> None:
        """Do nothing."""


def nothings(count: int) -> list[Nothing]:
    """Return that many steps."""
    return [Nothing(f"step_{number}") for number in range(count)]


def loop(count: int, folder: Path, watch: Watch) -> Run:
    """Call each step."""
    steps = nothings(count)

    def run() -> None:
        context: list[Any] = []
        for step in steps:
            step.execute(context)

    return run


def lean(count: int, folder: Path, watch: Watch) -> Run:
    """Call each step with what an orchestrator does around it, prepared as far as that goes."""
    weight = sum(step.weight for step in nothings(count))
    done = 0
    prepared: list[tuple[Nothing, Callable[[Any], bool], Callable[[Any], Any], int]] = []
    for step in nothings(count):
        done += step.weight
        prepared.append((step, step.can_skip, step.execute, 100 * done // weight))

    def run() -> list[Any]:
        context: list[Any] = []
        results: list[Any] = []
        percent, clock = 0, time.perf_counter
        began = clock()
        for step, can_skip, execute, reached in prepared:
            try:
                if can_skip(context):
                    continue
                result = execute(context)
            except Exception:  # noqa: BLE001
                break
            ended = clock()
            results.append((step, result, began, ended))
            began = ended
            if reached > percent:
                percent = reached
        return results

    return run


def guarded(count: int, folder: Path, watch: Watch) -> Run:
    """Undo each step, the last first, and go on where that fails."""
    steps = nothings(count)

    def run() -> None:
        context: list[Any] = []
        for step in reversed(steps):
            try:  # noqa: SIM105 - a context manager costs more than what is measured
                step.undo(context, RESULT)
            except Exception:  # noqa: BLE001
                pass

    return run


TABLE = """
    CREATE TABLE step (
        id INTEGER PRIMARY KEY, name TEXT, state TEXT, result TEXT, at TEXT, UNIQUE (name)
    ) STRICT
"""
BEGIN = "INSERT INTO step (name, state, at) VALUES (?, 'started', ?)"
END = "UPDATE step SET state = 'done', result = ?, at = ? WHERE name = ?"


def commits(*settings: str) -> Build:
    """Return what commits, for each step, its result and the beginning of the next."""

    def build(count: int, folder: Path, watch: Watch) -> Run:
        connection = sqlite3.connect(folder / "steps.db", isolation_level=None)
        for setting in settings:
            connection.execute(f"PRAGMA {setting}")
        connection.execute(TABLE)
        steps = nothings(count)

        def run() -> None:
            execute, context = connection.execute, list[Any]()
            execute(BEGIN, ("step_0", datetime.now(UTC).isoformat()))
            for number, step in enumerate(steps):
                text, now = json.dumps(step.execute(context)), datetime.now(UTC).isoformat()
                execute("BEGIN IMMEDIATE")
                execute(END, (text, now, step.name))
                execute(BEGIN, (f"step_{number + 1}", now))
                execute("COMMIT")

        return run

    return build


def left(count: int, folder: Path, watch: Watch) -> Run:
    """Do all steps, and die."""
    run = commits("journal_mode = WAL", "synchronous = FULL")(count, folder, watch)

    def dies() -> None:
        run()
        os._exit(0)

    return dies


def read(count: int, folder: Path, watch: Watch) -> Run:
    """Read what is done, and go on with the last step."""

    def run() -> None:
        connection = sqlite3.connect(folder / "steps.db")
        rows = connection.execute("SELECT name, state, result FROM step ORDER BY id").fetchall()
        results = {name: json.loads(result) for name, state, result in rows if state == "done"}
        assert len(results) == count

    return run


FLOORS: dict[str, dict[str, Callable[[int, Path, Watch], Run]]] = {
    "loop": {"in-memory": loop, "rollback": guarded},
    "lean": {"in-memory": lean},
    "wal-full": {
        "durable": commits("journal_mode = WAL", "synchronous = FULL"),
        "leave": left,
        "resume": read,
    },
    "wal-normal": {"durable": commits("journal_mode = WAL", "synchronous = NORMAL")},
    "sqlite-as-it-comes": {"durable": commits()},
}

if __name__ == "__main__":
    serve("", FLOORS[sys.argv.pop()])
