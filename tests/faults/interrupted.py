"""Workflows for test_interrupts.py: what is interrupted works with threads, locks and processes."""

import asyncio
import logging
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from handrail import BaseStep, BaseStepContext, StepResult, action, parallel

MANY = 30


class Makes(BaseStep[Any]):
    progress_weight = 1.0

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: BaseStepContext) -> Any:
        for number in range(MANY):
            context.record_rollback("made", f"{self.name}-{number}.made")
            Path(f"{self.name}-{number}.made").touch()
            context.set_progress(number, MANY)
        return StepResult()

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        for name in result.rollback_data.get("made", []):
            Path(name).unlink(missing_ok=True)


class AsyncMakes(Makes):
    async def execute(self, context: BaseStepContext) -> StepResult:
        for number in range(MANY):
            await context.arecord_rollback("made", f"{self.name}-{number}.made")
            Path(f"{self.name}-{number}.made").touch()  # noqa: ASYNC240 - it is quick
            await asyncio.sleep(0)
        return StepResult()


class Threads(Makes):
    """Hands its work to threads, in all the ways that Python has."""

    def execute(self, context: BaseStepContext) -> StepResult:
        record, done = context.record_rollback, queue.Queue[int](2)

        def make(number: int) -> int:
            record("made", f"{self.name}-{number}.made")
            Path(f"{self.name}-{number}.made").touch()
            logging.getLogger("threads").info("made %s", number)
            return number

        with ThreadPoolExecutor(4) as pool:
            for future in as_completed([pool.submit(make, number) for number in range(MANY)]):
                future.result()
        for _ in range(MANY):
            thread = threading.Thread(target=done.put, args=(1,), daemon=True)
            thread.start()
            done.get()
            thread.join()
        return StepResult()


def make_item(item: int, context: Any) -> None:
    context.record_rollback("made", item)
    Path(f"item-{item}.made").touch()


def remove_item(item: int, context: Any, data: Mapping[str, Any]) -> None:
    Path(f"item-{item}.made").unlink(missing_ok=True)


class Items(Makes):
    def execute(self, context: BaseStepContext) -> StepResult:
        context.map_items(make_item, range(MANY), rollback=remove_item, executor=self.name)
        return StepResult()


threads = action("threads", [Makes("first"), Threads("second"), Makes("third")])
items = action("items", [Makes("first"), Items("threads:4"), Items("processes:2")])
group = action(
    "group",
    [
        Makes("first"),
        parallel(
            "side",
            [
                [Makes("a0"), AsyncMakes("a1")],
                [AsyncMakes("b0"), Makes("b1")],
                [Threads("c0"), Makes("c1")],
                [Makes("d0"), Threads("d1")],
            ],
        ),
        Makes("last"),
    ],
)
