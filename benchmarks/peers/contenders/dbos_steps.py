# pyright: basic, reportMissingImports=false
"""DBOS: a workflow of steps, and an SQLite file, as it makes it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from dbos import DBOS, DBOSConfig
from protocol import Run, Watch, serve

watching: Watch | None = None
reached = threading.Event()


@DBOS.step()
def nothing() -> None:
    """Do nothing, so that all of the time is theirs."""


@DBOS.step()
def last() -> None:
    """Die, or say that this was reached."""
    if watching is None:
        os._exit(0)
    watching.stop()
    reached.set()


@DBOS.workflow()
def workflow(count: int) -> None:
    """Run that many steps."""
    for _ in range(count):
        nothing()


@DBOS.workflow()
def interrupted(count: int) -> None:
    """Run that many steps, and one more."""
    for _ in range(count):
        nothing()
    last()


def configure(folder: Path) -> None:
    """Say where the file is."""
    config: DBOSConfig = {
        "name": "handrail-benchmark",
        "system_database_url": f"sqlite:///{folder / 'dbos.db'}",
        "application_version": "1",  # Whatever this file has become in the meantime.
        "console_log_level": "ERROR",
        "log_level": "ERROR",
    }
    DBOS(config=config)


launched: list[Path] = []


def durable(count: int, folder: Path, watch: Watch) -> Run:
    """Run the steps; the warm-up has launched it."""
    if not launched:
        launched.append(folder)
        configure(folder)
        DBOS.launch()
    return lambda: workflow(count)


def leave(count: int, folder: Path, watch: Watch) -> Run:
    """Leave a run behind whose process died in its last step."""
    configure(folder)
    DBOS.launch()
    return lambda: interrupted(count)


def resume(count: int, folder: Path, watch: Watch) -> Run:
    """Go on with that run, from before the launch, which finds it."""
    global watching  # noqa: PLW0603
    watching = watch
    configure(folder)

    def run() -> None:
        DBOS.launch()
        assert reached.wait(600)

    return run


if __name__ == "__main__":
    serve("dbos", {"durable": durable, "leave": leave, "resume": resume})
