"""Steps with items: what is done once, in order, undone in reverse, and what stops it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from inline_executor import Log
from item_work import (
    World,
    make,
    make_async,
    odd,
    plain,
    remove,
    remove_async,
    secret,
)
from killing.told import Context, Does, Writes, play

from handrail import (
    BaseStep,
    Orchestrator,
    Run,
    RuntimeContext,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
    parallel,
)
from handrail.errors import HandrailError
from handrail_workers.items.cutting import Size


class Maps(BaseStep[Any]):
    """Works on items; keeps what came of them in `found`."""

    progress_weight = 1.0

    def __init__(self, items: Any, function: Any = make, undo: Any = remove, **options: Any):
        self.name = options.pop("name", "work")
        self.items = items
        self.function = function
        self.undo = undo
        self.options = options
        self.found: Any = None
        self.undone = 0

    def execute(self, context: Any) -> StepResult:
        found = context.map_items(self.function, self.items, rollback=self.undo, **self.options)
        self.found = found
        return StepResult(data={"done": found.count, "failed": found.failed})

    def rollback(self, context: Any, result: StepResult) -> None:
        self.undone += 1


class AsyncMaps(Maps):
    """The same in a coroutine."""

    async def execute(self, context: Any) -> StepResult:
        self.found = found = await context.amap_items(
            self.function, self.items, rollback=self.undo, **self.options
        )
        return StepResult(data={"done": found.count})


class Again(StepWrapper[Any]):
    """Tries a step a second time."""

    def around(self, context: Any) -> Any:
        try:
            return (yield Run())
        except HandrailError:
            yield Undo()
        return (yield Run())


def fails(context: Any) -> StepResult:
    return StepResult(success=False, error="told to")


@pytest.fixture(params=["journal", "memory"])
def journal(request: Any, writes: Writes) -> Any:
    """A journal, or none."""
    return writes if request.param == "journal" else None


def test_each_item_is_worked_on_once_and_results_come_in_order(
    journal: Any, log: Log, world: World
) -> None:
    step = Maps(list(range(57)), shared={"to": "x"})
    play(journal, step)
    assert world.calls == dict.fromkeys(range(57), 1)
    assert list(step.found) == [(item, {"twice": item * 2}) for item in range(57)]
    assert (step.found.count, step.found.failed, list(step.found.errors())) == (57, 0, [])
    assert world.shared == [{"to": "x"}] * 57
    assert log.most <= 4, "the window is twice the slots"
    assert log.closed == 1


def test_what_is_installed_is_looked_at_only_for_other_machines(
    journal: Any, log: Log, world: World
) -> None:
    """Workers of this one have what the run has."""
    for url in ("processes:2", "threads", "elsewhere"):
        play(journal, Maps([1], executor=url))
    assert [each[:7] for each in log.digests] == ["", "", "sha256:"]


def test_items_are_read_as_they_are_needed(journal: Any, log: Log, world: World) -> None:
    """Never more than the window has chunks, and those begun ahead, however many there are."""
    read: list[int] = []
    ahead: list[int] = []

    def items() -> Iterator[int]:
        for item in range(1000):
            read.append(item)
            yield item

    world.breaks = lambda item: ahead.append(len(read) - item)
    step = Maps(items(), chunk=5)
    play(journal, step)
    assert max(ahead) <= 5 * (4 + 64 + 1)
    assert [item for item, _ in step.found] == list(range(1000))


def test_chunks_grow_to_half_a_second_of_work(journal: Any, log: Log, world: World) -> None:
    play(journal, Maps(iter(range(3000)), plain, None))
    sizes = [len(call.items) for call in log.submitted]
    assert sizes[0] == 10
    assert max(sizes) > 10


@pytest.mark.parametrize(("seconds", "size"), [(0.001, 1000), (0.1, 50), (1.0, 5), (60.0, 1)])
def test_a_chunk_has_as_many_items_as_take_half_a_second(seconds: float, size: int) -> None:
    cut = Size(None, slots=2)
    assert cut.next(None) == 10
    cut.took(10, seconds)
    assert cut.next(None) == size
    assert Size(7, slots=2).next(None) == 7


def test_a_failed_step_undoes_items_in_reverse(journal: Any, log: Log, world: World) -> None:
    step = Maps(list(range(23)), chunk=4)
    with pytest.raises(StepFailedError, match="told to"):
        play(journal, step, Does("bad", fails))
    assert world.undone == list(range(22, -1, -1))
    assert not world.made
    assert step.undone == 1, "then the step itself"
    assert world.data[0] == {"made": [22]}


def test_an_item_that_fails_is_undone_and_counted(journal: Any, log: Log, world: World) -> None:
    world.fails = {3, 17}
    step = Maps(list(range(20)), max_failed=2, chunk=4)
    play(journal, step)
    assert (step.found.count, step.found.failed) == (18, 2)
    assert sorted(world.undone) == [3, 17]
    assert sorted(world.made) == [each for each in range(20) if each not in world.fails]
    assert [item for item, _ in step.found] == sorted(world.made)
    assert list(step.found.errors()) == [
        (3, 3, "ValueError: no such item: 3"),
        (17, 17, "ValueError: no such item: 17"),
    ]


@pytest.mark.parametrize(
    ("most", "enough"), [(0, False), (1, False), (2, True), ("10%", True), ("9%", False)]
)
@pytest.mark.parametrize("sized", [True, False])
def test_more_failed_items_than_may_fail_the_step(
    most: Any, enough: bool, sized: bool, journal: Any, log: Log, world: World
) -> None:
    world.fails = {0, 11}
    step = Maps(range(20) if sized else iter(range(20)), max_failed=most)
    if enough:
        play(journal, step)
        return
    with pytest.raises(StepFailedError, match=r"failed.*: item 0: ValueError: no such item: 0"):
        play(journal, step)
    assert not world.made
    assert step.undone == 1


def test_a_lost_chunk_is_undone_and_tried_again(journal: Any, log: Log, world: World) -> None:
    lost = {(1, 1): "after", (2, 1): "before", (2, 2): "after"}
    log.fault = lambda call: (
        None if call.attempt.undo else lost.get((call.attempt.chunk, call.attempt.attempt))
    )
    step = Maps(list(range(20)), chunk=5)
    play(journal, step)
    assert not world.doubled
    assert sorted(world.made) == list(range(20))
    assert step.found.count == 20
    assert [(each.chunk, each.attempt) for each in log.confirmed] == [(1, 1), (2, 1), (2, 2)]


def test_a_chunk_that_is_lost_three_times_fails_the_step(
    journal: Any, log: Log, world: World
) -> None:
    log.fault = lambda call: (
        "after" if call.attempt[3:] == (1, call.attempt.attempt, False) else None
    )
    with pytest.raises(StepFailedError, match="items 5 to 9: the worker was lost 3 times"):
        play(journal, Maps(list(range(20)), chunk=5))
    assert not world.made


def test_nothing_of_a_chunk_whose_worker_may_live_is_touched(
    journal: Any, log: Log, world: World
) -> None:
    log.fault = lambda call: "after" if call.attempt.chunk == 1 else None
    log.death = lambda attempt: "unknown" if attempt.chunk == 1 else "dead"
    with pytest.raises(StepFailedError) as caught:
        play(journal, Maps(list(range(20)), chunk=5))
    assert caught.value.outcome == "rollback_incomplete"
    assert "items 5 to 9: its worker may still be working on it" in str(
        caught.value.rollback_errors
    )
    assert not {5, 6, 7, 8, 9} & set(world.undone)
    assert sorted(world.made) == [5, 6, 7, 8, 9]


def test_an_item_whose_undo_fails_leaves_the_rollback_incomplete(
    journal: Any, log: Log, world: World
) -> None:
    world.stuck = {7}
    step = Maps(list(range(20)), chunk=5)
    with pytest.raises(StepFailedError) as caught:
        play(journal, step, Does("bad", fails))
    assert caught.value.outcome == "rollback_incomplete"
    assert "1 item was not undone: item 7: OSError: stuck" in str(caught.value.rollback_errors[0])
    assert sorted(world.made) == [7]
    assert step.undone == 0, "what the items are in stays, too"


def test_an_item_whose_undo_fails_lets_the_steps_wait_that_its_step_refers_to(
    journal: Any, log: Log, world: World
) -> None:
    world.stuck = {7}
    rooms, step = Does("rooms"), Maps(list(range(20)), chunk=5)
    step.undo_before = ("rooms",)
    with pytest.raises(StepFailedError) as caught:
        play(journal, rooms, step, Does("bad", fails))
    assert caught.value.held_back == {"rooms": step.name}
    assert rooms.undone == []


def test_a_step_that_is_retried_undoes_its_items_first(
    journal: Any, log: Log, world: World
) -> None:
    world.fails = {19}

    class Heals(Maps):
        def rollback(self, context: Any, result: StepResult) -> None:
            world.fails = set()

    step = Heals(list(range(20)), chunk=5)
    play(journal, Again(step))
    assert not world.doubled
    assert sorted(world.made) == list(range(20))
    assert [item for item, _ in step.found] == list(range(20))


def test_a_step_may_map_items_several_times(journal: Any, log: Log, world: World) -> None:
    class Twice(Maps):
        def execute(self, context: Any) -> StepResult:
            first = context.map_items(make, range(10), rollback=remove, chunk=3)
            second = context.map_items(make, range(10, 30), rollback=remove, chunk=7)
            self.found = [*first, *second]
            return StepResult()

    step = Twice([])
    with pytest.raises(StepFailedError):
        play(journal, step, Does("bad", fails))
    assert [item for item, _ in step.found] == list(range(30))
    assert world.undone == list(range(29, -1, -1))
    assert not world.made


def test_items_in_lanes_of_a_group(journal: Any, log: Log, world: World) -> None:
    lanes = [[Maps(range(30), name="a", chunk=4)], [Maps(range(30, 60), name="b", chunk=4)]]
    with pytest.raises(StepFailedError):
        play(journal, parallel("both", lanes), Does("bad", fails))
    assert sum(world.calls.values()) == 60
    assert not world.made


def test_async_steps_and_async_functions(journal: Any, log: Log, world: World) -> None:
    step = AsyncMaps(range(30), make_async, remove_async)
    with pytest.raises(StepFailedError):
        play(journal, step, Does("bad", fails))
    assert sorted(world.undone) == list(range(30))
    assert not world.made


def test_an_async_run(journal: Any, log: Log, world: World) -> None:
    registry: Any = StepRegistry()
    for step in (steps := (Maps(range(30)), AsyncMaps(range(30, 60), name="more"))):
        registry.register(step)
    asyncio.run(Orchestrator(registry, Context(RuntimeContext()), journal=journal).execute_async())
    assert sorted(world.made) == list(range(60))
    assert [each.found.count for each in steps] == [30, 30]


def test_functions_are_found_by_name(journal: Any, log: Log, world: World) -> None:
    with pytest.raises(StepFailedError, match="lambda"):
        play(journal, Maps([1], lambda item, context: None, None))


def test_an_item_that_is_no_json_is_named(journal: Any, log: Log, world: World) -> None:
    with pytest.raises(
        StepFailedError, match=r"item 12 of step 'work' \(\{12\}\) cannot be stored"
    ):
        play(journal, Maps([{12} if item == 12 else item for item in range(20)]))
    assert not world.made


def test_a_result_that_is_no_json_fails_its_item(journal: Any, log: Log, world: World) -> None:
    step = Maps(range(5), odd, None, max_failed=1)
    play(journal, step)
    assert [item for item, _ in step.found] == [0, 1, 2, 4]
    [(position, _, error)] = step.found.errors()
    assert position == 3
    assert "the result of item 3 cannot be stored as JSON" in error


@pytest.mark.parametrize(
    "options", [{"max_failed": "2"}, {"max_failed": -1}, {"max_failed": "101%"}, {"chunk": 0}]
)
def test_options_are_checked(options: Any, journal: Any, log: Log, world: World) -> None:
    with pytest.raises(StepFailedError, match=r"max_failed|chunk"):
        play(journal, Maps([1], **options))
    assert not world.calls


def test_an_iterable_that_raises_fails_the_step_after_what_runs_has_ended(
    journal: Any, log: Log, world: World
) -> None:
    def items() -> Iterator[int]:
        yield from range(12)
        raise OSError("the source is gone")

    with pytest.raises(StepFailedError, match="the source is gone"):
        play(journal, Maps(items(), chunk=5))
    assert not world.made


def test_secrets_are_masked_or_refused(log: Log, world: World, writes: Writes) -> None:
    from handrail.orchestrator.journaled import RunAbout
    from handrail.redact import Mask

    registry: Any = StepRegistry()
    step = Maps([0, 1], secret, remove, max_failed=1)
    registry.register(step)
    about = RunAbout(action="a", mask=Mask(["hunter2hunter2"]))
    Orchestrator(registry, Context(RuntimeContext()), journal=writes, about=about).execute()
    [row] = writes.chunks(1, "work", 1)
    assert "hunter2" not in f"{row} {writes.item_notes(1, 'work', 1, 0)}"
    for given in ({"shared": "hunter2hunter2"}, {"items": ["hunter2hunter2"]}):
        registry = StepRegistry()
        registry.register(Maps(given.pop("items", [1]), make, remove, **given))
        with pytest.raises(StepFailedError, match="has a secret in it, which is never stored"):
            Orchestrator(registry, Context(RuntimeContext()), journal=writes, about=about).execute()
