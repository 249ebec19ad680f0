"""Recorded runs with groups: kept, refused, gone on with in a plan that has changed."""

from __future__ import annotations

import threading
from itertools import chain
from typing import Any

import pytest
from killing.told import AsyncDoes, Context, Does, flow, flow_run, play

from handrail import SourceChangedError, StepFailedError, StepResult, parallel, resume, rollback
from handrail.errors import DriftError, JournalError, LeaseLostError
from handrail.journal.records import AttemptChange

PATIENCE = 60  # Seconds after which a test fails that waits for another thread.


class Meets(Does):
    """Waits for another one, which is there too, before it works."""

    def __init__(self, name: str, barrier: threading.Barrier, *given: Any, **told: Any) -> None:
        super().__init__(name, *given, **told)
        self.barrier = barrier

    def execute(self, context: Any) -> StepResult:
        self.barrier.wait(PATIENCE)
        return super().execute(context)


def stopped_at(writes: Any, *names: str, error: type[JournalError] = LeaseLostError) -> None:
    """Let the journal refuse that one of these steps is over."""
    writes.fail = lambda change: (
        isinstance(change, AttemptChange) and change.step in names and change.state == "done"
    )
    writes.error = error


def begun(writes: Any, *steps: Any) -> None:
    """Begin a run and stop where `stopped_at` says; nothing is undone."""
    with pytest.raises(LeaseLostError):
        flow_run(writes, *steps)
    writes.fail = lambda change: False


def states(writes: Any) -> dict[str, str]:
    return {row.step: row.state for row in writes.read(1).attempts}


def test_a_failure_in_a_lane_is_kept_and_every_lane_goes_on(writes: Any) -> None:
    """What was over stays, what failed begins again, and what had not begun runs."""
    broken, barrier, ran = [True], threading.Barrier(2), list[str]()

    def work(context: Any) -> StepResult:
        ran.append("a2")
        return StepResult(success=not broken[0], error="broken")

    first = Meets("a", barrier, lambda context: ran.append("a"))
    other = Meets("b", barrier, lambda context: ran.append("b"))
    last = Does("c", lambda context: ran.append("c"))
    lanes = [[first, Does("a2", work)], [other, Does("b2", lambda context: ran.append("b2"))]]
    steps = [parallel("g", lanes), last]
    with pytest.raises(StepFailedError, match="Step 'a2' failed") as caught:
        flow_run(writes, *steps, on_failure="keep")
    assert caught.value.outcome == "failed"
    assert first.undone == other.undone == []
    assert ran.count("a") == 1
    broken[0] = False
    assert resume(flow(*steps), journal=writes, packs=())["success"]
    assert [ran.count(name) for name in ("a", "b", "a2", "c")] == [1, 1, 2, 1]
    rows = [(row.step, row.n, row.state) for row in writes.read(1).attempts]
    assert ("a2", 1, "undone") in rows
    assert {("a2", 2, "done"), ("a", 1, "done"), ("b", 1, "done"), ("c", 1, "done")} <= {*rows}


def half_done(writes: Any) -> list[Any]:
    """Begin a group of which both lanes have ended their first step, and are in the second."""
    barrier = threading.Barrier(2)

    def add(name: str) -> Any:
        return lambda context: (
            context.seen.append(name)
            if name[0] == "a"
            else setattr(context, "anything", [*(context.anything or []), name])
        )

    steps = [
        *(Meets("a", barrier, add("a")), Meets("a2", barrier, add("a2"))),
        *(Meets("b", barrier, add("b")), Meets("b2", barrier, add("b2"))),
    ]
    stopped_at(writes, "a2", "b2")
    begun(writes, parallel("g", [steps[:2], steps[2:]]))
    assert {name: state for name, state in states(writes).items() if name[-1] != "2"} == {
        "a": "done",
        "b": "done",
    }
    return [Does(each.name, add(each.name)) for each in steps]


@pytest.mark.parametrize(
    "shape",
    ["a a2 | b b2", "a a2 new | b b2", "a a2 | b b2 new", "new | a a2 | b b2", "a a2 | b b2 | new"],
)
def test_lanes_go_on_where_what_has_not_begun_is_another(writes: Any, shape: str) -> None:
    """The fields of each lane are those of its steps, wherever it is in the plan now."""
    steps = {step.name: step for step in half_done(writes)}
    steps["new"] = Does("new")
    lanes = [[steps[name] for name in lane.split()] for lane in shape.split("|")]
    seen: list[Any] = []
    last = Does("last", lambda context: seen.append((context.seen, context.anything)))
    assert resume(flow(parallel("g", lanes), last), journal=writes, packs=())["success"]
    assert seen == [(["a", "a2"], ["b", "b2"])]


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("new a a2 | b b2", "a was step 1 of lane 1 of g, and is step 2 of lane 1 of g"),
        ("a b a2 | b2", "a2 was step 2 of lane 1 of g, and is step 3 of lane 1 of g"),
        ("a a2 | b2", "b is not in the plan any more"),
    ],
)
def test_drift_is_compared_lane_by_lane(writes: Any, shape: str, told: str) -> None:
    steps = {step.name: step for step in half_done(writes)}
    steps["new"] = Does("new")
    lanes = [[steps[name] for name in lane.split()] for lane in shape.split("|")]
    if "b2" not in states(writes):
        pytest.skip("the journal refused the first lane before the second step of the other began")
    for go_on in (resume, rollback):
        with pytest.raises(DriftError) as caught:
            go_on(flow(parallel("g", lanes)), 1, journal=writes, packs=())
        assert told in str(caught.value)
    assert writes.runs()[0].outcome is None


def test_a_group_that_is_none_any_more_is_drift(writes: Any) -> None:
    steps = half_done(writes)
    with pytest.raises(DriftError, match="b was step 1 of lane 2 of g, and is step 3"):
        resume(flow(*steps), 1, journal=writes, packs=())


def test_what_steps_restore_is_for_their_lane(writes: Any) -> None:
    """And what those before the group restore is for all lanes."""
    barrier, seen = threading.Barrier(2), dict[str, Any]()

    class Connects(Meets):
        def restore(self, context: Any, result: StepResult) -> None:
            context.__dict__["client"] = f"{self.name} again"

    def look(context: Any) -> None:
        seen[context.current_step] = context.__dict__.pop("client", None)

    class Before(Does):
        def restore(self, context: Any, result: StepResult) -> None:
            assert "client" not in context.__dict__
            context.__dict__["client"] = "before again"

    lanes = [
        [Connects("a", barrier), Meets("a2", barrier, look)],
        [Meets("b", barrier), Meets("b2", barrier, look)],
    ]
    stopped_at(writes, "a2", "b2")
    steps = [Before("first"), parallel("g", lanes)]
    begun(writes, *steps)
    seen.clear()
    assert resume(flow(*steps), journal=writes, packs=())["success"]
    assert seen == {"a2": "a again", "b2": "before again"}


def test_where_the_journal_cannot_be_written_nothing_is_undone(writes: Any) -> None:
    """That is left to another process, which finishes it."""
    barrier = threading.Barrier(2)
    first = Does("first")
    lanes = [
        [Meets("a", barrier), Does("a2")],
        [Meets("b", barrier), Does("b2")],
    ]
    steps = [first, parallel("g", lanes)]
    stopped_at(writes, "a2", "b2", error=JournalError)
    with pytest.raises(JournalError, match="no room"):
        flow_run(writes, *steps)
    assert states(writes)["first"] == "done"
    assert not [each for each in (first, *chain(*lanes)) if each.undone]
    assert writes.runs()[0].outcome is None
    writes.fail = lambda change: False
    barrier.reset()
    again = [[Does(each.name) for each in lane] for lane in lanes]
    assert resume(flow(Does("first"), parallel("g", again)), journal=writes, packs=())["success"]


def test_a_source_that_has_changed_for_one_lane_stops_all_and_undoes_nothing(writes: Any) -> None:
    changed = [True]

    class Reads(Meets):
        def resume(self, context: Any, result: StepResult) -> StepResult:
            if changed[0]:
                raise SourceChangedError("data.csv has other lines")
            return StepResult()

    barrier = threading.Barrier(2)
    lanes = [[Reads("a", barrier)], [Meets("b", barrier), Does("b2")]]
    stopped_at(writes, "a", "b")
    begun(writes, parallel("g", lanes))
    again = [[Reads("a", barrier)], [Does("b"), Does("b2")]]
    with pytest.raises(SourceChangedError, match="step 'a' cannot go on"):
        resume(flow(parallel("g", again)), journal=writes, packs=())
    assert (writes.runs()[0].outcome, writes.runs()[0].direction) == (None, "forward")
    changed[0] = False
    assert resume(flow(parallel("g", again)), journal=writes, packs=())["success"]


def test_an_attempt_that_no_lane_came_to_again_is_undone_all_the_same(writes: Any) -> None:
    """The first lane fails before the second one, which waits for it, may go on."""
    barrier = threading.Barrier(2)
    broken = StepResult(success=False, error="broken")

    def work(context: Any) -> None:
        context.record_rollback("made", 1)
        barrier.wait(PATIENCE)

    stopped_at(writes, "a", "b")
    begun(writes, parallel("g", [Meets("a", barrier), Does("b", work)]))
    again = Does("b")
    steps = parallel("g", [Does("a", lambda context: broken), again], concurrency=1)
    with pytest.raises(StepFailedError, match="Step 'a' failed: broken"):
        resume(flow(steps), journal=writes, packs=())
    assert again.undone == [{"made": [1]}]
    assert set(states(writes).values()) == {"undone"}


def test_a_field_that_one_lane_has_put_back_has_the_value_of_the_other(writes: Any) -> None:
    """Also for a process that comes later, though the last one to write it was the first lane."""
    steps = [threading.Event() for _ in range(3)]

    def sets(number: int, before: int, then: int) -> Any:
        def work(context: Any) -> None:
            steps[before].wait(PATIENCE)
            context.number = float(number)

        return work

    def frees(place: int) -> Any:
        return lambda context: steps[place].set()

    steps[0].set()
    lanes = [
        [Does("a", sets(3, 0, 1)), Does("a2", frees(1)), Does("a3", sets(0, 2, 2))],
        [Does("b", sets(3, 1, 2)), Does("b2", frees(2))],
    ]
    seen: list[float] = []
    after = Does("after", lambda context: seen.append(context.number))
    stopped_at(writes, "after")
    begun(writes, parallel("g", lanes), after)
    resume(flow(parallel("g", lanes), after), journal=writes, packs=())
    assert seen == [3.0, 3.0]


def test_a_group_that_was_over_is_not_run_again(writes: Any) -> None:
    ran: list[str] = []
    lanes = [Does("a", lambda context: ran.append("a")), Does("b", lambda context: ran.append("b"))]
    stopped_at(writes, "after")
    begun(writes, parallel("g", lanes), Does("after"))
    assert resume(flow(parallel("g", lanes), Does("after")), journal=writes, packs=())["success"]
    assert sorted(ran) == ["a", "b"]


def test_async_steps_record_side_by_side(writes: Any) -> None:
    async def record(context: Any) -> None:
        for number in range(3):
            await context.arecord_rollback("made", number)

    context = Context(None)  # type: ignore[arg-type]
    play(writes, parallel("g", [AsyncDoes("a", record), AsyncDoes("b", record)]), context=context)
    assert context.results["a"].rollback_data == {"made": [0, 1, 2]}
    assert [note.values for note in writes.read(1).notes if note.step == "b"] == [
        "[0]",
        "[1]",
        "[2]",
    ]
