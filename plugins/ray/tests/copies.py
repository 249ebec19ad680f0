"""A workflow of many items, for a test: each makes a file, and some kill what works on them."""

from __future__ import annotations

import os
import signal
import time
import tracemalloc
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, SecretStr

from handrail import BaseStep, FromEnv, StepResult, action
from handrail_ray import executor
from handrail_workers import ItemContext

ITEMS = 400


def once(name: str) -> bool:
    """Return True for the first one that asks."""
    try:
        Path(name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def make(item: int, item_context: ItemContext) -> int:
    path = Path("made", str(item))
    item_context.record_rollback("file", str(path))
    # Fails if another attempt was not undone, or is at it, too.
    with path.open("x") as file:
        file.write(str(os.getpid()))
    if item in item_context.shared["kill_worker_at"] and once(f"worker-{item}"):
        os.kill(os.getpid(), signal.SIGKILL)
    if item in item_context.shared["kill_run_at"] and once(f"run-{item}"):
        os.kill(int(Path("run").read_text()), signal.SIGKILL)
        # An orphan: it goes on until it notices, or is ended.
        time.sleep(3600)
    if item in item_context.shared["stop_at"] and once(f"stop-{item}"):
        Path("stopped").write_text(str(os.getpid()))
        os.kill(os.getpid(), signal.SIGSTOP)
        Path("made", str(item + 1)).touch(exist_ok=False)  # Not any more.
    if item in item_context.shared["wait_at"] and once(f"wait-{item}"):
        while not Path("go").exists():
            time.sleep(0.05)
    return item


def remove(item: int, item_context: ItemContext, data: dict[str, list[Any]]) -> None:
    if item in item_context.shared["hold_undo_at"] and once(f"undo-{item}"):
        time.sleep(3600)
    for path in data.get("file", []):
        Path(path).unlink(missing_ok=True)


class Copy(BaseStep):
    name = "copy"
    progress_weight = 1.0

    def execute(self, context: Any) -> StepResult:
        if silent := os.environ.get("SILENT_AFTER"):
            executor.BEAT, executor.SILENT = 0.5, float(silent)
            executor.PATIENCE = executor.SILENT * 0.75
        Path("made").mkdir(exist_ok=True)
        Path("run").write_text(str(os.getpid()))
        shared = {
            name: [int(each) for each in os.environ.get(name.upper(), "").split()]
            for name in ("kill_worker_at", "kill_run_at", "stop_at", "wait_at", "hold_undo_at")
        }
        done = context.map_items(make, range(ITEMS), rollback=remove, shared=shared, chunk=10)
        assert [result for _, result in done] == list(range(ITEMS))
        return StepResult(data={"done": done.count})


copies = action("copies", [Copy()])


class Params(BaseModel):
    token: Annotated[SecretStr, FromEnv("ACME_TOKEN")]


def sign(item: int, item_context: ItemContext) -> str:
    """Let the secret of the worker into all that the journal keeps of an item."""
    token = os.environ["ACME_TOKEN"]
    item_context.record_rollback("made", {"by": [token], "key": f"of-{token}"})
    item_context.log("signed", {"with": token})
    if item:
        raise ValueError(f"{token} has expired")
    return token


class Sign(BaseStep):
    name = "sign"
    progress_weight = 1.0

    def execute(self, context: Any) -> StepResult:
        context.map_items(sign, range(2), rollback=remove_none, max_failed=1)
        return StepResult()


class Counted(BaseModel):
    count: int


class Count(BaseStep):
    name = "count"
    progress_weight = 1.0

    def execute(self, context: Any) -> StepResult:
        tracemalloc.start()
        items = range(context.options.count)
        done = context.map_items(nothing, items, rollback=remove_none, chunk=1000)
        Path("peak").write_text(str(tracemalloc.get_traced_memory()[1]))
        return StepResult(data={"done": done.count})


def nothing(item: int, item_context: ItemContext) -> None:
    """Do nothing."""


def remove_none(item: int, item_context: ItemContext, data: dict[str, list[Any]]) -> None:
    """Undo nothing."""


signed = action("signed", [Sign()], params=Params)
counted = action("counted", [Count()], params=Counted)
