"""Groups in an action of a chain, and a run of a step in a lane: killed, and finished or undone."""

from __future__ import annotations

from typing import Any

import pytest
from chain_of_files import (
    TABLE,
    Closes,
    Connects,
    Context,
    Gather,
    Make,
    Params,
    Press,
    Reads,
    TableContext,
    Tables,
    Teach,
    params,
)

from handrail import RunStep, action, chain, parallel, resume, rollback

pytestmark = pytest.mark.slow


class Keeps(Make):
    """Leaves the field that another lane has changed as it is."""

    def execute(self, context):
        before = list(context.made)
        done = super().execute(context)
        context.made = before
        return done


class Sides(Press):
    """The second action, which begins with a group."""

    action_name = "press"

    def setup_steps(self, registry):
        registry.register(parallel("sides", [[Reads("open"), Make("left")], Keeps("right")]))
        registry.register(Make("press"))
        registry.register(Closes())

    def result(self, context: TableContext) -> Tables:
        return {"table": f"pressed {context.table}"}


INPUTS = {"press.table": "gather.table", "teach.table": "press.table"}
DATASET = chain("dataset", [Gather, Sides, Teach], inputs=INPUTS)


def press(context: Any) -> dict[str, Any]:
    return {"world": context.world, "table": TABLE}


SIDES = action(
    "whole",
    [
        Connects("before"),
        parallel("sides", [RunStep("press", Press, press), [Keeps("beside"), Keeps("then")]]),
        Make("after"),
    ],
    params=Params,
    context=Context,
)
POINTS = [(at, when) for at in range(1, 40, 2) for when in ("before", "after")]
WORKFLOWS = [(DATASET, "gather", 16, 3), (SIDES, "", 12, 2)]
"""Each with the first of its actions, and how many files it makes in how many runs."""


@pytest.mark.parametrize(("at", "when"), POINTS)
@pytest.mark.parametrize("way", [resume, rollback])
@pytest.mark.parametrize(("workflow", "first", "files", "runs"), WORKFLOWS)
def test_killed_anywhere_nothing_is_doubled_or_left(
    place, at, when, way, workflow, first, files, runs
):
    values = params(place.world) if first else {"world": place.world}
    if not place.run(workflow, values, at, when):
        pytest.skip("the run has fewer writes, or its lanes have shared more this time")
    outcome, made = place.go_on(way, workflow), place.made()
    if outcome == "completed":
        assert len(made) == files
        assert len({name.partition(".")[0] for name in made}) == runs
    else:
        assert outcome == "rolled_back"
        assert made == []
