"""Failed items that are tried again, in runs that were kept, or completed without them."""

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
from killing.told import Asked, Does, flow

from handrail import StepFailedError, StepResult, parallel, resume, rollback
from handrail.errors import RollbackRefusedError, RunClosedError

ITEMS = list(range(20))
ALL = dict.fromkeys(ITEMS, 1)


class Adds(Does):
    """Makes a thing of its own, which is taken back."""

    def __init__(self, name: str, thing: int, **told: Any) -> None:
        super().__init__(name, **told)
        self.thing = thing

    def execute(self, context: Any) -> StepResult:
        context.record_rollback("made", self.thing)
        context.seen.append(f"{self.name} after {sum(x >= 0 for x in WORLD.made)}")
        WORLD.made[self.thing] += 1
        return StepResult()

    def rollback(self, context: Any, result: StepResult) -> None:
        super().rollback(context, result)
        for each in result.rollback_data.get("made", []):
            WORLD.made.pop(each, None)


def steps() -> list[Any]:
    return [
        Adds("first", -1),
        Maps(ITEMS, chunk=4, max_failed=3),
        Adds("then", -2),
        Asked("asked", asked=lambda context: True),
        Adds("last", -3),
        Does("report", always=True),
    ]


def tolerated(journal: Mortal) -> tuple[Any, list[Any]]:
    """Complete a run in which two items fail, which then would not."""
    WORLD.fails = {3, 17}
    parts = steps()
    action = flow(*parts)
    action({}, packs=()).run(journal=journal)
    WORLD.fails = set()
    return action, parts


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    journal = Mortal(tmp_path / "runs.db")
    yield journal
    journal.close()


def test_a_completed_run_goes_back_and_forward_again(
    journal: Mortal, log: Log, world: World
) -> None:
    """What came after is undone first and runs again, with the context as it was then."""
    action, parts = tolerated(journal)
    assert sorted(world.made)[3:] == [each for each in ITEMS if each not in (3, 17)]
    log.submitted.clear()
    seen: list[str] = []
    parts[4].work = lambda context: None
    result = resume(action, 1, journal=journal, packs=(), failed_only=True)
    assert result["success"]
    assert [call.chosen for call in log.submitted] == [(3,), (1,)]
    assert dict(world.made) == {**ALL, -1: 1, -2: 1, -3: 1}
    assert [len(parts[each].undone) for each in (0, 2, 4)] == [0, 1, 1]
    run = journal.read(1)
    states = {(row.step, row.state) for row in run.attempts}
    assert ("asked", "skipped") in states
    last = max(run.fields, key=lambda row: row.boundary)
    assert '"then after 20","last after 20"' in last.value
    assert last.value.count("then") == 1, seen
    rollback(action, 1, journal=journal, packs=())
    assert not world.made


def test_items_may_fail_again(journal: Mortal, log: Log, world: World) -> None:
    action, _ = tolerated(journal)
    world.fails = {17}
    assert resume(action, 1, journal=journal, packs=(), failed_only=True)["success"]
    assert 17 not in world.made
    assert 3 in world.made
    assert not world.doubled
    world.fails = set()
    log.submitted.clear()
    assert resume(action, 1, journal=journal, packs=(), failed_only=True)["success"]
    assert [call.chosen for call in log.submitted] == [(1,)]
    with pytest.raises(RunClosedError, match="no item of run 1 has failed"):
        resume(action, 1, journal=journal, packs=(), failed_only=True)


def test_a_later_step_that_cannot_be_undone_keeps_the_run(
    journal: Mortal, log: Log, world: World
) -> None:
    action, parts = tolerated(journal)
    parts[2].told["stuck"] = True
    with pytest.raises(StepFailedError, match="stuck") as caught:
        resume(action, 1, journal=journal, packs=(), failed_only=True)
    assert caught.value.outcome == "failed"
    assert 17 not in world.made
    parts[2].told["stuck"] = False
    rollback(action, 1, journal=journal, packs=())
    assert not world.made


def test_a_kept_run_goes_back_over_the_step_that_failed(
    journal: Mortal, log: Log, world: World
) -> None:
    world.fails = {3, 17}
    parts = steps()
    fails = Does("bad", lambda context: StepResult(success=not WORLD.shared.append(1) and False))
    action = flow(*parts[:3], fails)
    with pytest.raises(StepFailedError):
        action({}, packs=()).run(journal=journal, on_failure="keep")
    world.fails = set()
    fails.work = lambda context: None
    assert resume(action, 1, journal=journal, packs=(), failed_only=True)["success"]
    assert dict(world.made) == {**ALL, -1: 1, -2: 1}


def test_what_cannot_be_gone_back_over_is_refused(journal: Mortal, log: Log, world: World) -> None:
    world.fails = {3}
    lanes = [[Maps(ITEMS, chunk=4, max_failed=3)], [Does("b")]]
    action = flow(parallel("both", lanes), Does("last"))
    action({}, packs=()).run(journal=journal)
    with pytest.raises(RollbackRefusedError, match="which is in a group; nothing was undone"):
        resume(action, 1, journal=journal, packs=(), failed_only=True)
    assert journal.read(1).outcome == "completed"


def test_a_sealed_run_is_refused(journal: Mortal, log: Log, world: World) -> None:
    world.fails = {3}
    seals = Does("seal", lambda context: context.seal("it is final"), always=True)
    action = flow(Maps(ITEMS, chunk=4, max_failed=3), seals)
    action({}, packs=()).run(journal=journal)
    with pytest.raises(RollbackRefusedError, match="cannot be tried again: it is final"):
        resume(action, 1, journal=journal, packs=(), failed_only=True)


@pytest.mark.parametrize(("back", "after"), [(False, True), (True, False)])
def test_it_is_killed_at_each_write(back: bool, after: bool, log: Log, world: World) -> None:
    for at in itertools.count(1):
        world.clear()
        with folder_in_memory() as folder:
            journal = Mortal(folder / "runs.db")
            action, _ = tolerated(journal)

            again = partial(resume, action, 1, journal=journal, packs=(), failed_only=True)
            over = not killed(journal, at, again, after=after)
            assert not world.doubled
            if back:
                rollback(action, 1, journal=journal, packs=())
                assert not world.made
            else:
                if journal.read(1).outcome is None:
                    assert resume(action, 1, journal=journal, packs=())["success"]
                wanted = {**ALL, -1: 1, -2: 1, -3: 1}
                left = {key for key in wanted if key not in world.made}
                assert left <= {3, 17}
                assert set(world.made.values()) == {1}
                if left:
                    again()
                assert dict(world.made) == wanted
            journal.close()
        if over:
            break
    assert at > 8
