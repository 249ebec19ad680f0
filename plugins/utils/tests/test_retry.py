"""RetryStep: how often, after what, undone in between, and what is never retried."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest
from killing.told import Does, Writes, flow, interrupted
from tenacity import (
    retry_if_exception_message,
    stop_after_attempt,
    stop_before_delay,
    wait_exponential,
    wait_fixed,
    wait_incrementing,
)

from handrail import (
    BaseStep,
    Limits,
    Orchestrator,
    SourceChangedError,
    StepFailedError,
    StepRegistry,
    StepResult,
    resume,
    step,
)
from handrail.errors import InvalidStepError
from handrail.events import StatusChanged
from handrail_utils import AttemptUndoError, LoggingStep, RetryStep


class Flaky(BaseStep[Any]):
    """Fails as often as it is told to; records before, and undoes by removing."""

    name = "flaky"
    progress_weight = 1

    def __init__(self, *failures: Any, undo_fails: int = 0) -> None:
        self.failures = list(failures)
        self.undo_fails = undo_fails

    def execute(self, context: Any) -> StepResult:
        number = sum(entry[0] == "run" for entry in context.trail) + 1
        context.trail.append(("run", number))
        context.record_rollback("made", number)
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, BaseException):
            raise failure
        return failure or StepResult(data={"number": number})

    def rollback(self, context: Any, result: StepResult) -> None:
        context.trail.append(("undo", *result.rollback_data["made"]))
        if self.undo_fails:
            self.undo_fails -= 1
            raise PermissionError("locked")


def run(
    context: Any, each: BaseStep[Any], driver: str = "blocking", **options: Any
) -> dict[str, Any]:
    registry: StepRegistry[Any] = StepRegistry()
    registry.register(each)
    orchestrator = Orchestrator(registry, context, **options)
    if driver == "blocking":
        return dict(orchestrator.execute())
    return dict(asyncio.run(orchestrator.execute_async()))


def failed(error: str = "no") -> StepResult:
    return StepResult(success=False, error=error)


@pytest.mark.parametrize("driver", ["blocking", "async"])
class TestAttempts:
    """The attempts of one step, in both drivers."""

    def test_success_at_once(self, context: Any, driver: str) -> None:
        """A step that succeeds is run once, and nothing is logged."""
        run(context, RetryStep(Flaky()), driver)
        assert context.trail == [("run", 1)]
        assert context.events == []

    def test_undone_before_the_next(self, context: Any, driver: str) -> None:
        """Each failed attempt is undone with what it recorded, before the next one starts."""
        run(context, RetryStep(Flaky(OSError("a"), failed("b")), wait=0), driver)
        assert context.trail == [("run", 1), ("undo", 1), ("run", 2), ("undo", 2), ("run", 3)]
        assert context.results["flaky"].rollback_data == {"made": [3]}
        assert context.events == [
            ("step_retry", {"step": "flaky", "attempt": 1, "error": "a", "wait": 0.0}),
            ("step_retry", {"step": "flaky", "attempt": 2, "error": "b", "wait": 0.0}),
        ]

    def test_the_status_says_that_it_is_retried(self, context: Any, driver: str) -> None:
        """With the number of the retry, that of all of them if it is known, and the error."""
        for attempts, of in ((3, "/2"), (stop_after_attempt(3), "")):
            told: list[Any] = []
            step = RetryStep(Flaky(OSError("a"), failed("b")), attempts=attempts, wait=0)
            run(context, step, driver, observers=[told.append])
            assert [each.status for each in told if isinstance(each, StatusChanged)] == [
                f"retrying 1{of}: a",
                f"retrying 2{of}: b",
            ]

    def test_a_timeout_is_tried_again_with_the_full_time(self, context: Any, driver: str) -> None:
        """It is an error like others; the pauses between attempts do not count."""

        class Slow(Flaky):
            limits = Limits(timeout=0.3)

            async def execute(self, context: Any) -> StepResult:
                result = super().execute(context)
                if result.data["number"] < 3:
                    await asyncio.sleep(30)
                return result

        run(context, RetryStep(Slow(), wait=0.4), driver)
        assert context.trail == [("run", 1), ("undo", 1), ("run", 2), ("undo", 2), ("run", 3)]
        errors = {data["error"] for _, data in context.events}
        assert errors == {"it took longer than its timeout of 0.3s"}

    def test_last_error_as_it_is(self, context: Any, driver: str) -> None:
        """When all attempts fail, the last error itself is the cause, undone once by the run."""
        last = OSError("third")
        errors = [OSError("first"), OSError("second"), last]
        with pytest.raises(StepFailedError, match=r"^Step 'flaky' failed: third$") as caught:
            run(context, RetryStep(Flaky(*errors), wait=0), driver)
        assert caught.value.__cause__ is last
        assert context.trail[-2:] == [("run", 3), ("undo", 3)]
        assert len(context.trail) == 6

    def test_last_result_as_it_is(self, context: Any, driver: str) -> None:
        """When the last attempt returns a failure, that result is the step's."""
        last = StepResult(success=False, error="c", data={"seen": 1}, rollback_data={"more": 2})
        with pytest.raises(StepFailedError, match=r"failed: c$"):
            run(context, RetryStep(Flaky(failed("a"), failed("b"), last), wait=0), driver)
        result = context.step_results[-1]
        assert (result.data, result.rollback_data) == ({"seen": 1}, {"more": 2, "made": [3]})

    def test_undo_that_fails(self, context: Any, driver: str) -> None:
        """A failed undo stops the attempts; both errors show, and the run tries to undo again."""
        flaky = Flaky(OSError("down"), undo_fails=1)
        with pytest.raises(StepFailedError, match=r"attempt 1 failed: down; .*: locked") as caught:
            run(context, RetryStep(flaky, wait=0), driver)
        cause = caught.value.__cause__
        assert isinstance(cause, AttemptUndoError)
        assert (cause.step, cause.attempt, cause.error) == ("flaky", 1, "down")
        assert isinstance(cause.undo_error, PermissionError)
        assert cause.__cause__ is cause.undo_error
        assert isinstance(cause.undo_error.__context__, OSError)
        assert context.trail == [("run", 1), ("undo", 1), ("undo", 1)]
        assert caught.value.outcome == "rolled_back"

    def test_undo_that_never_works(self, context: Any, driver: str) -> None:
        """When the run cannot undo the attempt either, the outcome says so."""
        with pytest.raises(StepFailedError) as caught:
            run(context, RetryStep(Flaky(failed("down"), undo_fails=9), wait=0), driver)
        assert caught.value.outcome == "rollback_incomplete"
        assert context.errors == ["Rollback of step 'flaky' failed: locked"]

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
    def test_interrupts(self, context: Any, driver: str, error: BaseException) -> None:
        """Interrupts and exits are not retried, whatever retry_on says; they pass unchanged."""
        with pytest.raises(type(error)):
            run(context, RetryStep(Flaky(error), wait=0, retry_on=lambda error: True), driver)
        assert context.trail == [("run", 1), ("undo", 1)]


def test_cancellation_is_not_retried(context: Any) -> None:
    """A cancelled run makes no further attempt: it undoes and raises CancelledError."""

    @step
    async def hang(context: Any) -> None:
        context.trail.append("run")
        await asyncio.sleep(10)

    async def main() -> None:
        registry: StepRegistry[Any] = StepRegistry()
        registry.register(RetryStep(hang, wait=0))
        task = asyncio.create_task(Orchestrator(registry, context).execute_async())
        await asyncio.sleep(0.02)
        task.cancel()
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert context.trail == ["run"]


def test_cancellation_during_the_pause(context: Any) -> None:
    """Cancelling while it waits ends the step there."""

    async def main() -> None:
        pausing = asyncio.Event()
        context.runtime_ctx.log = lambda *event: pausing.set()
        registry: StepRegistry[Any] = StepRegistry()
        registry.register(RetryStep(Flaky(OSError("down")), wait=60))
        task = asyncio.create_task(Orchestrator(registry, context).execute_async())
        await pausing.wait()
        task.cancel()
        await task

    began = time.perf_counter()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert time.perf_counter() - began < 50
    assert [entry[0] for entry in context.trail[:2]] == ["run", "undo"]


@pytest.mark.parametrize(
    ("retry_on", "runs"),
    [
        (OSError, 2),
        ((ValueError, OSError), 2),
        ((ValueError,), 1),
        ((), 1),
        (lambda error: "down" in str(error), 2),
        (lambda error: False, 1),
        (retry_if_exception_message(match="down"), 2),
    ],
)
def test_retry_on(context: Any, retry_on: Any, runs: int) -> None:
    """Types, predicates and tenacity strategies decide which errors are worth another attempt."""
    each = RetryStep(Flaky(ConnectionError("down")), wait=0, retry_on=retry_on)
    if runs == 1:
        with pytest.raises(StepFailedError, match="down"):
            run(context, each)
    else:
        run(context, each)
    assert sum(entry[0] == "run" for entry in context.trail) == runs


def test_retry_failed_off(context: Any) -> None:
    """With retry_failed=False a failed result is final, and errors are still retried."""
    with pytest.raises(StepFailedError, match="refused"):
        run(context, RetryStep(Flaky(OSError(), failed("refused")), wait=0, retry_failed=False))
    assert sum(entry[0] == "run" for entry in context.trail) == 2


def test_wait_strategies(make_context: Any) -> None:
    """The pauses are those of the strategy, and a number is a fixed one."""
    waits = wait_incrementing(start=0.001, increment=0.001)
    context = make_context()
    run(context, RetryStep(Flaky(OSError(), OSError(), OSError()), attempts=4, wait=waits))
    assert [data["wait"] for _, data in context.events] == pytest.approx([0.001, 0.002, 0.003])
    context = make_context()
    began = time.perf_counter()
    RetryStep(Flaky(OSError()), wait=0.02).execute(context)
    assert time.perf_counter() - began >= 0.02
    assert context.events[-1][1]["wait"] == 0.02
    RetryStep(Flaky(OSError()), wait=wait_exponential(multiplier=0.001)).execute(context)


def test_stop_strategies(context: Any) -> None:
    """A tenacity stop strategy may stand for attempts, and sees the pause that lies ahead."""
    with pytest.raises(StepFailedError):
        run(context, RetryStep(Flaky(OSError(), OSError()), stop_after_attempt(2), wait=0))
    assert [entry[0] for entry in context.trail] == ["run", "undo"] * 2
    context.trail.clear()
    with pytest.raises(StepFailedError):
        run(context, RetryStep(Flaky(OSError()), stop_before_delay(5), wait=wait_fixed(60)))
    assert [entry[0] for entry in context.trail] == ["run", "undo"]


def test_one_attempt(context: Any) -> None:
    """attempts=1 is the bare step."""
    with pytest.raises(StepFailedError, match="down"):
        run(context, RetryStep(Flaky(OSError("down")), attempts=1, wait=60))
    assert context.trail == [("run", 1), ("undo", 1)]


def test_used_twice(context: Any) -> None:
    """Every execution counts its attempts anew."""
    each = RetryStep(Flaky(OSError(), OSError(), None, OSError(), OSError(), None), wait=0)
    run(context, each)
    run(context, each)
    assert [data["attempt"] for _, data in context.events] == [1, 2, 1, 2]


def test_by_hand(context: Any) -> None:
    """Called by hand it retries, undoes what each attempt recorded, and raises the last error."""
    assert RetryStep(Flaky(OSError()), wait=0).execute(context).data == {"number": 2}
    assert context.trail == [("run", 1), ("undo", 1), ("run", 2)]
    with pytest.raises(OSError, match="b"):
        RetryStep(Flaky(OSError("a"), OSError("b")), attempts=2, wait=0).execute(context)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attempts": 0}, "attempts is a whole number from 1 on"),
        ({"attempts": 2.5}, "not 2.5"),
        ({"attempts": True}, "not True"),
        ({"attempts": "3"}, "not '3'"),
        ({"wait": -1}, "wait is a number of seconds from 0 on"),
        ({"wait": float("nan")}, "not nan"),
        ({"wait": float("inf")}, "not inf"),
        ({"wait": "1s"}, "not '1s'"),
        ({"wait": None}, "not None"),
        ({"retry_on": "OSError"}, "subclasses of Exception or a function"),
        ({"retry_on": (OSError, KeyboardInterrupt)}, "KeyboardInterrupt"),
        ({"retry_on": int}, "not <class 'int'>"),
        ({"retry_on": OSError("x")}, "not OSError"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    """Arguments that make no sense are refused when the step is made, in a sentence."""
    with pytest.raises(InvalidStepError, match=message):
        RetryStep(Flaky(), **arguments)


def test_wraps_steps_only() -> None:
    """A class instead of a step is refused with a hint."""
    with pytest.raises(InvalidStepError, match=r"write Flaky\(\)"):
        RetryStep(Flaky)


def test_keeps_the_name() -> None:
    """A step that is tried again is still that step: the name is not changed."""
    assert RetryStep(Flaky()).name == "flaky"
    assert LoggingStep(RetryStep(Flaky())).name == "logged_flaky"


def test_import_is_cheap() -> None:
    """Importing the pack, or its logging, imports neither tenacity nor asyncio."""
    probe = (
        "import sys, handrail_utils; handrail_utils.LoggingStep;"
        "assert not {'tenacity', 'asyncio', 'pydantic'} & sys.modules.keys();"
        "handrail_utils.RetryStep; assert 'tenacity' in sys.modules;"
        "assert handrail_utils.__all__ == sorted(handrail_utils.__all__);"
        "assert set(handrail_utils.__all__) <= set(dir(handrail_utils))"
    )
    subprocess.run([sys.executable, "-c", probe], check=True)


def test_a_resume_that_finds_another_source_is_not_retried(tmp_path: Any) -> None:
    """The attempt stays in doubt, with what it had recorded, and is not undone either."""

    class GoesOn(Does):
        tries = 0

        def resume(self, context: Any, result: StepResult) -> StepResult:
            self.tries += 1
            raise SourceChangedError("the file is another one")

    journal, inner = Writes(tmp_path / "runs.db"), GoesOn("lost")
    interrupted(journal, Does("first"))
    before = journal.read(1)
    plan = flow(Does("first"), RetryStep(inner, wait=0))
    with pytest.raises(SourceChangedError, match="the file is another one"):
        resume(plan, 1, journal=journal, packs=())
    assert (inner.tries, inner.undone) == (1, [])
    kept = ("step", "n", "state", "result", "error")
    now, then = (
        [tuple(getattr(row, name) for name in kept) for row in run.attempts]
        for run in (journal.read(1), before)
    )
    assert now == then
    journal.close()
