"""Every pair of writes, and random instants, at which processes are killed: `nox -s faults`."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from killing.flow import FILES, Flow

from handrail import RuntimeContext, resume, rollback
from handrail.sqlite import SqliteJournal

pytestmark = pytest.mark.slow

# Thousands of runs: none of them is there unless it is asked for.
ASKED = "HANDRAIL_FAULTS" in os.environ
WRITES = range(1, 31 if ASKED else 1)  # As many as the flow takes.
SEEDS = range(100 if ASKED else 0)


class Silent:
    def log(self, *given: Any) -> None: ...
    def set_progress(self, *given: Any) -> None: ...
    def set_metrics(self, *given: Any) -> None: ...


def quiet() -> RuntimeContext:
    return RuntimeContext(logger=Silent())


def check(world: Path, journal: Any, way: str) -> None:
    """Finish, or undo, what is there; then nothing may be missing, and nothing left."""
    rows = journal.runs()
    if rows and rows[0].outcome is None and (way == "resume" or rows[0].sealed):
        assert resume(Flow, 1, journal=journal, ctx=quiet(), packs=())["success"]
    elif rows and rows[0].outcome in (None, "completed") and not rows[0].sealed:
        rollback(Flow, 1, journal=journal, ctx=quiet(), packs=())
    names = {path.name for path in world.iterdir()}
    rows = journal.runs()
    if rows and rows[0].outcome == "completed":
        assert names == FILES | {"theirs", "closed"}
    else:
        assert not rows or rows[0].outcome == "rolled_back"
        assert names <= {"theirs", "closed"}
        assert (world / "theirs").read_text() == "theirs"


@pytest.mark.parametrize("way", ["resume", "rollback"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("again", WRITES[::3])
@pytest.mark.parametrize("at", WRITES)
def test_killed_twice(kill, world, journal, at, again, when, way):
    def first(deadly: Any) -> None:
        Flow({"world": world}, quiet(), packs=()).run(journal=deadly)

    def second(deadly: Any) -> None:
        function = resume if way == "resume" else rollback
        function(Flow, 1, journal=deadly, ctx=quiet(), packs=())

    if kill(at, when, first) != -signal.SIGKILL:
        pytest.skip("the run has fewer writes")
    kill(again, when, second)
    if journal.runs()[0].outcome != "rolled_back":
        check(world, journal, way)


@pytest.mark.parametrize("way", ["resume", "rollback"])
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_a_random_instant(kill, world, tmp_path, seed, way):
    """By another process, wherever it is: in a step, in SQLite, or in the engine."""
    chance = random.Random(f"{seed} {way}")
    path = tmp_path / ".handrail" / "runs.db"
    SqliteJournal(path).close()
    child = os.fork()
    if child == 0:
        try:
            Flow({"world": world}, quiet(), packs=()).run(journal=SqliteJournal(path))
        finally:
            os._exit(0)
    time.sleep(chance.uniform(0, 0.15))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    journal = SqliteJournal(path)
    check(world, journal, way)
    journal.close()
