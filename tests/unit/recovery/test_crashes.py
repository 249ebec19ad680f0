"""A run that is killed before or after any of its writes is finished, or undone, by the next."""

from __future__ import annotations

import signal

import pytest
from killing.flow import FILES, Flow
from killing.points import each_with_one, points

from handrail import RuntimeContext, resume, rollback
from handrail.errors import RollbackRefusedError, RunClosedError

pytestmark = pytest.mark.slow  # Together a minute: with one Python.


def quiet():
    return RuntimeContext(logger=Silent())


class Silent:
    def log(self, *given): ...
    def set_progress(self, *given): ...
    def set_metrics(self, *given): ...


def names(world):
    return {path.name for path in world.iterdir()}


def crash(kill, world, journal, at, when, **params):
    """Run the flow until it dies there; return whether it did."""

    def work(deadly):
        values = {"world": world, **params}
        Flow(values, quiet(), packs=()).run(journal=deadly)

    return kill(at, when, work) == -signal.SIGKILL


def finished(world):
    left = names(world) - FILES
    assert left == {"theirs", "closed"}, left
    assert names(world) >= FILES
    assert (world / "theirs").read_text() != "theirs"
    assert (world / "closed").read_text().splitlines()[-1] == "completed"


def undone(world):
    assert names(world) <= {"theirs", "closed"}
    assert (world / "theirs").read_text() == "theirs"


FAILS = {"fail": "last"}
WRITES, WRITES_OF_A_FAILURE = 30, 36
ALL = range(1, WRITES + 1)


@pytest.mark.parametrize(("writes", "params"), [(WRITES, {}), (WRITES_OF_A_FAILURE, FAILS)])
def test_the_points_are_all_writes_of_the_run(kill, world, journal, writes, params):
    """There is no further one: the tests below, each of which dies at its own, leave none out."""
    assert not crash(kill, world, journal, writes + 1, "before", **params)


@pytest.mark.parametrize(("at", "when"), points(ALL))
def test_killed_anywhere_it_is_finished(kill, world, journal, at, when):
    """No effect is doubled, none is missing, and what is foreign stays."""
    assert crash(kill, world, journal, at, when)
    row = journal.runs()[0]
    if row.outcome == "completed":
        with pytest.raises(RunClosedError, match="completed"):
            resume(Flow, journal=journal, number=row.number, ctx=quiet(), packs=())
    else:
        result = resume(Flow, journal=journal, ctx=quiet(), packs=())
        assert result["success"]
        assert (result["steps_executed"], result["steps_total"]) == (9, 10)
    finished(world)
    assert journal.runs()[0].outcome == "completed"


@pytest.mark.parametrize(("at", "when"), points(ALL, 1))
def test_killed_anywhere_it_is_undone(kill, world, journal, at, when):
    """Nothing of the run is left, and what it had replaced is back, unless it was sealed."""
    assert crash(kill, world, journal, at, when)
    row = journal.runs()[0]
    if row.sealed is not None:
        with pytest.raises(RollbackRefusedError, match="cannot be rolled back any more"):
            rollback(Flow, row.number, journal=journal, ctx=quiet(), packs=())
        return
    rollback(Flow, row.number, journal=journal, ctx=quiet(), packs=())
    undone(world)
    assert journal.runs()[0].outcome == "rolled_back"


@pytest.mark.parametrize(
    ("at", "when", "again"), each_with_one(points(range(6, WRITES + 1, 6)), [1, 3, 6])
)
def test_killed_again_while_it_is_undone(kill, world, journal, at, when, again):
    """The undo goes on where it was killed."""
    assert crash(kill, world, journal, at, when)
    row = journal.runs()[0]
    if row.sealed is not None:
        pytest.skip("it is sealed")

    def undo(deadly):
        rollback(Flow, row.number, journal=deadly, ctx=quiet(), packs=())

    for when_again in ("before", "after"):
        kill(again, when_again, undo)
    if journal.runs()[0].outcome is None:
        rollback(Flow, row.number, journal=journal, ctx=quiet(), packs=())
    undone(world)
    assert journal.runs()[0].outcome == "rolled_back"


@pytest.mark.parametrize(
    ("at", "when", "again"), each_with_one(points(range(1, WRITES + 1, 6)), [1, 2, 5])
)
def test_killed_again_while_it_is_finished(kill, world, journal, at, when, again):
    """It may be resumed as often as it takes."""
    assert crash(kill, world, journal, at, when)

    def go_on(deadly):
        resume(Flow, 1, journal=deadly, ctx=quiet(), packs=())

    for when_again in ("before", "after"):
        kill(again, when_again, go_on)
    if journal.runs()[0].outcome is None:
        resume(Flow, 1, journal=journal, ctx=quiet(), packs=())
    finished(world)


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES_OF_A_FAILURE + 1)))
def test_killed_after_a_failure_it_is_undone_either_way(kill, world, journal, at, when):
    """Once it undoes, `resume` undoes as well; before that, the step is tried again, and fails."""
    from handrail import StepFailedError

    assert crash(kill, world, journal, at, when, **FAILS)
    if journal.runs()[0].outcome is None:
        with pytest.raises(StepFailedError, match="'last' failed: told to fail"):
            resume(Flow, 1, journal=journal, ctx=quiet(), packs=())
    undone(world)
    assert journal.runs()[0].outcome == "rolled_back"
