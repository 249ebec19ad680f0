"""A chain with a group in its second action is killed at its writes, and finished or undone."""

from __future__ import annotations

import signal

import pytest
from chain_of_files import Closes, Gather, Make, Press, Reads, TableContext, Tables, Teach, params

from handrail import RuntimeContext, chain, parallel, resume, rollback

pytestmark = pytest.mark.slow


class Silent:
    def log(self, *given): ...
    def set_progress(self, *given): ...
    def set_metrics(self, *given): ...


QUIET = RuntimeContext(logger=Silent())


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
POINTS = [(at, when) for at in range(1, 40, 2) for when in ("before", "after")]


@pytest.mark.parametrize(("at", "when"), POINTS)
@pytest.mark.parametrize("way", [resume, rollback])
def test_killed_anywhere_nothing_is_doubled_or_left(kill, folder, journal, at, when, way):
    world = folder / "world"

    def work(deadly):
        DATASET.run(params(world), QUIET, packs=(), journal=deadly)

    if kill(at, when, work) != -signal.SIGKILL:
        pytest.skip("the lanes shared more commits this time")
    if journal.runs()[0].outcome is None:
        way(DATASET, 1, journal=journal, ctx=QUIET, packs=())
    made = sorted(path.name for path in world.iterdir() if path.name != "closed")
    if journal.runs()[0].outcome == "completed":
        assert len(made) == 2 * 8
        assert len({name.partition(".")[0] for name in made}) == 3
    else:
        assert journal.runs()[0].outcome == "rolled_back"
        assert made == []
