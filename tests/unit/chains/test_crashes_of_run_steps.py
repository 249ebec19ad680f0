"""An action with a run in it is killed before or after any write of either, and taken up again."""

from __future__ import annotations

from typing import Any

import pytest
from chain_of_files import TABLE, Closes, Connects, Context, Make, Params, Press, Reads
from killing.points import points

from handrail import RunStep, StepResult, action, resume, rollback

pytestmark = pytest.mark.slow


WRITES, WRITES_OF_A_FAILURE = 19, 26
EFFECTS = ["after.0", "after.1", "before.0", "before.1", "open.0", "open.1", "press.0", "press.1"]


def press(context: Any) -> dict[str, Any]:
    return {"world": context.world, "table": TABLE}


class Links(Connects, Reads):
    """Sets what another process has to restore, and which the result of its action needs."""


class Linked(Press):
    """What it hands on needs a value that no journal stores."""

    def setup_steps(self, registry: Any) -> None:
        for each in (Links("open"), Make("press"), Closes()):
            registry.register(each)

    def result(self, context: Any) -> Any:
        return {"table": f"{context.client} to {context.table}"}


class Takes(Make):
    """Takes what the run has returned."""

    def execute(self, context: Context) -> StepResult:
        assert context.results["press"].data["result"]["table"] == f"connected to {TABLE}"
        return super().execute(context)


WHOLE = action(
    "whole",
    [Connects("before"), RunStep("press", Linked, press), Takes("after")],
    params=Params,
    context=Context,
)


def crash(place: Any, at: int, when: str, fail: str = "") -> bool:
    """Run until it dies there; return whether it did."""
    return place.run(WHOLE, {"world": place.world, "fail": fail}, at, when)


@pytest.mark.parametrize(("writes", "fail"), [(WRITES, ""), (WRITES_OF_A_FAILURE, "after")])
def test_the_points_are_all_writes_of_both_runs(place: Any, writes: int, fail: str) -> None:
    assert crash(place, writes, "after", fail)
    assert not crash(place, writes + 1, "before", fail)


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES + 1)))
def test_killed_anywhere_it_is_finished(place: Any, at: int, when: str) -> None:
    """What the run of the step hands on is not lost, wherever that is."""
    assert crash(place, at, when)
    place.go_on(resume, WHOLE)
    place.check("completed", EFFECTS)


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES + 1), 1))
def test_killed_anywhere_it_is_undone(place: Any, at: int, when: str) -> None:
    assert crash(place, at, when)
    place.go_on(rollback, WHOLE)
    place.check("rolled_back", EFFECTS)


@pytest.mark.parametrize(("at", "when"), points(range(1, WRITES_OF_A_FAILURE + 1)))
def test_killed_after_a_failure_or_in_the_undo_it_is_undone(place: Any, at: int, when: str) -> None:
    assert crash(place, at, when, "after")
    place.go_on(resume, WHOLE)
    place.check("rolled_back", EFFECTS)


@pytest.mark.parametrize("way", [resume, rollback])
@pytest.mark.parametrize("again", [2, 5, 9])
@pytest.mark.parametrize("at", [5, 9, 13, 17])
def test_killed_again_it_goes_on_where_it_was(place: Any, at: int, again: int, way: Any) -> None:
    assert crash(place, at, "after")
    for when in ("before", "after"):
        place.crash(again, when, lambda deadly: place.go_on(way, WHOLE, deadly))
    place.go_on(way, WHOLE)
    place.check("completed" if way is resume else "rolled_back", EFFECTS)
