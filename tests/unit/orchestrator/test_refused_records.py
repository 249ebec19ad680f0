"""A step of a lane whose first record is refused, as another lane has failed: it is undone."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from killing.processes import in_child

from handrail import (
    BaseAction,
    BaseStep,
    Limits,
    Run,
    StepFailedError,
    StepResult,
    StepWrapper,
    Undo,
    parallel,
    resume,
    rollback,
)
from handrail.engine.line import Line
from handrail.sqlite import SqliteJournal

cancelled = threading.Event()


@pytest.fixture(autouse=True)
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Know when the steps that run are told to end."""
    usual = Line.cancel

    def cancel(line: Line, why: str) -> None:
        usual(line, why)
        cancelled.set()

    monkeypatch.setattr(Line, "cancel", cancel)
    cancelled.clear()
    yield
    cancelled.set()


class Fails(BaseStep[Any]):
    """Fails once the other one has begun."""

    name = "fails"
    progress_weight = 1.0
    effects = False

    def __init__(self, world: World) -> None:
        self.world = world

    def execute(self, context: Any) -> StepResult:
        assert self.world.entered.wait(60)
        raise ValueError("told to fail")


class Records(BaseStep[Any]):
    """Records for the first time when it has to end already."""

    name = "records"
    progress_weight = 1.0

    def __init__(self, world: World) -> None:
        self.world = world

    def execute(self, context: Any) -> Any:
        self.world.enters()
        if not self.world.again:
            assert cancelled.wait(60)
        try:
            context.record_rollback("made", 1)
        except BaseException:
            if self.world.dies:
                os.kill(os.getpid(), signal.SIGKILL)
            raise
        return StepResult()

    def rollback(self, context: Any, result: StepResult) -> None:
        self.world.tell("undone")


class AsyncRecords(Records):
    async def execute(self, context: Any) -> Any:
        self.world.enters()
        while not cancelled.is_set():
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                break
        await context.arecord_rollback("made", 1)
        return StepResult()


class Timed(Records):
    limits = Limits(timeout=60)


class Layer(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        return (yield Run())


class TriesAgain(StepWrapper[Any]):
    def around(self, context: Any) -> Any:
        try:
            return (yield Run())
        except BaseException:  # noqa: BLE001 - whatever ended it
            yield Undo()
            return (yield Run())


class World:
    """What is told from outside, and how the steps behave."""

    def __init__(self, folder: Path, kind: str = "plain", *, dies: bool = False) -> None:
        self.folder, self.kind, self.dies = folder, kind, dies
        self.again = False
        self.entered = threading.Event()

    def enters(self) -> None:
        self.tell("entered")
        self.entered.set()

    def tell(self, what: str) -> None:
        with (self.folder / what).open("a") as file:
            file.write("x")

    def told(self, what: str) -> int:
        path = self.folder / what
        return len(path.read_text()) if path.exists() else 0

    def action(self) -> type[BaseAction[Any]]:
        world = self
        kinds = {"async": AsyncRecords, "timed": Timed}
        layers = {"layer": Layer, "again": TriesAgain}

        class Flow(BaseAction[Any]):
            action_name = "flow"

            def setup_steps(self, registry: Any) -> None:
                step: BaseStep[Any] = kinds.get(world.kind, Records)(world)
                step = layers.get(world.kind, lambda inner: inner)(step)
                registry.register(parallel("side", [Fails(world), step]))

        return Flow

    def run(self, *, in_loop: bool = False, **options: Any) -> StepFailedError:
        made = self.action()({}, packs=())
        with pytest.raises(StepFailedError) as raised:
            asyncio.run(made.run_async(**options)) if in_loop else made.run(**options)
        return raised.value


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[SqliteJournal]:
    opened = SqliteJournal(tmp_path / "runs.db")
    yield opened
    opened.close()


@pytest.mark.parametrize("kind", ["plain", "async", "timed", "layer", "again"])
@pytest.mark.parametrize("in_loop", [False, True])
@pytest.mark.parametrize("journaled", [False, True])
def test_it_is_undone(
    tmp_path: Path, journal: SqliteJournal, kind: str, in_loop: bool, journaled: bool
) -> None:
    """As in a line, where a step is undone that fails before it has recorded anything."""
    world = World(tmp_path, kind)
    options: dict[str, Any] = {"journal": journal} if journaled else {}
    error = world.run(in_loop=in_loop, **options)
    assert (error.step, error.outcome) == ("fails", "rolled_back")
    assert world.told("undone") >= world.told("entered") == 1
    if journaled:
        assert {row.step: row.state for row in journal.read(1).attempts}["records"] == "undone"


@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_it_is_undone_by_another_process(tmp_path: Path, journal: SqliteJournal, way: str) -> None:
    """The journal says that it was started, and that counts if the run is killed right then."""

    def body() -> None:
        World(tmp_path, dies=True).run(journal=SqliteJournal(tmp_path / "runs.db"))

    assert in_child(body) == -signal.SIGKILL
    world = World(tmp_path)
    world.again = True
    assert (world.told("entered"), world.told("undone")) == (1, 0)
    if way == "rollback":
        rollback(world.action(), 1, journal=journal, packs=())
    else:
        with pytest.raises(StepFailedError):
            resume(world.action(), 1, journal=journal, packs=())
    assert world.told("undone") == world.told("entered")


def test_it_is_undone_where_the_run_was_kept(tmp_path: Path, journal: SqliteJournal) -> None:
    """By the rollback that follows."""
    world = World(tmp_path)
    assert world.run(journal=journal, on_failure="keep").outcome == "failed"
    assert (world.told("entered"), world.told("undone")) == (1, 0)
    rollback(world.action(), 1, journal=journal, packs=())
    assert world.told("undone") == 1
