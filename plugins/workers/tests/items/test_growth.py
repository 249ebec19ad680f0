"""What items cost: memory that does not grow with their number, and few writes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inline_executor import Log
from item_runs import Mortal
from item_work import World, plain
from killing.told import Does, flow

from handrail import BaseStep, StepFailedError, StepResult


class Streams(BaseStep[Any]):
    """Works on items that nobody holds."""

    name = "work"
    progress_weight = 1.0

    def __init__(self, count: int, **options: Any) -> None:
        self.count = count
        self.options = options

    def execute(self, context: Any) -> StepResult:
        found = context.map_items(nothing, self.items(), rollback=no_undo, chunk=10)
        return StepResult(data={"done": sum(1 for _ in found)})

    def items(self) -> Iterator[dict[str, Any]]:
        for number in range(self.count):
            yield {"number": number, "text": "x" * 200}


def nothing(item: Any, context: Any) -> Any:
    return {"number": item["number"]}


def no_undo(item: Any, context: Any, data: Any) -> None:
    """Undo nothing."""


def peak(count: int, path: Path, log: Log) -> int:
    """Return how much memory a run with so many items takes, forward and back."""
    journal = Mortal(path / f"{count}.db")
    fails = Does("bad", lambda context: StepResult(success=False, error="told to"))
    log.keeps = False
    gc.collect()
    tracemalloc.start()
    try:
        with pytest.raises(StepFailedError, match="told to"):
            flow(Streams(count), fails)({}, packs=()).run(journal=journal)
        _, found = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        journal.close()
    return found


def test_memory_does_not_grow_with_the_items(tmp_path: Path, log: Log, world: World) -> None:
    """Ten times the items take no more, forward, in the results, and back."""
    peak(300, tmp_path, log)
    small, large = peak(400, tmp_path, log), peak(2_400, tmp_path, log)
    assert large < 1.3 * small


def test_chunks_share_commits(tmp_path: Path, log: Log, world: World) -> None:
    """Chunks that end and begin are one write, many of them if they are short."""

    class Plain(Streams):
        def execute(self, context: Any) -> StepResult:
            context.map_items(plain, range(self.count), chunk=10)
            return StepResult()

    def writes(count: int) -> int:
        journal = Mortal(tmp_path / f"{count}.db")
        flow(Plain(count))({}, packs=()).run(journal=journal)
        journal.close()
        return journal.writes

    assert writes(2000) - writes(1000) < 25
