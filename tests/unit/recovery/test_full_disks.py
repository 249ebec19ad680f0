"""A disk that is really full at each write of a run; its steps swallow what they are told."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from handrail import BaseAction, BaseStep, BaseStepContext, StepResult, resume, rollback
from handrail.errors import JournalError
from handrail.sqlite import SqliteJournal

WORLD: set[str] = set()


class Makes(BaseStep[BaseStepContext]):
    """Makes something, unless it could not record that; then it says that all is well."""

    progress_weight = 0.1

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: BaseStepContext) -> StepResult:
        for number in range(2):
            try:
                context.record_rollback("made", f"{self.name}-{number}" + "x" * 3000)
            except JournalError:
                continue
            assert f"{self.name}-{number}" not in WORLD
            WORLD.add(f"{self.name}-{number}")
        return StepResult(data={"much": "x" * 3000})

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        for name in result.rollback_data.get("made", ()):
            WORLD.discard(name.rstrip("x"))


class Closes(Makes):
    """Always runs."""

    always_run = True

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


class Flow(BaseAction[Any]):
    """Three steps."""

    action_name = "full"

    def setup_steps(self, registry: Any) -> None:
        for step in (Makes("a"), Makes("b"), Makes("c"), Closes("close")):
            registry.register(step)


class Filling(SqliteJournal):
    """Fills its disk before its write number `at`."""

    at = 0

    def open_run(self, new: Any, changes: Any = ()) -> Any:
        return self._filling(super().open_run(new, changes))

    def claim(self, number: int, *, take_over: bool = False) -> Any:
        return self._filling(super().claim(number, take_over=take_over))

    def _filling(self, owned: Any) -> Any:
        write, left = owned.write, [self.at]

        def filling(changes: Any) -> None:
            left[0] -= 1
            if left[0] == 0:
                fill(Path(self.shown).parent)
            write(changes)

        owned.write = filling
        return owned


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (65536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)
        os.fsync(file.fileno())


WRITES = 12  # Two for each record of three steps, one for each end, and those of what closes.


def go_on(folder: Path, way: str) -> None:
    """Finish it or undo it, with room on the disk."""
    journal = SqliteJournal(folder / "runs.db")
    if way == "resume":
        assert resume(Flow, 1, journal=journal, packs=())["success"]
        assert {f"{name}-{number}" for name in "abc" for number in range(2)} == WORLD
    else:
        assert rollback(Flow, 1, journal=journal, packs=())["rolled_back"]
        assert set() == WORLD
    journal.close()


@pytest.mark.parametrize("way", ["resume", "rollback"])
@pytest.mark.parametrize("at", range(1, WRITES + 1))
def test_whatever_write_finds_the_disk_full_the_run_can_go_on(small_disk, at, way):
    """Nothing is undone; with room again all can be finished, or undone."""
    WORLD.clear()
    folder = small_disk(2)
    journal = Filling(folder / "runs.db")
    journal.at = at
    with pytest.raises(JournalError, match="full"):
        Flow({}, packs=()).run(journal=journal)
    (folder / "ballast").unlink()
    over = {row.step for row in journal.read(1).attempts if row.state == "done"} - {"close"}
    assert {name.split("-")[0] for name in WORLD} >= over
    assert journal.runs()[0].outcome is None
    journal.close()
    go_on(folder, way)


@pytest.mark.parametrize(("first", "way"), [(resume, "resume"), (rollback, "rollback")])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_disk_that_is_full_again_while_it_goes_on_only_puts_that_off(small_disk, first, way, at):
    """It may be tried as often as it takes."""
    WORLD.clear()
    folder = small_disk(2)
    for write, work in (
        (6, Flow({}, packs=()).run),
        (at, partial(first, Flow, 1, packs=())),
    ):
        journal = Filling(folder / "runs.db")
        journal.at = write
        with pytest.raises(JournalError, match="full"):
            work(journal=journal)
        assert journal.runs()[0].outcome is None
        journal.close()
        (folder / "ballast").unlink()
    go_on(folder, way)
