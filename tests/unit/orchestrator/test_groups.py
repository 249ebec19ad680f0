"""Groups: lanes side by side in both drivers, what they share, and how they end together."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    Run,
    RuntimeContext,
    Sleep,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
    Undo,
    parallel,
)
from handrail.context import intercept_records
from handrail.errors import FieldConflictError, StepCancelled
from handrail.events import InterruptReceived, StepFinished, StepProgressed, StepStarted
from handrail.orchestrator import interrupts

PATIENCE = 60  # Seconds after which a test fails that waits for another thread.


@dataclass(kw_only=True)
class Context(BaseStepContext):
    found: list[str] = field(default_factory=list)
    count: int = 0
    by_name: dict[str, int] = field(default_factory=dict)
    client: Any = None


class Do(BaseStep[Context]):
    """A step that calls a function."""

    progress_weight = 1.0

    def __init__(
        self, name: str, act: Callable[[Context], Any] = lambda context: None, undo: Any = None
    ) -> None:
        self.name = name
        self.act = act
        self.undo = undo

    def execute(self, context: Context) -> StepResult:
        context.record_rollback("made", self.name)
        returned = self.act(context)
        return returned if isinstance(returned, StepResult) else StepResult(data={"by": self.name})

    def rollback(self, context: Context, result: StepResult) -> None:
        if self.undo is not None:
            self.undo(context, self.name, result)


class AsyncDo(Do):
    async def execute(self, context: Context) -> StepResult:
        context.record_rollback("made", self.name)
        await self.act(context)
        return StepResult(data={"by": self.name})


def registry(*steps: Any) -> StepRegistry[Any]:
    made = StepRegistry[Any]()
    for each in steps:
        made.register(each)
    return made


def waits_for_the_end(context: Context) -> None:
    with suppress(StepCancelled):
        while True:
            context.log("waiting", {})


@pytest.fixture(params=["blocking", "asyncio"])
def execute(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Execute steps with one of the drivers; return the context."""

    def run(*steps: Any, context: Context | None = None, **more: Any) -> Context:
        context = Context(runtime_ctx=RuntimeContext()) if context is None else context
        orchestrator = Orchestrator(registry(*steps), context, **more)
        if request.param == "asyncio":
            asyncio.run(orchestrator.execute_async())
        else:
            orchestrator.execute()
        return context

    return run


def test_blocking_steps_of_lanes_run_at_the_same_time(execute: Any) -> None:
    """Each waits for the others: one after the other they would never come past it."""
    barrier = threading.Barrier(3)
    lanes = [Do(name, lambda _: barrier.wait(PATIENCE)) for name in "abc"]
    assert list(execute(parallel("g", lanes)).results) == ["a", "b", "c"]


def test_a_lane_has_one_thread_that_is_not_waited_for_at_exit(execute: Any) -> None:
    threads: dict[str, threading.Thread] = {}

    def note(name: str) -> Do:
        return Do(name, lambda _: threads.update({name: threading.current_thread()}))

    execute(parallel("g", [[note("a"), note("b")], note("c")]))
    assert threads["a"] is threads["b"]
    assert threads["a"] is not threads["c"]
    assert all(each.daemon for each in threads.values())


def test_async_steps_of_lanes_run_in_the_loop_of_the_run(execute: Any) -> None:
    """A connection that a step before the group has opened belongs to that loop."""
    loops: list[Any] = []
    barrier = asyncio.Barrier(2)

    async def meet(context: Context) -> None:
        loops.append(asyncio.get_running_loop())
        await barrier.wait()

    async def note(context: Context) -> None:
        loops.append(asyncio.get_running_loop())

    execute(AsyncDo("open", note), parallel("g", [AsyncDo("a", meet), AsyncDo("b", meet)]))
    assert loops[0] is loops[1] is loops[2]


def test_a_lane_sees_what_was_there_and_what_its_own_steps_did(execute: Any) -> None:
    """Also what is changed in place: nothing of another lane, whose step has ended before."""
    barrier, seen = threading.Barrier(2), dict[str, Any]()

    def look(context: Context) -> None:
        barrier.wait(PATIENCE)  # The first steps of both lanes are over.
        seen[context.current_step or ""] = (
            list(context.found),
            dict(context.by_name),
            list(context.results),
            [each.data["by"] for each in context.step_results],
        )

    execute(
        Do("before", lambda context: context.found.append("before")),
        parallel(
            "g",
            [
                [Do("a", lambda context: context.found.append("a")), Do("a2", look)],
                [Do("b", lambda context: context.by_name.update(b=1)), Do("b2", look)],
            ],
        ),
    )
    assert seen["a2"] == (["before", "a"], {}, ["before", "a"], ["before", "a"])
    assert seen["b2"] == (["before"], {"b": 1}, ["before", "b"], ["before", "b"])


def test_after_a_group_the_changes_of_all_lanes_are_there(execute: Any) -> None:
    connection = object()

    def change(name: str, value: Any) -> Callable[[Context], None]:
        return lambda context: setattr(context, name, value)

    context = execute(
        Do("before", change("found", ["kept"])),
        parallel(
            "g",
            [
                [Do("a", change("count", 5)), Do("a2", lambda each: each.by_name.update(a=1))],
                [Do("b", change("client", connection)), Do("b2", change("count", 5))],
            ],
        ),
        Do("after", lambda each: each.found.append(str(each.count))),
    )
    assert (context.count, context.by_name, context.found) == (5, {"a": 1}, ["kept", "5"])
    assert context.client is connection
    assert [result.data["by"] for result in context.step_results] == [
        *("before", "a", "a2", "b", "b2", "after")
    ]


def test_the_second_lane_that_changes_a_field_to_another_value_fails(execute: Any) -> None:
    """What the first one has set stays, and the undo of the second one gets what it recorded."""
    first, undone = threading.Event(), []

    def late(context: Context) -> None:
        first.wait(PATIENCE)
        context.count = 2

    def early(context: Context) -> None:
        context.count = 1

    def then(context: Context) -> None:
        first.set()

    def undo(context: Context, name: str, result: StepResult) -> None:
        undone.append((name, context.count, result.rollback_data))

    with pytest.raises(StepFailedError) as caught:
        execute(
            parallel(
                "g", [[Do("early", early, undo), Do("then", then, undo)], Do("late", late, undo)]
            )
        )
    assert caught.value.step == "late"
    assert isinstance(caught.value.__cause__, FieldConflictError)
    assert "Context.count was set to another value by lane 1 of group 'g'" in str(caught.value)
    assert undone[0] == ("late", 1, {"made": ["late"]})
    assert {name for name, *_ in undone} == {"late", "then", "early"}


def test_the_failing_step_is_undone_first_then_the_others_from_the_last_start_back(
    execute: Any,
) -> None:
    """One at a time, though they ran side by side."""
    order: list[str] = []
    started = {name: threading.Event() for name in ("a", "b", "c", "d")}
    undone: list[str] = []

    def after(name: str, other: str | None, *, broken: bool = False) -> Do:
        def act(context: Context) -> None:
            order.append(name)
            started[name].set()
            if other is not None:
                started[other].wait(PATIENCE)
            if broken:
                raise ValueError("broken")

        return Do(name, act, lambda context, each, result: undone.append(each))

    with pytest.raises(StepFailedError, match="Step 'a' failed"):
        execute(
            Do("first", undo=lambda context, each, result: undone.append(each)),
            parallel("g", [after("a", "d", broken=True), [after("b", None), after("d", "a")]]),
        )
    assert order.index("b") < order.index("d")
    assert undone == ["a", "d", "b", "first"]


def test_after_a_failure_no_lane_starts_another_step(execute: Any) -> None:
    begun, failed = list[str](), threading.Event()

    def wait(context: Context) -> None:
        failed.wait(PATIENCE)

    def fail(context: Context) -> None:
        failed.set()
        raise ValueError("broken")

    def note(context: Context) -> None:
        begun.append(context.current_step or "")

    class Told(StepWrapper[Any]):
        def around(self, context: Any) -> Any:
            failed.wait(PATIENCE)
            # Until the engine has heard of it.
            waits_for_the_end(context)
            return (yield Run())

    with pytest.raises(StepFailedError, match="Step 'broken' failed") as caught:
        execute(
            parallel(
                "g",
                [
                    Do("broken", fail),
                    [Told(Do("inner", note)), Do("next", note)],
                    [Do("later", note)],
                ],
                concurrency=2,
            ),
            Do("after", note),
        )
    assert begun == []
    assert not getattr(caught.value, "__notes__", ())


@pytest.mark.parametrize(
    "call",
    [
        lambda context: context.log("here", {}),
        lambda context: context.set_progress(1, 2),
        lambda context: context.set_status("waiting"),
        lambda context: context.set_metrics({"a": 1}),
        lambda context: context.record_rollback("made", 1),
        lambda context: context.kept("made", 1),
    ],
)
def test_a_blocking_step_is_stopped_at_its_next_call(execute: Any, call: Any) -> None:
    """Also where it handles the errors of its own work; what it had recorded is undone."""
    running, undone, handled = threading.Event(), dict[str, Any](), list[BaseException]()

    def busy(context: Any) -> None:
        context.__dict__["kept"] = context.record_rollback
        running.set()
        try:
            while True:
                try:
                    call(context)
                except Exception as error:  # noqa: BLE001 - as users do
                    handled.append(error)
        finally:
            del context.__dict__["kept"]

    def fail(context: Context) -> None:
        running.wait(PATIENCE)
        raise ValueError("broken")

    with pytest.raises(StepFailedError, match="Step 'broken' failed"):
        execute(
            parallel(
                "g",
                [
                    Do("busy", busy, lambda context, name, result: undone.update({name: result})),
                    Do("broken", fail),
                ],
            )
        )
    assert not handled
    assert undone["busy"].rollback_data["made"][0] == "busy"
    assert undone["busy"].error == "cancelled, because step 'broken' failed"


def test_an_async_step_is_cancelled(execute: Any) -> None:
    running, seen, undone = asyncio.Event(), list[BaseException](), list[str]()

    async def endless(context: Context) -> None:
        running.set()
        try:
            await asyncio.Event().wait()
        except BaseException as error:
            seen.append(error)
            raise

    async def fail(context: Context) -> None:
        await running.wait()
        raise ValueError("broken")

    def undo(context: Context, name: str, result: StepResult) -> None:
        undone.append(name)

    with pytest.raises(StepFailedError, match="Step 'broken' failed"):
        execute(parallel("g", [AsyncDo("endless", endless, undo), AsyncDo("broken", fail)]))
    assert [type(each) for each in seen] == [asyncio.CancelledError]
    assert undone == ["endless"]


def test_a_pause_between_attempts_is_cut_short(execute: Any) -> None:
    """It would last for an hour; the attempt before it is undone with the step."""
    pausing, undone = threading.Event(), list[str]()

    class Again(StepWrapper[Any]):
        def around(self, context: Any) -> Any:
            yield Run()
            pausing.set()
            yield Sleep(3600)
            return (yield Run())

    def fail(context: Context) -> None:
        pausing.wait(PATIENCE)
        raise ValueError("broken")

    def undo(context: Context, name: str, result: StepResult) -> None:
        undone.append(name)

    with pytest.raises(StepFailedError, match="Step 'broken' failed"):
        execute(parallel("g", [Again(Do("slow", undo=undo)), Do("broken", fail)]))
    assert undone == ["slow"]


def test_a_second_failure_is_a_note_on_the_first(execute: Any) -> None:
    running = threading.Event()

    def fail(context: Context) -> None:
        running.wait(PATIENCE)
        raise ValueError("broken")

    def fail_too(context: Context) -> None:
        running.set()
        try:
            while True:
                context.log("waiting", {})
        except StepCancelled:
            raise OSError("no room") from None

    with pytest.raises(StepFailedError, match="Step 'one' failed: broken") as caught:
        execute(parallel("g", [Do("one", fail), Do("two", fail_too)]))
    assert caught.value.__notes__ == ["Step 'two' failed: no room"]


@pytest.mark.parametrize("limit", [1, 2, 5])
def test_no_more_lanes_run_at_once_than_the_limit_says(execute: Any, limit: int) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def act(context: Context) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        with lock:
            running -= 1

    lanes = [[Do(f"{lane}{place}", act) for place in "abc"] for lane in range(6)]
    context = execute(parallel("g", lanes, concurrency=limit))
    assert 1 <= most <= limit
    assert len(context.step_results) == 18


def test_progress_is_the_weights_of_what_is_over_and_the_parts_of_what_runs(execute: Any) -> None:
    """a and b are a quarter each, and half of b is done when a has ended."""
    percents, half, ended = list[int](), threading.Event(), threading.Event()

    def part(context: Context) -> None:
        context.set_progress(1, 2)
        half.set()
        ended.wait(PATIENCE)

    def observe(event: Any) -> None:
        if isinstance(event, StepFinished) and event.step == "a":
            ended.set()

    execute(
        Do("before"),
        parallel("g", [Do("a", lambda _: half.wait(PATIENCE)), Do("b", part)]),
        Do("after"),
        progress_callback=lambda now, total: percents.append(now),
        observers=[observe],
    )
    assert percents[:2] == [25, 37]
    assert set(percents[2:-2]) <= {50, 62, 75}
    assert percents[-2:] == [75, 100]


def test_events_name_the_group_and_the_lane(execute: Any) -> None:
    events: list[Any] = []

    def report(context: Context) -> None:
        context.set_progress(1, 2)

    lanes = parallel("g", [Do("a", report), [Do("b"), Do("c", report)]])
    execute(Do("before", report), lanes, observers=[events.append])
    for kind in (StepStarted, StepProgressed, StepFinished):
        found = {each.step: (each.group, each.lane) for each in events if isinstance(each, kind)}
        expected = {"before": (None, None), "a": ("g", 0), "b": ("g", 1), "c": ("g", 1)}
        assert found == {name: expected[name] for name in found}
        assert {"a", "c"} <= found.keys()


def test_layers_and_attempts_are_played_in_their_lane(execute: Any) -> None:
    """The undo of an attempt gets what that attempt recorded, in the context of the lane."""
    undone: list[Any] = []
    attempts: dict[str, int] = {}

    class Retry(StepWrapper[Any]):
        def around(self, context: Any) -> Any:
            result = yield Run()
            if not result.success:
                yield Undo()
                yield Sleep(0)
                result = yield Run()
            return result

    def flaky(context: Context) -> StepResult:
        name = context.current_step or ""
        attempts[name] = attempts.get(name, 0) + 1
        context.record_rollback("made", attempts[name])
        return StepResult(success=attempts[name] > 1, error="flaky")

    def undo(context: Context, name: str, result: StepResult) -> None:
        undone.append((context.current_step, result.rollback_data))

    context = execute(
        parallel("g", [Retry(Retry(Do("a", flaky, undo))), Retry(Do("b", flaky, undo))])
    )
    assert sorted(undone) == [("a", {"made": ["a", 1]}), ("b", {"made": ["b", 1]})]
    assert context.results["a"].rollback_data == {"made": ["a", 2]}


def test_a_step_is_skipped_in_its_lane_and_a_step_after_the_group_always_runs(execute: Any) -> None:
    class Skipped(Do):
        def can_skip(self, context: Context) -> bool:
            return True

    class Refuses(Do):
        def can_skip(self, context: Context) -> bool:
            raise ValueError("do not ask")

    class Close(BaseStep[Context]):
        name = "close"
        progress_weight = 0.0
        always_run = True

        def execute(self, context: Context) -> StepResult:
            return StepResult(data={"saw": list(context.results), "outcome": context.outcome})

    context = execute(parallel("g", [[Skipped("a"), Do("b")], Do("c")]), Close())
    assert context.results["a"].skipped
    assert context.results["close"].data == {"saw": ["a", "b", "c"], "outcome": "completed"}
    context = Context(runtime_ctx=RuntimeContext())
    with pytest.raises(StepFailedError, match="Step 'a' failed: do not ask"):
        execute(parallel("g", [[Refuses("a"), Do("b")], Do("c")]), Close(), context=context)
    assert context.outcome == "rolled_back"
    assert "b" not in context.results["close"].data["saw"]


def test_a_run_within_a_step_of_a_lane_has_groups_of_its_own(execute: Any) -> None:
    def inner(context: Context) -> None:
        barrier = threading.Barrier(2)
        lanes = [Do(name, lambda _: barrier.wait(PATIENCE)) for name in "xy"]
        inside = Context(runtime_ctx=RuntimeContext())
        Orchestrator(registry(parallel("inside", lanes)), inside).execute()
        context.set_progress(1, 1)

    context = execute(parallel("g", [Do("a", inner), Do("b", inner)]))
    assert list(context.results) == ["a", "b"]


def test_what_intercepts_records_is_asked_in_lanes_too(execute: Any) -> None:
    context, seen = Context(runtime_ctx=RuntimeContext()), list[Any]()

    def intercept(record: Any, key: str, value: Any) -> None:
        seen.append(value)
        record(key, value)

    intercept_records(context, intercept)
    execute(parallel("g", [Do("a"), Do("b")]), context=context)
    assert sorted(seen) == ["a", "b"]
    assert context.results["b"].rollback_data == {"made": ["b"]}


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_stops_all_lanes_and_undoes_them() -> None:
    """The steps end at their next call; the interrupt itself is raised."""
    undone: list[str] = []

    def busy(context: Context) -> None:
        ctrl_c()
        while True:
            context.log("working", {})

    def undo(context: Context, name: str, result: StepResult) -> None:
        undone.append(name)

    def untouched(context: Context) -> None:
        raise AssertionError("it must not begin")

    lanes = [[Do("a", busy, undo), Do("b", untouched)], Do("c", busy, undo)]
    context = Context(runtime_ctx=RuntimeContext())
    with pytest.raises(KeyboardInterrupt):
        Orchestrator(
            registry(Do("first", undo=undo), parallel("g", lanes), Do("after", untouched)), context
        ).execute()
    assert context.outcome == "rolled_back"
    assert undone == ["c", "a", "first"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_no_lane_starts_once_the_run_was_interrupted_before_the_group() -> None:
    """Nor is that said of a step."""
    begun: list[str] = []

    class Late(Do):
        # It suppresses the interrupt, and there is no progress to report before the group.
        progress_weight = 0.0

        def execute(self, context: Context) -> StepResult:
            with suppress(KeyboardInterrupt):
                ctrl_c()
                threading.Event().wait(PATIENCE)
            return StepResult()

    def observe(event: Any) -> None:
        if isinstance(event, StepStarted):
            begun.append(event.step)

    steps = registry(Late("late"), parallel("g", [Do("a"), Do("b")]))
    context = Context(runtime_ctx=RuntimeContext())
    with pytest.raises(KeyboardInterrupt):
        Orchestrator(steps, context, observers=[observe]).execute()
    assert begun == ["late"]
    assert context.outcome == "rolled_back"


def test_a_second_ctrl_c_leaves_the_run_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is undone while a step may be working still."""
    monkeypatch.setattr(interrupts, "ONE_SIGNAL", 0.0)
    undone, go_on, left = list[str](), threading.Event(), threading.Event()

    def stubborn(context: Context) -> None:
        ctrl_c()
        while True:
            try:
                context.log("working", {})
            except StepCancelled:
                break
        ctrl_c()
        go_on.wait(PATIENCE)
        left.set()

    def undo(context: Context, name: str, result: StepResult) -> None:
        undone.append(name)

    context = Context(runtime_ctx=RuntimeContext())
    steps = registry(Do("first", undo=undo), parallel("g", [Do("stubborn", stubborn, undo)]))
    with pytest.raises(KeyboardInterrupt):
        Orchestrator(steps, context).execute()
    assert (context.outcome, undone) == ("interrupted", [])
    go_on.set()
    assert left.wait(PATIENCE)


def test_after_a_failure_the_first_ctrl_c_only_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an undo, which has begun for whoever looks at it."""
    monkeypatch.setattr(interrupts, "ONE_SIGNAL", 0.0)
    undone, running, warned = list[str](), threading.Event(), threading.Event()

    def observe(event: Any) -> None:
        if isinstance(event, InterruptReceived) and event.undoing:
            warned.set()

    def fail(context: Context) -> None:
        running.wait(PATIENCE)
        raise ValueError("broken")

    def busy(context: Context) -> None:
        running.set()
        try:
            while True:
                context.log("working", {})
        except StepCancelled:
            ctrl_c()
            warned.wait(PATIENCE)
            raise

    def undo(context: Context, name: str, result: StepResult) -> None:
        undone.append(name)

    steps = registry(parallel("g", [Do("broken", fail, undo), Do("busy", busy, undo)]))
    with pytest.raises(KeyboardInterrupt) as caught:
        Orchestrator(steps, Context(runtime_ctx=RuntimeContext()), observers=[observe]).execute()
    assert warned.is_set()
    assert isinstance(caught.value.__cause__, StepFailedError)
    assert undone == ["broken", "busy"]


def test_a_cancelled_run_waits_for_blocking_steps_and_is_undone() -> None:
    undone: list[str] = []

    async def main() -> None:
        task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        assert task is not None

        def busy(context: Context) -> None:
            loop.call_soon_threadsafe(task.cancel)
            while True:
                context.log("working", {})

        async def endless(context: Context) -> None:
            await asyncio.Event().wait()

        def undo(context: Context, name: str, result: StepResult) -> None:
            undone.append(name)

        lanes = [Do("a", busy, undo), AsyncDo("b", endless, undo)]
        steps = registry(Do("first", undo=undo), parallel("g", lanes))
        await Orchestrator(steps, Context(runtime_ctx=RuntimeContext())).execute_async()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert undone == ["b", "a", "first"]
