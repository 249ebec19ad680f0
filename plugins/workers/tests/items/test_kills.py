"""Runs with items whose process ends at a write of the journal, and goes on, or back, in another.

A process that has lost its run does as much as one that was killed: nothing. After any number of
kills nothing is doubled; after a resume nothing is lost, and after a rollback nothing is left.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from inline_executor import Log
from item_runs import Maps, Mortal, killed
from item_work import WORLD, World
from killing.memory import folder_in_memory
from killing.told import Does, flow

from handrail import SourceChangedError, StepFailedError, resume, rollback
from handrail_workers.items import run


def begin(action: Any, journal: Mortal) -> Callable[[], object]:
    return lambda: action({}, packs=()).run(journal=journal)


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize(("own", "after"), [(False, True), (True, False)])
def test_a_process_is_killed_at_each_write(
    own: bool, after: bool, back: bool, log: Log, world: World
) -> None:
    items = list(range(10))
    action = flow(Maps(items, own, chunk=3), Does("last"))
    for at in itertools.count(1):
        world.clear()
        with folder_in_memory() as folder:
            journal = Mortal(folder / "runs.db")
            if not killed(journal, at, begin(action, journal), after=after):
                journal.close()
                break
            if back:
                rollback(action, 1, journal=journal, packs=())
                assert not world.made
            else:
                if journal.runs()[0].outcome is None:
                    assert resume(action, journal=journal, packs=())["success"]
                assert sorted(world.made) == ([-1] if own else []) + items
            assert not world.doubled
            journal.close()
    assert at > 10


@settings(max_examples=25)
@given(
    count=st.integers(0, 25),
    chunk=st.none() | st.integers(1, 7),
    fails=st.sets(st.integers(0, 24), max_size=4),
    most=st.integers(0, 4),
    own=st.booleans(),
    kills=st.lists(st.tuples(st.integers(1, 30), st.booleans(), st.booleans()), max_size=4),
    back=st.booleans(),
    losses=st.sets(st.tuples(st.integers(0, 4), st.booleans()), max_size=3),
)
def test_any_run_that_is_killed_anywhere(
    count: int,
    chunk: int | None,
    fails: set[int],
    most: int,
    own: bool,
    kills: list[tuple[int, bool, bool]],
    back: bool,
    losses: set[tuple[int, bool]],
) -> None:
    log = Log()
    left = set(losses)

    def fault(call: Any) -> str | None:
        place = (call.attempt.chunk, call.attempt.undo)
        found = "after" if place in left else None
        left.discard(place)
        return found

    log.fault = fault
    opened: Any = run.open_executor
    run.open_executor = log.opens  # type: ignore[assignment]
    WORLD.clear()
    WORLD.fails = fails
    items = list(range(count))
    action = flow(Maps(items, own, chunk=chunk, max_failed=most), Does("last"))
    undoing = False
    try:
        with folder_in_memory() as folder:
            journal = Mortal(folder / "runs.db")
            todo = begin(action, journal)
            over = False
            for at, after, turns in [*kills, (10**6, False, back)]:
                try:
                    over = not killed(journal, at, todo, after=after)
                except StepFailedError:
                    over = undoing = True
                assert not WORLD.doubled
                over = over or (bool(journal.runs()) and journal.runs()[0].outcome is not None)
                if over or not journal.runs():
                    break
                undoing = undoing or turns
                if undoing:
                    todo = lambda: rollback(action, 1, journal=journal, packs=())  # noqa: E731
                else:
                    todo = lambda: resume(action, journal=journal, packs=())  # noqa: E731
            if journal.runs() and not over:
                todo()
                over = True
            outcome = journal.runs()[0].outcome if journal.runs() else "rolled_back"
            journal.close()
            done = [item for item in items if item not in fails]
            if outcome == "completed":
                assert sorted(WORLD.made) == ([-1] if own else []) + done
                assert len(items) - len(done) <= most
            else:
                assert outcome == "rolled_back"
                assert not WORLD.made
    finally:
        run.open_executor = opened


def test_what_is_done_is_not_done_again(log: Log, world: World, tmp_path: Path) -> None:
    """A run that goes on cuts the items in the same way, whatever it would choose now."""
    items = list(range(40))
    journal = Mortal(tmp_path / "runs.db")
    action = flow(Maps(items, chunk=4))
    assert killed(journal, 30, begin(action, journal))
    rows = list(journal.chunks(1, "work", 1))
    done = {row.number for row in rows if row.state == "done"}
    assert done
    log.submitted.clear()
    assert resume(flow(Maps(items, chunk=9)), journal=journal, packs=())["success"]
    again = {call.attempt.chunk for call in log.submitted}
    assert not done & again
    sizes = [row.size for row in journal.chunks(1, "work", 1)]
    assert sizes[: len(rows)] == [4] * len(rows)
    assert set(sizes[len(rows) : -1]) <= {9}
    assert sorted(world.made) == items
    journal.close()


@pytest.mark.parametrize("now", [[0, 1, 2, 99, *range(4, 40)], [0, 1]])
def test_other_items_stop_a_run_that_goes_on(
    now: list[int], log: Log, world: World, tmp_path: Path
) -> None:
    items = list(range(40))
    journal = Mortal(tmp_path / "runs.db")
    assert killed(journal, 30, begin(flow(Maps(items, chunk=4)), journal))
    made = dict(world.made)
    with pytest.raises(SourceChangedError, match="items 0 to 3 of step 'work', which were worked"):
        resume(flow(Maps(now)), journal=journal, packs=())
    assert world.made == made, "nothing was undone"
    assert resume(flow(Maps(items)), journal=journal, packs=())["success"]
    assert sorted(world.made) == items
    journal.close()


def test_a_kept_run_tries_the_failed_items_again(log: Log, world: World, tmp_path: Path) -> None:
    world.fails = {3, 17}
    journal = Mortal(tmp_path / "runs.db")
    action = flow(Maps(list(range(20)), chunk=4, max_failed=1))
    with pytest.raises(StepFailedError, match="2 items failed; 1 may"):
        action({}, packs=()).run(journal=journal, on_failure="keep")
    world.fails = set()
    log.submitted.clear()
    assert resume(action, journal=journal, packs=())["success"]
    assert [call.chosen for call in log.submitted] == [(3,), (1,)]
    assert sorted(world.made) == list(range(20))
    assert not world.doubled
    rows = list(journal.chunks(1, "work", 1))
    assert [(row.state, row.failed) for row in rows] == [("done", 0)] * 5
    journal.close()


def test_a_chunk_whose_worker_may_live_is_left_to_a_person(
    log: Log, world: World, tmp_path: Path
) -> None:
    journal = Mortal(tmp_path / "runs.db")
    action = flow(Maps(list(range(20)), chunk=4))
    assert killed(journal, 26, begin(action, journal))
    log.death = lambda attempt: "unknown"
    made = dict(world.made)
    with pytest.raises(StepFailedError) as caught:
        rollback(action, 1, journal=journal, packs=())
    assert caught.value.outcome == "rollback_incomplete"
    assert world.made
    assert world.made.keys() <= made.keys()
    log.death = lambda attempt: "fenced"
    rollback(action, 1, journal=journal, packs=())
    assert not world.made
    journal.close()
