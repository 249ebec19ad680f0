# pyright: basic, reportMissingImports=false
"""TaskFlow: a linear flow in its serial engine; a logbook in memory, or in an SQLite file."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from protocol import Run, Watch, serve
from taskflow import engines, task
from taskflow.patterns import linear_flow
from taskflow.persistence import backends, models

BOOK, DETAIL = "0" * 31 + "1", "0" * 31 + "2"


class Nothing(task.Task):
    """Does nothing, so that all of the time is theirs."""

    def execute(self) -> None:
        """Do nothing."""

    def revert(self, *_: Any, **__: Any) -> None:
        """Do nothing."""


class Fails(task.Task):
    """Fails, which is when the time of the undo begins."""

    def __init__(self, watch: Watch) -> None:
        super().__init__("last")
        self.watch = watch

    def execute(self) -> None:
        """Fail."""
        self.watch.start()
        raise ConnectionError("on purpose")


class Last(task.Task):
    """Dies, or says that it was reached."""

    def __init__(self, watch: Watch | None) -> None:
        super().__init__("last")
        self.watch = watch

    def execute(self) -> None:
        """Tell the watch, if there is one."""
        if self.watch is None:
            os._exit(0)
        self.watch.stop()


def flow_of(count: int, *more: task.Task) -> linear_flow.Flow:
    """Return a flow of `count` tasks that do nothing, and those."""
    nothings = (Nothing(f"step_{number}") for number in range(count))
    return linear_flow.Flow("steps").add(*nothings, *more)


def prepared(engine: Any) -> Any:
    """Return the engine with all done that comes before the first task."""
    engine.compile()
    engine.prepare()
    engine.validate()
    return engine


def in_memory(count: int, folder: Path, watch: Watch) -> Run:
    """Run the tasks."""
    return prepared(engines.load(flow_of(count), engine="serial")).run


def rollback(count: int, folder: Path, watch: Watch) -> Run:
    """Revert the tasks when one more fails."""
    engine = prepared(engines.load(flow_of(count, Fails(watch)), engine="serial"))

    def run() -> None:
        with suppress(ConnectionError):
            engine.run()

    return run


def recorded(folder: Path, flow: linear_flow.Flow, *, new: bool = True) -> Any:
    """Return an engine whose logbook is in a file."""
    backend = backends.fetch({"connection": f"sqlite:///{folder / 'taskflow.db'}"})
    connection = backend.get_connection()
    if new:
        connection.upgrade()
        book = models.LogBook("steps", uuid=BOOK)
        book.add(models.FlowDetail("steps", uuid=DETAIL))
        connection.save_logbook(book)
    book = connection.get_logbook(BOOK)
    detail = book.find(DETAIL)
    engine = engines.load(flow, backend=backend, book=book, flow_detail=detail, engine="serial")
    return prepared(engine)


def durable(count: int, folder: Path, watch: Watch) -> Run:
    """Run the tasks; the state of each is in the file."""
    return recorded(folder, flow_of(count)).run


def leave(count: int, folder: Path, watch: Watch) -> Run:
    """Leave a run behind whose process died in its last task."""
    return recorded(folder, flow_of(count, Last(None))).run


def resume(count: int, folder: Path, watch: Watch) -> Run:
    """Go on with that run, from before the file is opened."""
    flow = flow_of(count, Last(watch))
    return lambda: recorded(folder, flow, new=False).run()


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    serve(
        "taskflow",
        {
            "in-memory": in_memory,
            "rollback": rollback,
            "durable": durable,
            "leave": leave,
            "resume": resume,
        },
    )
