"""Failed items of an action of a chain, which the chain as a whole tries again."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from inline_executor import Log
from item_runs import Maps, Mortal, killed
from item_work import WORLD, World
from killing.memory import folder_in_memory
from killing.told import Context, Does
from pydantic import BaseModel

from handrail import BaseAction, StepResult, chain, parallel, resume, rollback
from handrail.errors import RefusedError, RollbackRefusedError, RunClosedError

ITEMS = list(range(20))
ALL = dict.fromkeys(ITEMS, 1)
MADE = {**ALL, -1: 1, -2: 1, -3: 1}
"""The items, and what a step before them, one after them and one of the second action has made."""


class Told(BaseModel):
    """What the second action is told."""

    count: int


class Adds(Does):
    """Makes a thing of its own, which is taken back."""

    def execute(self, context: Any) -> StepResult:
        context.record_rollback("made", self.told["thing"])
        context.seen.append(f"{sum(each >= 0 for each in WORLD.made)}")
        WORLD.made[self.told["thing"]] += 1
        return super().execute(context)

    def rollback(self, context: Any, result: StepResult) -> None:
        super().rollback(context, result)
        for each in result.rollback_data.get("made", []):
            WORLD.made.pop(each, None)


class Work(BaseAction[Any]):
    """Works on items; it hands on how many there are."""

    action_name = "work"
    context_class = Context
    works: Any = Maps(ITEMS, chunk=4, max_failed=3)
    then = Adds("then", thing=-2)

    def setup_steps(self, registry: Any) -> None:
        for each in (Adds("first", thing=-1), self.works, self.then, Does("report", always=True)):
            registry.register(each)

    def result(self, context: Any) -> dict[str, Any]:
        return {"count": int(context.seen[-1])}


class Tell(BaseAction[Told]):
    """Says what it was told."""

    action_name = "tell"
    context_class = Context
    last = Adds("last", thing=-3)

    def setup_steps(self, registry: Any) -> None:
        registry.register(self.last)
        registry.register(Does("end", always=True))

    def result(self, context: Any) -> dict[str, Any]:
        return {"told": self.params.count}


BOTH = chain("both", [Work, Tell], inputs={"tell.count": "work.count"})


def tolerated(journal: Mortal, workflow: Any = BOTH) -> None:
    """Complete a chain in which two items fail, which then would not."""
    WORLD.fails = {3, 17}
    workflow.run({}, packs=(), journal=journal)
    WORLD.fails = set()


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    journal = Mortal(tmp_path / "runs.db")
    yield journal
    journal.close()


def again(journal: Mortal, workflow: Any = BOTH) -> dict[str, Any]:
    return resume(workflow, 1, journal=journal, packs=(), failed_only=True)


def test_a_completed_chain_goes_back_and_forward_again(
    journal: Mortal, log: Log, world: World
) -> None:
    """The actions after it are undone, and run again with what it hands on now."""
    tolerated(journal)
    assert len(world.made) == len(MADE) - 2
    log.submitted.clear()
    assert again(journal)["tell"]["told"] == 20
    assert [call.chosen for call in log.submitted] == [(3,), (1,)]
    assert dict(world.made) == MADE
    assert [(row.parent_step, row.outcome) for row in journal.parts(1)] == [
        ("work", "completed"),
        ("tell", "rolled_back"),
        ("tell", "completed"),
    ]
    with pytest.raises(RunClosedError, match="no item of run 1 has failed"):
        again(journal)
    rollback(BOTH, 1, journal=journal, packs=())
    assert not world.made


@pytest.mark.parametrize("stuck", [Work.then, Tell.last])
def test_what_cannot_be_undone_after_the_items_keeps_the_chain(
    journal: Mortal, log: Log, world: World, monkeypatch: pytest.MonkeyPatch, stuck: Any
) -> None:
    tolerated(journal)
    monkeypatch.setitem(stuck.told, "stuck", True)
    with pytest.raises((RefusedError, RuntimeError), match="stuck"):
        again(journal)
    assert 17 not in world.made
    assert -1 in world.made
    monkeypatch.setitem(stuck.told, "stuck", False)
    rollback(BOTH, 1, journal=journal, packs=())
    assert not world.made


def test_items_in_a_group_of_an_action_are_refused_before_anything_is_undone(
    journal: Mortal, log: Log, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Work, "works", parallel("sides", [Work.works, Does("beside")]))
    tolerated(journal)
    before = dict(world.made)
    with pytest.raises(RollbackRefusedError, match="which is in a group; nothing was undone"):
        again(journal)
    assert dict(world.made) == before
    assert journal.read(1).outcome == "completed"


@pytest.mark.slow
@pytest.mark.parametrize(("back", "after"), [(False, True), (True, False)])
def test_it_is_killed_at_each_write(back: bool, after: bool, log: Log, world: World) -> None:
    for at in itertools.count(1):
        world.clear()
        with folder_in_memory() as folder:
            journal = Mortal(folder / "runs.db")
            tolerated(journal)
            over = not killed(journal, at, partial(again, journal), after=after)
            assert not world.doubled
            if back:
                rollback(BOTH, 1, journal=journal, packs=())
                assert not world.made
            else:
                if journal.read(1).outcome is None:
                    assert resume(BOTH, 1, journal=journal, packs=())["success"]
                assert {key for key in MADE if key not in world.made} <= {3, 17}
                if len(world.made) < len(MADE):
                    again(journal)
                assert dict(world.made) == MADE
            journal.close()
        if over:
            break
    assert at > 15
