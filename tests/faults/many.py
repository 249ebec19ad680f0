"""A workflow of many items whose effects are files, which are made so that a double one shows."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from handrail import ActionContext, BaseStep, StepResult, action

NOTED = 10  # Every tenth item records what it makes.


class Params(BaseModel):
    """How many items there are, and how many are in a chunk."""

    count: int
    chunk: int


def strike(point: str, item: int) -> None:
    """Kill whom a file in `due` names: this worker, or the driver; once, as it is removed first."""
    due = Path("due", f"{point}-{item}")
    try:
        whom = due.read_text()
    except FileNotFoundError:
        return
    due.rename(Path("struck", due.name))
    os.kill(os.getpid() if whom == "worker" else int(os.environ["DRIVER"]), signal.SIGKILL)


def make(item: int, item_context: Any) -> int:
    """Make the file of an item, which must not be there."""
    strike("begun", item)
    if item % NOTED == 0:
        item_context.record_rollback("made", f"world/{item}")
        strike("noted", item)
    os.close(os.open(f"world/{item}", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    strike("made", item)
    return item


def remove(item: int, _item_context: Any, data: dict[str, Any]) -> None:
    """Remove the file of an item, if there is one: by what it recorded, for those that record."""
    strike("undoing", item)
    for path in data.get("made", []) if item % NOTED == 0 else [f"world/{item}"]:
        with suppress(FileNotFoundError):
            os.unlink(path)
    strike("undone", item)


class Makes(BaseStep[ActionContext[Params]]):
    """Makes a file for each item."""

    name = "make"
    progress_weight = 1.0

    def execute(self, context: ActionContext[Params]) -> StepResult:
        given = context.options
        done = context.map_items(make, range(given.count), rollback=remove, chunk=given.chunk)
        if [(item, item) for item in range(given.count)] != list(done):
            raise AssertionError("items are missing, doubled, or in another order")
        return StepResult(data={"done": done.count})


many = action("many", [Makes()], params=Params)
