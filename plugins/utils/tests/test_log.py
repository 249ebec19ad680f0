"""LoggingStep: which events, with which fields, and that a broken log changes nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from handrail import (
    BaseStep,
    Orchestrator,
    StepFailedError,
    StepRegistry,
    StepResult,
    step,
)
from handrail_utils import LoggingStep, TimingStep


@step(weight=0.3)
def send(context: Any) -> dict[str, int]:
    context.record_rollback("sent", 1)
    return {"sent": 1}


@send.rollback
def unsend(context: Any, result: StepResult) -> None:
    context.trail.append(("unsend", result.rollback_data))


@step
def break_down(context: Any) -> None:
    raise OSError("link down")


@step
async def break_later(context: Any) -> None:
    await asyncio.sleep(0)
    raise OSError("link down")


def run(context: Any, *steps: BaseStep[Any]) -> dict[str, Any]:
    registry: StepRegistry[Any] = StepRegistry()
    for each in steps:
        registry.register(each)
    return dict(Orchestrator(registry, context).execute())


def test_name_and_forwarding() -> None:
    """The name gets a prefix, and weight, effects and the rest are those of the wrapped step."""
    logged = LoggingStep(send)
    assert logged.name == "logged_send"
    assert logged.progress_weight == 0.3
    assert logged.wrapped is send
    assert LoggingStep(TimingStep(send)).name == "logged_timed_send"


def test_events_of_a_success(context: Any) -> None:
    """A success logs step_start and step_end with exactly the documented fields."""
    run(context, LoggingStep(send))
    (start, first), (end, last) = context.events
    assert (start, first) == ("step_start", {"step": "send"})
    assert end == "step_end"
    assert isinstance(last["elapsed"], float)
    assert last == {"step": "send", "elapsed": last["elapsed"], "success": True, "skipped": False}
    assert round(last["elapsed"], 3) == last["elapsed"]


def test_failed_result(context: Any) -> None:
    """A result with success=False is logged as such and handed on unchanged."""

    @step
    def refuse(context: Any) -> StepResult:
        return StepResult(success=False, error="full")

    with pytest.raises(StepFailedError, match=r"Step 'logged_refuse' failed: full$"):
        run(context, LoggingStep(refuse))
    assert context.events[1][1]["success"] is False
    assert "error" not in context.events[1][1]


@pytest.mark.parametrize("broken", [break_down, break_later])
def test_step_end_when_the_step_raises(context: Any, broken: BaseStep[Any]) -> None:
    """A step that raises gets its step_end too, with the error, and the error itself goes on."""
    with pytest.raises(StepFailedError) as caught:
        run(context, LoggingStep(broken))
    assert isinstance(caught.value.__cause__, OSError)
    assert context.names == ["step_start", "step_end", "step_rollback"]
    end = context.events[1][1]
    assert (end["success"], end["skipped"], end["error"]) == (False, False, "link down")


def test_undo_is_logged_and_done(context: Any) -> None:
    """step_rollback names the wrapped step, and the wrapped step is undone with its data."""
    with pytest.raises(StepFailedError):
        run(context, LoggingStep(send), break_down)
    assert context.events[-1] == ("step_rollback", {"step": "send"})
    assert context.trail == [("unsend", {"sent": [1]})]


def test_skipped_step_logs_nothing(context: Any) -> None:
    """A step that is skipped is not executed, so there is nothing to log."""

    @step
    def idle(context: Any) -> None:
        raise AssertionError

    idle.skip_if(lambda context: True)
    assert run(context, LoggingStep(idle))["steps_executed"] == 0
    assert context.events == []


def test_interrupt_is_logged_and_passes(context: Any) -> None:
    """Ctrl-C in the wrapped step is logged as its end and stays a KeyboardInterrupt."""

    @step
    def stopped(context: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(context, LoggingStep(send), LoggingStep(stopped))
    ends = [data for name, data in context.events if name == "step_end"]
    assert ends[-1]["error"] == "KeyboardInterrupt"
    assert context.trail == [("unsend", {"sent": [1]})]


def test_broken_log_changes_nothing(context: Any) -> None:
    """A log that raises fails no step and keeps none from being undone; context.errors tells."""

    def log(*args: Any) -> None:
        raise OSError("disk full")

    context.runtime_ctx.log = log
    assert run(context, LoggingStep(send))["steps_executed"] == 1
    assert context.errors == [
        "step_start of step 'send' was not logged: disk full",
        "step_end of step 'send' was not logged: disk full",
    ]
    with pytest.raises(StepFailedError, match="link down") as caught:
        run(context, LoggingStep(send), LoggingStep(break_down))
    assert context.trail == [("unsend", {"sent": [1]})]
    assert caught.value.outcome == "rolled_back"


def test_by_hand(context: Any) -> None:
    """execute() called by hand logs too, for blocking steps at once and for async ones on await."""
    assert LoggingStep(send).execute(context).data == {"sent": 1}

    @step
    async def fetch(context: Any) -> dict[str, int]:
        await asyncio.sleep(0)
        return {"fetched": 2}

    async def main() -> StepResult:
        return await LoggingStep(fetch).execute(context)

    assert asyncio.run(main()).data == {"fetched": 2}
    assert [data["step"] for _, data in context.events] == ["send", "send", "fetch", "fetch"]
    with pytest.raises(OSError, match="link down"):
        LoggingStep(break_down).execute(context)
    LoggingStep(send).rollback(context, StepResult(rollback_data={"sent": [7]}))
    assert context.trail == [("unsend", {"sent": [7]})]


def test_layer_does_not_rename(context: Any) -> None:
    """As a layer in a registry, the step keeps its name and both names of a hand-made one work."""
    registry: StepRegistry[Any] = StepRegistry()
    registry.register(send)
    registry.wrap("send", LoggingStep)
    registry.register(LoggingStep(break_down))
    assert "send" in registry
    assert "break_down" in registry
    assert "logged_break_down" in registry
    with pytest.raises(StepFailedError, match="Step 'logged_break_down' failed"):
        Orchestrator(registry, context).execute()
    assert context.events[0] == ("step_start", {"step": "send"})
