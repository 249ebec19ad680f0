"""Time limits of steps: what is interrupted, what is noticed later, and how the run ends.

A step that hangs here waits for a minute: where its limit works, nobody waits for that. What is to
be in time has no work to do, and all the time that a busy machine may take for that.
"""

from __future__ import annotations

import _thread
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from handrail import (
    Around,
    BaseStep,
    BaseStepContext,
    Limits,
    Orchestrator,
    RollbackPolicy,
    Run,
    RuntimeContext,
    Sleep,
    StepFailedError,
    StepRegistry,
    StepResult,
    StepWrapper,
)
from handrail.errors import StepTimedOut, StepTimeoutError
from handrail.events import StatusChanged
from handrail.orchestrator import asynchronous, blocking, interrupts, lanes, time_limit
from handrail.orchestrator.time_limit import Alarm, TimeLimit

SHORT = 0.2
LONG = 60.0
TOO_LONG = f"it took longer than its timeout of {SHORT}s"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="interrupts with POSIX signals")


class Quiet:
    """A runtime context that keeps nothing."""

    def log(self, event: str, data: Any, file: str | None = None) -> None: ...

    def set_progress(self, current: float, total: float, category: str | None = None) -> None: ...

    def set_metrics(self, value: Any, category: str) -> None: ...


class Does(BaseStep[Any]):
    """Calls a function, and notes its undo."""

    progress_weight = 1.0

    def __init__(
        self, name: str, work: Callable[[Any], Any], timeout: float | None = None, **more: Any
    ) -> None:
        self.name, self.work, self.undone = name, work, list[Any]()
        self.limits = Limits(timeout=timeout, **more)

    def execute(self, context: Any) -> StepResult:
        returned = self.work(context)
        return returned if isinstance(returned, StepResult) else StepResult()

    def rollback(self, context: Any, result: StepResult) -> None:
        self.undone.append(result.rollback_data)


class DoesAsync(Does):
    """Awaits a function."""

    async def execute(self, context: Any) -> StepResult:  # type: ignore[override]
        returned = await self.work(context)
        return returned if isinstance(returned, StepResult) else StepResult()


def made(*steps: BaseStep[Any], **more: Any) -> Orchestrator[Any]:
    registry = StepRegistry[Any]()
    for step in steps:
        registry.register(step)
    return Orchestrator(registry, BaseStepContext(Quiet()), **more)


def failure_of(*steps: BaseStep[Any], **more: Any) -> StepFailedError:
    with pytest.raises(StepFailedError) as caught:
        made(*steps, **more).execute()
    return caught.value


def async_failure_of(*steps: BaseStep[Any], **more: Any) -> StepFailedError:
    with pytest.raises(StepFailedError) as caught:
        asyncio.run(made(*steps, **more).execute_async())
    return caught.value


def hang(context: Any) -> None:
    context.record_rollback("made", 1)
    threading.Event().wait(LONG)


async def hang_async(context: Any) -> None:
    context.record_rollback("made", 1)
    await asyncio.sleep(LONG)


def over(limit_of: Callable[[], TimeLimit]) -> None:
    """Wait until the time of a limit is over, as its own thread sees it."""
    for _ in range(int(LONG / 0.01)):
        if limit_of().error is not None:
            return
        time.sleep(0.01)


def outcome_of(source: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    command = [sys.executable, "-c", textwrap.dedent(source)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.fixture
def limits_made(monkeypatch: pytest.MonkeyPatch) -> list[TimeLimit]:
    """The time limits, in the order in which they were made."""
    found: list[TimeLimit] = []

    class Noted(TimeLimit):
        def __init__(self, limits: Limits) -> None:
            super().__init__(limits)
            found.append(self)

    for module in (asynchronous, blocking, lanes):
        monkeypatch.setattr(module, "TimeLimit", Noted)
    return found


# What is interrupted


def test_a_blocking_step_in_the_main_thread_is_interrupted():
    """It fails with a TimeoutError, and is undone from what it had recorded; then the others."""
    before, step = Does("before", lambda _: None), Does("hangs", hang, SHORT)
    failure = failure_of(before, step)
    assert str(failure) == f"Step 'hangs' failed: {TOO_LONG}"
    assert isinstance(failure.__cause__, TimeoutError)
    assert (step.undone, before.undone) == ([{"made": [1]}], [{}])
    # The traceback says where it was.
    assert isinstance(failure.__cause__.__cause__, StepTimedOut)


@pytest.mark.parametrize("failure_of", [failure_of, async_failure_of], ids=["blocking", "asyncio"])
def test_an_async_step_is_cancelled(failure_of):
    """In the loop of a blocking run, and in one of the program."""
    step = DoesAsync("hangs", hang_async, SHORT)
    failure = failure_of(step)
    assert failure.error == TOO_LONG
    assert isinstance(failure.__cause__, StepTimeoutError)
    assert step.undone == [{"made": [1]}]


def test_an_async_step_that_blocks_its_loop_is_interrupted():
    """A cancellation is not heard then; after the time to clean up it is raised where it is."""
    failure = failure_of(DoesAsync("blocks", lambda _: time.sleep(LONG), SHORT, grace=0.0))
    assert failure.error == TOO_LONG


def test_an_async_step_is_cancelled_in_any_thread():
    """A blocking run in another thread has a loop of its own there."""
    failures: list[StepFailedError] = []
    step = DoesAsync("hangs", hang_async, SHORT)
    thread = threading.Thread(target=lambda: failures.append(failure_of(step)))
    thread.start()
    thread.join(LONG)
    assert failures[0].error == TOO_LONG


def test_an_attempt_to_continue_is_limited_too():
    """`resume` is an attempt like `execute`."""
    from handrail.engine.state import RunState
    from handrail.engine.step import play_step
    from handrail.orchestrator.dispatch import run_info
    from handrail.plan.builder import plan_of_registry

    class Resumed(Does):
        def resume(self, context: Any, result: StepResult) -> StepResult:
            return result

    registry = StepRegistry[Any]()
    registry.register(Resumed("a", hang, SHORT))
    run = RunState(
        registry.compiled(plan_of_registry),
        BaseStepContext(RuntimeContext()),
        run_id="id",
        describe=run_info,
        clock=lambda: 0.0,
    )
    run.line.doubt, run.attempts[0] = StepResult(), 1
    command = next(play_step(run.line, 0))
    assert (command.function.__name__, command.limits) == ("resume", Limits(timeout=SHORT))


def test_a_step_that_always_runs_is_limited():
    """It closes the run however it ends, so it must not hang it."""
    step = Does("closes", hang, SHORT)
    step.always_run = True
    failure = failure_of(Does("a", lambda _: None), step)
    assert failure.error == TOO_LONG
    assert failure.outcome == "completed"


# What is noticed at the next call


CALLS: dict[str, Callable[[Any], Any]] = {
    "log": lambda context: context.log("still", {}),
    "set_progress": lambda context: context.set_progress(1, 2),
    "set_status": lambda context: context.set_status("busy"),
    "set_metrics": lambda context: context.set_metrics({"a": 1}),
    "record_rollback": lambda context: context.record_rollback("made", 2),
    "record_rollback_many": lambda context: context.record_rollback_many("made", [2]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_step_in_another_thread_notices_at_its_next_call(call, limits_made):
    """Nothing interrupts a thread, so the next call raises, and what it recorded is undone."""
    after: list[str] = []

    def work(context: Any) -> None:
        context.record_rollback("made", 1)
        over(lambda: limits_made[0])
        call(context)
        after.append("it went on")

    step = Does("works", work, SHORT)
    failure = async_failure_of(step)
    assert (failure.error, after, step.undone) == (TOO_LONG, [], [{"made": [1]}])


def test_a_step_in_another_thread_that_makes_no_call_is_too_late_all_the_same(limits_made):
    """Whether a step is in time does not depend on how it is run; what it returned is undone."""

    def work(context: Any) -> StepResult:
        context.record_rollback("made", 1)
        over(lambda: limits_made[0])
        return StepResult(data={"done": True}, rollback_data={"made": [2]})

    step = Does("works", work, SHORT)
    failure = async_failure_of(step)
    assert (failure.error, step.undone) == (TOO_LONG, [{"made": [1, 2]}])


def test_a_call_in_a_thread_of_the_step_tells_it(limits_made):
    """A step that leaves the calls to its workers hears of it through them."""

    def work(context: Any) -> None:
        over(lambda: limits_made[0])
        with ThreadPool(1) as pool:
            pool.submit(context.set_progress, 1, 2).result()

    from concurrent.futures import ThreadPoolExecutor as ThreadPool

    assert async_failure_of(Does("works", work, SHORT)).error == TOO_LONG


def test_the_handler_of_a_program_is_left_alone(limits_made, monkeypatch):
    """Where SIGINT belongs to the program, no signal is sent; the next call notices."""
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))

    def work(context: Any) -> None:
        over(lambda: limits_made[0])
        time.sleep(3 * SHORT)  # Were a signal sent, it would be by now.
        context.log("still", {})
        raise AssertionError

    try:
        assert failure_of(Does("works", work, SHORT)).error == TOO_LONG
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == []


def test_a_handler_that_the_step_puts_there_is_left_alone(limits_made):
    """The same where a step takes SIGINT while it runs."""
    heard: list[int] = []

    def work(context: Any) -> None:
        before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
        try:
            over(lambda: limits_made[0])
            time.sleep(3 * SHORT)
        finally:
            signal.signal(signal.SIGINT, before)

    assert failure_of(Does("works", work, SHORT)).error == TOO_LONG
    assert heard == []


def test_a_job_in_the_background_is_interrupted_through_another_signal():
    """A shell ignores SIGINT for it; the command line takes SIGTERM then, and so do timeouts."""
    source = """
    import signal, threading
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from handrail import action, step
    from handrail.builtin.cli.signals import like_interrupts

    @step(timeout=0.2)
    def hangs(context):
        threading.Event().wait(30)
        raise SystemExit("it was not interrupted")

    with like_interrupts():
        try:
            action("job", [hangs]).run(packs=())
        except RuntimeError as error:
            print(error)
    """
    done = outcome_of(source)
    assert (done.stdout, done.returncode) == (f"Step 'hangs' failed: {TOO_LONG}\n", 0), done.stderr


# Heartbeats


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_each_call_is_a_sign_of_life(call, limits_made, monkeypatch):
    """Time is counted from the last one. The clock is the test's."""
    now = [0.0]
    monkeypatch.setattr(time_limit, "_CLOCK", lambda: now[0])

    def work(context: Any) -> None:
        for _ in range(5):
            now[0] += 0.9
            call(context)
        now[0] += 0.9

    assert made(Does("works", work, heartbeat_timeout=1.0)).execute()["success"]

    def silent(context: Any) -> None:
        call(context)
        now[0] += 1.1

    failure = failure_of(Does("works", silent, heartbeat_timeout=1.0))
    assert failure.error == "it gave no sign of life for 1s, its heartbeat timeout"


def test_silence_is_interrupted():
    """A step that says nothing for too long is treated as one that takes too long."""
    step = Does("hangs", hang, heartbeat_timeout=SHORT)
    failure = failure_of(step)
    assert failure.error == f"it gave no sign of life for {SHORT}s, its heartbeat timeout"
    assert step.undone == [{"made": [1]}]


def test_a_timeout_holds_however_lively_a_step_is():
    """Signs of life do not extend the time of the attempt."""

    def work(context: Any) -> None:
        while True:
            context.log("still", {})

    assert failure_of(Does("works", work, SHORT, heartbeat_timeout=LONG)).error == TOO_LONG


# What a step does with it


def test_it_passes_except_exception():
    """A loop that survives every error does not survive this."""

    def work(context: Any) -> None:
        while True:
            try:
                threading.Event().wait(LONG)
                raise AssertionError
            except Exception:  # noqa: BLE001 - what is tested
                pass

    assert failure_of(Does("works", work, SHORT)).error == TOO_LONG


@pytest.mark.parametrize("failure_of", [failure_of, async_failure_of], ids=["blocking", "asyncio"])
def test_a_step_that_swallows_it_is_too_late(failure_of):
    """As for Ctrl-C, the step ends as it likes, and counts as stopped; its result is undone."""

    async def work(context: Any) -> StepResult:
        with contextlib.suppress(BaseException):
            await asyncio.sleep(LONG)
        return StepResult(rollback_data={"made": 3})

    step = DoesAsync("works", work, SHORT)
    failure = failure_of(step)
    assert (failure.error, step.undone) == (TOO_LONG, [{"made": 3}])


def test_a_step_that_swallows_it_is_interrupted_again_after_its_grace():
    """Also where that is not its own doing: `__del__` and callbacks swallow everything."""
    raised: list[BaseException] = []

    def work(context: Any) -> None:
        while len(raised) < 3:
            try:
                threading.Event().wait(LONG)
            except BaseException as error:  # noqa: BLE001 - what is tested
                raised.append(error)

    assert failure_of(Does("works", work, SHORT, grace=0.0)).error == TOO_LONG
    assert [type(each) for each in raised] == [StepTimedOut] * 3


def test_it_can_clean_up_without_being_interrupted():
    """Calls in a `finally` are not refused: there is one interrupt, and then the grace."""
    cleaned: list[str] = []

    def work(context: Any) -> None:
        try:
            threading.Event().wait(LONG)
        finally:
            context.log("cleaning", {})
            context.record_rollback("made", "in finally")
            cleaned.append("all")

    step = Does("works", work, SHORT, grace=LONG)
    failure_of(step)
    assert (cleaned, step.undone) == (["all"], [{"made": ["in finally"]}])


def test_another_error_while_it_cleans_up_is_the_cause_of_the_timeout():
    """The run says that it was too late; the traceback has the rest."""

    def work(context: Any) -> None:
        try:
            threading.Event().wait(LONG)
        finally:
            raise ValueError("while cleaning up")

    failure = failure_of(Does("works", work, SHORT))
    assert failure.error == TOO_LONG
    assert isinstance(failure.__cause__, StepTimeoutError)
    assert isinstance(failure.__cause__.__cause__, ValueError)


def test_a_step_in_time_is_none_the_wiser():
    """Nothing is left of its limit: no thread, no handler, no cancellation."""
    before, handler = _thread._count(), signal.getsignal(signal.SIGINT)

    async def work(context: Any) -> None:
        await asyncio.sleep(0)

    steps = [Does("a", lambda _: None, LONG), DoesAsync("b", work, LONG, heartbeat_timeout=LONG)]
    assert made(*steps).execute()["steps_executed"] == 2
    assert signal.getsignal(signal.SIGINT) is handler
    for _ in range(int(LONG / 0.01)):  # A thread is counted for a moment after its last line.
        if _thread._count() <= before:
            break
        time.sleep(0.01)
    assert _thread._count() <= before

    async def twice() -> int:
        await made(*steps).execute_async()
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert asyncio.run(twice()) == 0


# With interrupts


def test_ctrl_c_wins_over_a_timeout():
    """A person who stops the run while a step cleans up has stopped the run."""

    def work(context: Any) -> None:
        try:
            threading.Event().wait(LONG)
        finally:
            signal.raise_signal(signal.SIGINT)

    before, step = Does("before", lambda _: None), Does("works", work, SHORT)
    with pytest.raises(KeyboardInterrupt):
        made(before, step).execute()
    assert (step.undone, before.undone) == ([{}], [{}])


def test_a_timeout_after_a_swallowed_ctrl_c_does_not_hide_it():
    """The step is stopped, and so is the run, with the exit of the interrupt."""

    def work(context: Any) -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        threading.Event().wait(LONG)

    step = Does("works", work, SHORT)
    with pytest.raises(KeyboardInterrupt) as caught:
        made(step).execute()
    assert isinstance(caught.value.__cause__, StepFailedError)
    assert step.undone == [{}]


def test_a_cancellation_wins_over_a_timeout(limits_made):
    """Who cancels the run gets its cancellation, also while a step swallows its timeout."""

    async def work(context: Any) -> None:
        try:
            await asyncio.sleep(LONG)
        finally:
            task.cancel()
            await asyncio.sleep(LONG)

    task: asyncio.Task[Any]
    step = DoesAsync("works", work, SHORT)

    async def both() -> None:
        nonlocal task
        task = asyncio.create_task(made(step).execute_async())
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(both())
    assert step.undone == [{}]


# Around and within


class Tries(StepWrapper[Any]):
    """Tries again, after a pause that is longer than the time of an attempt."""

    def around(self, context: Any) -> Around:
        yield Sleep(2 * SHORT)
        try:
            return (yield Run())
        except TimeoutError:
            yield Sleep(2 * SHORT)
            return (yield Run())


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
@pytest.mark.parametrize("layers", [1, 3])
def test_each_attempt_within_layers_has_the_full_time(driver, layers):
    """What layers do between attempts does not count, and they see a timeout as an error."""
    tries: list[int] = []

    async def work(context: Any) -> None:
        tries.append(len(tries))
        await asyncio.sleep(LONG if len(tries) == 1 else 0)

    step: BaseStep[Any] = Tries(DoesAsync("works", work, SHORT))
    for _ in range(layers - 1):
        step = StepWrapper(step)
    run = made(step)
    result = run.execute() if driver == "blocking" else asyncio.run(run.execute_async())
    assert (result["success"], tries) == (True, [0, 1])


def test_a_limit_on_a_layer_is_one_on_each_attempt():
    """A layer that declares limits gives them to the step inside."""

    class Limited(Tries):
        limits = Limits(timeout=SHORT)

    assert failure_of(Limited(Does("works", hang))).error == TOO_LONG


def test_a_layer_with_an_execute_of_its_own_is_one_attempt():
    """It is a step as far as the run knows."""

    class Opaque(StepWrapper[Any]):
        def execute(self, context: Any) -> StepResult:
            hang(context)
            return StepResult()

    assert failure_of(Opaque(Does("works", lambda _: None, SHORT))).error == TOO_LONG


def test_a_run_within_a_limited_step_is_undone_first():
    """The inner run undoes itself, undisturbed, before the outer step fails."""
    order: list[str] = []

    class Slowly(Does):
        def rollback(self, context: Any, result: StepResult) -> None:
            time.sleep(4 * SHORT)  # Several times the grace, in which nothing comes.
            order.append(self.name)

    inner = [Slowly("inner_done", lambda _: None), Slowly("inner_hangs", hang)]
    outer = Slowly("outer", lambda _: made(*inner).execute(), SHORT, grace=0.01)
    assert failure_of(outer).error == TOO_LONG
    assert order == ["inner_hangs", "inner_done", "outer"]


def test_the_limit_of_an_inner_step_is_its_own():
    """It fails the inner run; the outer step may go on."""
    told: list[str] = []

    def work(context: Any) -> None:
        told.append(failure_of(Does("inner", hang, SHORT)).error)

    assert made(Does("outer", work, LONG)).execute()["success"]
    assert told == [TOO_LONG]


# Undo


class Undoes(Does):
    """Fails, and its undo is given."""

    def __init__(self, undo: Callable[[], Any], **policy: Any) -> None:
        super().__init__("fails", self._fail)
        self.undo, self.rollback_policy = undo, RollbackPolicy(**policy)

    def _fail(self, context: Any) -> None:
        context.record_rollback("made", 1)
        raise ValueError("planned")

    def rollback(self, context: Any, result: StepResult) -> Any:
        self.undone.append(result.rollback_data)
        return self.undo()


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, without waiting."""
    found: list[float] = []
    monkeypatch.setattr(blocking, "pause", found.append)
    real = asyncio.sleep

    async def sleep(seconds: float) -> None:
        found.append(seconds)
        await real(0)

    monkeypatch.setattr("handrail.orchestrator.asynchronous.asyncio.sleep", sleep)
    return found


def failing(times: int) -> Callable[[], None]:
    """Return an undo that fails that often."""
    calls: list[int] = []

    def undo() -> None:
        calls.append(1)
        if len(calls) <= times:
            raise OSError(f"not yet {len(calls)}")

    return undo


@pytest.mark.parametrize("failure_of", [failure_of, async_failure_of], ids=["blocking", "asyncio"])
def test_a_failed_undo_is_tried_again(failure_of, waited):
    """With the same data, after a wait that doubles; then all is well."""
    step = Undoes(failing(3), retries=3, wait=0.5)
    failure = failure_of(step)
    assert (failure.outcome, failure.rollback_errors) == ("rolled_back", ())
    assert step.undone == [{"made": [1]}] * 4
    assert waited == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("failure_of", [failure_of, async_failure_of], ids=["blocking", "asyncio"])
def test_an_undo_that_fails_for_good_is_reported_once(failure_of, waited):
    """With the last error; the others are undone."""
    before, step = Does("before", lambda _: None), Undoes(failing(9), retries=2, wait=1)
    failure = failure_of(before, step)
    assert failure.outcome == "rollback_incomplete"
    (problem,) = failure.rollback_errors
    assert str(problem) == "Rollback of step 'fails' failed: not yet 3"
    assert (len(step.undone), before.undone, waited) == (3, [{}], [1, 2])


def test_each_further_try_is_told(waited):
    """In the log and in the status of the step, with the error and the wait."""
    events: list[Any] = []
    failure_of(Undoes(failing(1), retries=2, wait=1), observers=[events.append])
    logged = next(each for each in events if getattr(each, "name", "") == "rollback_retry")
    assert logged.data["summary"] == "undo retried 1/2 in 1s: not yet 1"
    status = next(each for each in events if isinstance(each, StatusChanged))
    assert (status.step, status.status) == ("fails", "retrying 1/2: not yet 1")


@pytest.mark.parametrize("failure_of", [failure_of, async_failure_of], ids=["blocking", "asyncio"])
def test_an_undo_that_hangs_is_stopped_and_tried_again(failure_of, waited):
    """Its own timeout holds for each call."""

    async def undo() -> None:
        await asyncio.sleep(0)
        if len(step.undone) < 3:
            await asyncio.get_running_loop().create_future()

    class Awaits(Undoes):
        async def rollback(self, context: Any, result: StepResult) -> None:
            await super().rollback(context, result)

    step = Awaits(undo, timeout=SHORT, retries=2, wait=0)
    assert failure_of(step).outcome == "rolled_back"
    assert len(step.undone) == 3


def test_a_blocking_undo_that_hangs_is_stopped():
    """In the main thread, like a step."""
    step = Undoes(lambda: threading.Event().wait(LONG), timeout=SHORT)
    (problem,) = failure_of(step).rollback_errors
    assert str(problem) == f"Rollback of step 'fails' failed: {TOO_LONG}"


def test_a_refusal_is_not_tried_again(waited):
    """It says that something else is in the way, which waiting will not change."""
    from handrail import RefusedError

    def undo() -> None:
        raise RefusedError("later")

    step = Undoes(undo, retries=5)
    failure_of(step)
    assert (len(step.undone), waited) == (1, [])


def test_an_attempt_that_a_layer_undoes_has_the_same_policy(waited):
    """`Undo()` calls `rollback` like the undo of the run does."""
    from handrail import Undo

    class Again(StepWrapper[Any]):
        def around(self, context: Any) -> Around:
            try:
                yield Run()
            except ValueError:
                yield Undo()
            return StepResult()

    step = Undoes(failing(2), retries=2, wait=1)
    assert made(Again(step)).execute()["success"]
    assert (len(step.undone), waited) == (3, [1, 2])


def test_a_second_ctrl_c_ends_the_wait_for_another_try():
    """The first one during an undo only warns; the second leaves the run, also while it waits."""
    source = """
    import os, signal, threading, time
    from handrail import action, step
    from handrail.orchestrator import interrupts
    interrupts.ONE_SIGNAL = 0

    @step(rollback_retries=5, rollback_wait=30)
    def fails(context):
        raise ValueError("planned")

    warned = threading.Event()

    def observe(event):
        if type(event).__name__ == "InterruptReceived" and not warned.is_set():
            print("undoes what was done:", event.undoing)
            warned.set()

    def stop():
        os.kill(os.getpid(), signal.SIGINT)
        warned.wait(60)
        os.kill(os.getpid(), signal.SIGINT)

    @fails.rollback
    def undo(context, result):
        threading.Timer(0.1, stop).start()
        raise OSError("not yet")

    try:
        action("job", [fails]).run(packs=(), observers=[observe])
    except KeyboardInterrupt as error:
        print(error.__notes__)
    """
    done = outcome_of(source)
    stopped = "['the undo was stopped; not undone: fails']"
    assert done.stdout == f"undoes what was done: True\n{stopped}\n", done.stderr


@pytest.mark.parametrize("seed", range(3))
def test_a_limit_that_ends_at_any_instant_leaves_one_of_two_outcomes(seed):
    """Wherever it comes, also within a run in a step: all is done, or all that began is undone."""
    random = Random(seed)
    outcomes: set[str] = set()
    for _ in range(100):
        timeout, work = random.uniform(0.0003, 0.004), random.uniform(0, 0.004)

        def nested(context: Any, took: float = work) -> None:
            made(*(Does(name, lambda _: time.sleep(took / 4)) for name in ("a", "b"))).execute()
            time.sleep(took / 2)

        async def awaits(context: Any, took: float = work) -> None:
            await asyncio.sleep(took)

        def records(context: Any, took: float = work) -> None:
            until = time.monotonic() + took
            while time.monotonic() < until:
                context.record_rollback("made", 1)
                context.log("still", {})

        grace = random.choice([0.0, 0.001, 5.0])
        limited = random.choice(
            [
                Does("limited", nested, timeout, grace=grace),
                Does("limited", records, timeout, grace=grace),
                DoesAsync("limited", awaits, timeout, grace=grace),
            ]
        )
        first, last = Does("first", lambda _: None), Does("last", lambda _: None)
        layered = random.choice([limited, StepWrapper(limited)])
        failure: StepFailedError | None = None
        try:
            made(first, layered, last).execute()
        except StepFailedError as error:
            failure = error
        undone = (len(first.undone), len(limited.undone), len(last.undone))
        outcomes.add("done" if failure is None else "undone")
        if failure is None:
            assert undone == (0, 0, 0)
        else:
            assert (failure.step, type(failure.__cause__)) == ("limited", StepTimeoutError)
            assert undone == (1, 1, 0)
    assert outcomes == {"done", "undone"}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# Costs


def test_a_run_without_limits_starts_no_thread():
    """Only steps with limits pay for them."""
    source = """
    import _thread
    started = []
    real = _thread.start_new_thread
    _thread.start_new_thread = lambda *given: started.append(1) or real(*given)
    from handrail import BaseStepContext, Orchestrator, RuntimeContext, StepRegistry, step

    def work(context):
        context.record_rollback("made", 1)

    registry = StepRegistry()
    for name in "abc":
        registry.register(step(name=name)(work))
    Orchestrator(registry, BaseStepContext(RuntimeContext())).execute()
    print(started)
    """
    done = outcome_of(source)
    assert done.stdout == "[]\n", done.stderr


def test_the_thread_of_a_limit_is_one_at_a_time(monkeypatch):
    """Each attempt has one thread, and waits for its end."""
    running: list[int] = []
    started: list[Alarm] = []
    stopped: list[Alarm] = []

    class Counted(Alarm):
        def __init__(self, *given: Any) -> None:
            running.append(len(started) - len(stopped))
            started.append(self)
            super().__init__(*given)

        def stop(self) -> None:
            super().stop()
            stopped.append(self)

    monkeypatch.setattr(time_limit, "Alarm", Counted)
    steps = [Does(f"s{number}", lambda _: None, LONG) for number in range(20)]
    made(*steps).execute()
    assert running == [0] * 20
    assert started == stopped


def test_an_interrupt_of_a_limit_is_no_ctrl_c():
    """It is not told as one, and the run goes on after a step that may fail."""
    told: list[Any] = []
    steps = [Tries(Does("a", slow_once(), SHORT)), Does("b", lambda _: None)]
    assert made(*steps, observers=[told.append]).execute()["success"]
    assert not [each for each in told if type(each).__name__ == "InterruptReceived"]
    assert interrupts._active == []


def slow_once() -> Callable[[Any], None]:
    seen: list[int] = []

    def work(context: Any) -> None:
        seen.append(1)
        if len(seen) == 1:
            hang(context)

    return work
