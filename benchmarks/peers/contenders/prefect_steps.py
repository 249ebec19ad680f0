# pyright: basic, reportMissingImports=false
"""Prefect: a flow that calls tasks, and the local server that it starts; logging is off."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from protocol import Run, Watch, serve

# Read when prefect is imported; the server is a process of its own, with a database in there.
os.environ.update(
    PREFECT_HOME=sys.argv[3],
    PREFECT_LOGGING_LEVEL="CRITICAL",
    PREFECT_LOGGING_TO_API_ENABLED="false",
    PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="true",
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="60",
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
)

from prefect import flow, task
from prefect.cache_policies import INPUTS, NO_CACHE, TASK_SOURCE
from prefect.transactions import transaction

undone = 0


@task(cache_policy=NO_CACHE, persist_result=False)
def nothing() -> None:
    """Do nothing, so that all of the time is theirs."""


@nothing.on_rollback
def undo(_: Any) -> None:
    """Count that it was called."""
    global undone  # noqa: PLW0603
    undone += 1


@task(cache_policy=TASK_SOURCE + INPUTS, persist_result=True)
def kept(run: str, number: int) -> int:
    """Do nothing, and have that recorded."""
    return number


@task(cache_policy=NO_CACHE, persist_result=False)
def last(reached: Callable[[], None]) -> None:
    """Die, or say that this was reached."""
    reached()


@flow
def in_memory_flow(count: int) -> None:
    """Run that many tasks."""
    for _ in range(count):
        nothing()


@flow(validate_parameters=False)
def rollback_flow(count: int, watch: Watch) -> None:
    """Run that many tasks in a transaction, which fails."""
    try:
        with transaction():
            for _ in range(count):
                nothing()
            watch.start()
            raise ConnectionError("on purpose")
    finally:
        watch.stop()


@flow(validate_parameters=False)
def durable_flow(count: int, run: str, reached: Callable[[], None] | None) -> None:
    """Run that many tasks whose results are kept, and one more."""
    for number in range(count):
        kept(run, number)
    if reached is not None:
        last(reached)


def in_memory(count: int, folder: Path, watch: Watch) -> Run:
    """Run the tasks; no result is kept."""
    return lambda: in_memory_flow(count)


def rollback(count: int, folder: Path, watch: Watch) -> Run:
    """Undo the tasks when the flow fails."""

    def run() -> None:
        before = undone
        with suppress(ConnectionError):
            rollback_flow(count, watch)
        assert undone - before == count

    return run


def durable(count: int, folder: Path, watch: Watch) -> Run:
    """Run the tasks; each result is in a file of its own."""
    return lambda: durable_flow(count, str(folder), None)


def leave(count: int, folder: Path, watch: Watch) -> Run:
    """Leave a run behind whose process died in its last task."""
    return lambda: durable_flow(count, "left", lambda: os._exit(0))


def resume(count: int, folder: Path, watch: Watch) -> Run:
    """Call the flow again, which finds the results; the server is there already."""
    in_memory_flow(0)
    return lambda: durable_flow(count, "left", watch.stop)


if __name__ == "__main__":
    serve(
        "prefect",
        {
            "in-memory": in_memory,
            "rollback": rollback,
            "durable": durable,
            "leave": leave,
            "resume": resume,
        },
    )
