"""Steps with items, and a journal whose process is killed at one of its writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from item_work import WORLD, make, remove

from handrail import BaseStep, StepResult
from handrail.errors import HandrailError, LeaseLostError
from handrail.sqlite import SqliteJournal


class Mortal(SqliteJournal):
    """A journal whose process is killed before or after one of its writes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, synchronous="normal")
        self.left: float = float("inf")
        self.after = False
        self.writes = 0

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        return self._mortal(super().open_run(new, changes))

    def claim(self, number: int, *, take_over: bool = False) -> Any:
        return self._mortal(super().claim(number, take_over=take_over))

    def _mortal(self, owned: Any) -> Any:
        write = owned.write

        def written(changes: Any) -> None:
            self.writes += 1
            self.left -= 1
            if self.left == 0 and self.after:
                write(changes)
            if self.left <= 0:
                raise LeaseLostError("killed")
            write(changes)

        owned.write = written
        return owned


class Maps(BaseStep[Any]):
    """Works on items, and may have made something of its own before."""

    name = "work"
    progress_weight = 1.0

    def __init__(self, items: Sequence[int], own: bool = False, **options: Any) -> None:
        self.items = items
        self.own = own
        self.options = options

    def execute(self, context: Any) -> StepResult:
        if self.own:
            context.record_rollback("made", -1)
            WORLD.made[-1] += 1
        found = context.map_items(make, self.items, rollback=remove, **self.options)
        return StepResult(data={"done": found.count, "failed": found.failed})

    def rollback(self, context: Any, result: StepResult) -> None:
        for each in result.rollback_data.get("made", []):
            WORLD.made.pop(each, None)


def killed(journal: Mortal, at: int, work: Callable[[], object], *, after: bool = False) -> bool:
    """Do something in a process that dies at a write; return whether it came so far."""
    journal.left, journal.after = at, after
    try:
        work()
    except LeaseLostError:
        return True
    except HandrailError:
        if journal.left <= 0:
            return True
        raise
    finally:
        journal.left = float("inf")
    return False
