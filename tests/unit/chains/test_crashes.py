"""A chain that is killed before or after any of its writes is finished, or undone, by the next."""

from __future__ import annotations

from typing import Any

import pytest
from chain_of_files import DATASET, STEPS, TABLE, params
from killing.points import each_with_one, points

from handrail import resume, rollback

pytestmark = pytest.mark.slow

WRITES, WRITES_OF_A_FAILURE = 38, 50
ALL = range(1, WRITES + 1)


def crash(place: Any, at: int, when: str, **fail: str) -> bool:
    """Run the chain until it dies there; return whether it did."""
    return place.run(DATASET, params(place.world, **fail), at, when)


def check(place: Any, outcome: str) -> None:
    """Check that each step of the three actions has worked once, or that nothing is left."""
    made = place.made()
    if outcome == "rolled_back":
        assert made == []
        return
    assert outcome == "completed"
    runs = {name.partition(".")[0] for name in made}
    assert len(runs) == 3
    assert len(made) == 2 * (len(STEPS) - 3), "nothing is doubled, and nothing is missing"
    read = {path.read_text() for path in place.world.iterdir() if path.name.endswith(".1")}
    assert {TABLE, f"pressed {TABLE}"} <= read
    closed = (place.world / "closed").read_text().splitlines()
    assert {line.split()[0] for line in closed if line.endswith("completed")} == runs


@pytest.mark.parametrize(
    ("writes", "fail"), [(WRITES, {}), (WRITES_OF_A_FAILURE, {"teach": "teach"})]
)
def test_the_points_are_all_writes_of_the_run(place, writes, fail):
    assert crash(place, writes, "after", **fail)
    assert not crash(place, writes + 1, "before", **fail)


@pytest.mark.parametrize(("at", "when"), points(ALL))
def test_killed_anywhere_it_is_finished(place, at, when):
    assert crash(place, at, when)
    assert place.go_on(resume, DATASET) == "completed"
    check(place, "completed")


@pytest.mark.parametrize(("at", "when"), points(ALL, 1))
def test_killed_anywhere_it_is_undone(place, at, when):
    assert crash(place, at, when)
    assert place.go_on(rollback, DATASET) == "rolled_back"
    check(place, "rolled_back")


@pytest.mark.parametrize(
    ("at", "when", "again"), each_with_one(points(range(5, WRITES + 1, 5)), [1, 3, 6])
)
@pytest.mark.parametrize("way", [resume, rollback])
def test_killed_again_it_goes_on_where_it_was(place, at, when, again, way):
    assert crash(place, at, when)
    for when_again in ("before", "after"):
        place.crash(again, when_again, lambda deadly: place.go_on(way, DATASET, deadly))
    check(place, place.go_on(way, DATASET))


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES_OF_A_FAILURE + 1)))
def test_killed_after_a_failure_it_is_undone_either_way(place, at, when):
    assert crash(place, at, when, teach="teach")
    assert place.go_on(resume, DATASET) == "rolled_back"
    check(place, "rolled_back")
