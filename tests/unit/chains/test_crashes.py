"""A chain that is killed before or after any of its writes is finished, or undone, by the next."""

from __future__ import annotations

import signal

import pytest
from chain_of_files import DATASET, STEPS, TABLE, params
from killing.points import each_with_one, points

from handrail import RuntimeContext, StepFailedError, resume, rollback
from handrail.errors import RunClosedError

pytestmark = pytest.mark.slow


class Silent:
    def log(self, *given): ...
    def set_progress(self, *given): ...
    def set_metrics(self, *given): ...


QUIET = RuntimeContext(logger=Silent())
WRITES, WRITES_OF_A_FAILURE = 40, 52
ALL = range(1, WRITES + 1)


def crash(kill, folder, at, when, **fail):
    """Run the chain until it dies there; return whether it did."""

    def work(deadly):
        DATASET.run(params(folder / "world", **fail), QUIET, packs=(), journal=deadly)

    return kill(at, when, work) == -signal.SIGKILL


def finished(world):
    """Return the ids of the three actions, after a check that each step has worked once."""
    made = sorted(path.name for path in world.iterdir() if path.name != "closed")
    runs = {name.partition(".")[0] for name in made}
    assert len(runs) == 3
    assert len(made) == 2 * (len(STEPS) - 3), "nothing is doubled, and nothing is missing"
    read = {path.read_text() for path in world.iterdir() if path.name.endswith(".1")}
    assert {TABLE, f"pressed {TABLE}"} <= read
    closed = (world / "closed").read_text().splitlines()
    assert {line.split()[0] for line in closed if line.endswith("completed")} == runs


def undone(world):
    assert [path.name for path in world.iterdir() if path.name != "closed"] == []


@pytest.mark.parametrize(
    ("writes", "fail"), [(WRITES, {}), (WRITES_OF_A_FAILURE, {"teach": "teach"})]
)
def test_the_points_are_all_writes_of_the_run(kill, folder, journal, writes, fail):
    assert crash(kill, folder, writes, "after", **fail)
    assert not crash(kill, folder, writes + 1, "before", **fail)


@pytest.mark.parametrize(("at", "when"), points(ALL))
def test_killed_anywhere_it_is_finished(kill, folder, journal, at, when):
    assert crash(kill, folder, at, when)
    row = journal.runs()[0]
    if row.outcome == "completed":
        with pytest.raises(RunClosedError, match="completed"):
            resume(DATASET, journal=journal, number=row.number, ctx=QUIET, packs=())
    else:
        result = resume(DATASET, journal=journal, ctx=QUIET, packs=())
        assert (result["steps_executed"], result["teach"]["learnt"]) == (9, f"pressed {TABLE}")
    finished(folder / "world")
    assert journal.runs()[0].outcome == "completed"


@pytest.mark.parametrize(("at", "when"), points(ALL, 1))
def test_killed_anywhere_it_is_undone(kill, folder, journal, at, when):
    assert crash(kill, folder, at, when)
    rollback(DATASET, 1, journal=journal, ctx=QUIET, packs=())
    undone(folder / "world")
    assert journal.runs()[0].outcome == "rolled_back"


@pytest.mark.parametrize(
    ("at", "when", "again"), each_with_one(points(range(5, WRITES + 1, 5)), [1, 3, 6])
)
@pytest.mark.parametrize("way", [resume, rollback])
def test_killed_again_it_goes_on_where_it_was(kill, folder, journal, at, when, again, way):
    assert crash(kill, folder, at, when)

    def go_on(deadly):
        way(DATASET, 1, journal=deadly, ctx=QUIET, packs=())

    for when_again in ("before", "after"):
        kill(again, when_again, go_on)
    if journal.runs()[0].outcome is None:
        way(DATASET, 1, journal=journal, ctx=QUIET, packs=())
    (finished if journal.runs()[0].outcome == "completed" else undone)(folder / "world")


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES_OF_A_FAILURE + 1)))
def test_killed_after_a_failure_it_is_undone_either_way(kill, folder, journal, at, when):
    assert crash(kill, folder, at, when, teach="teach")
    if journal.runs()[0].outcome is None:
        with pytest.raises(StepFailedError, match="told to fail"):
            resume(DATASET, 1, journal=journal, ctx=QUIET, packs=())
    undone(folder / "world")
    assert journal.runs()[0].outcome == "rolled_back"
