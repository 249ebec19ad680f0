"""Loggers of the SDK's kind."""

from __future__ import annotations

from typing import Any

import pytest

from handrail_synapse.loggers import (
    BaseLogger,
    ConsoleLogger,
    HandrailLogger,
    NoOpLogger,
    ProgressData,
)
from handrail_synapse.messages import LogLevel
from handrail_synapse.runtime import RuntimeContext
from handrail_synapse.steps import BaseStep, BaseStepContext, Orchestrator, StepRegistry, StepResult


class Kept(BaseLogger):
    """Keeps its events."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        self.kept.append((level, event, data, file, step))

    def _on_progress(self, progress: ProgressData, step: str | None) -> None:
        self.kept.append((progress.percent, step))


def test_events_know_the_running_step() -> None:
    """An event, progress and metrics are those of the running step, unless another is named."""
    logger = Kept()
    logger.set_step("send", order=3)
    logger.log(LogLevel.INFO, "sent", {"n": 1}, "a.jpg")
    logger.warning("slow")
    logger.set_progress(1, 4)
    logger.set_progress(1, 2, "other")
    logger.set_metrics({"n": 1})
    logger.set_metrics({"m": 2})
    assert logger.kept == [
        (LogLevel.INFO, "sent", {"n": 1}, "a.jpg", "send"),
        (LogLevel.WARNING, "message", {"content": "slow"}, None, "send"),
        (25.0, "send"),
        (50.0, "other"),
    ]
    assert logger.get_metrics("send") == {"n": 1, "m": 2}
    assert (logger.get_step(), logger.get_step_order()) == ("send", 3)
    found = logger.get_progress("send")
    assert found is not None
    assert (found.percent, found.status) == (25.0, "running")


def test_what_is_refused() -> None:
    """Wrong levels, data and figures are errors; a finished logger takes nothing."""
    logger = NoOpLogger()
    with pytest.raises(TypeError, match="level must be a LogLevel enum, got str"):
        logger.log("info", "x", {})  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="data must be a dict"):
        logger.log(LogLevel.INFO, "x", [])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="total must be > 0"):
        logger.set_progress(0, 0)
    with pytest.raises(ValueError, match="step must be specified"):
        logger.set_metrics({"n": 1})
    logger.finish()
    with pytest.raises(RuntimeError, match="finished"):
        logger.info("late")


def test_console(capsys: pytest.CaptureFixture[str]) -> None:
    """The console gets a line for each event, with its step and level."""
    logger = ConsoleLogger()
    logger.set_step("send")
    logger.info("begins")
    logger.log(LogLevel.ERROR, "lost", {"n": 1})
    logger.set_progress(1, 2)
    logger.set_progress(2, 2)
    assert capsys.readouterr().err.splitlines() == [
        "[send] info: begins",
        "[send] error: lost {'n': 1}",
        "send 100.0/100",
    ]


def test_step_beside_category() -> None:
    """A step that is named wins, then the running one; the former name counts outside of steps."""
    logger = Kept()
    logger.set_progress(1, 2, category="files")
    logger.set_metrics({"n": 1}, category="files")
    logger.set_step("send")
    logger.set_progress(1, 2, category="files")
    logger.set_progress(1, 2, step="other", category="files")
    assert logger.kept == [(50.0, "files"), (50.0, "send"), (50.0, "other")]
    assert logger.get_metrics() == {"files": {"n": 1}}


class Former(BaseLogger):
    """A logger as plugins wrote it for 2026.1.1b5: its methods know nothing of places."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Any] = []

    def set_step(self, step: str | None) -> None:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        self.kept.append(step)

    def log(self, level: Any, event: str, data: Any, file: Any = None) -> None:  # type: ignore[override] # pyright: ignore[reportIncompatibleMethodOverride]
        self.kept.append((level.value, event, data["content"]))

    def _log_impl(self, *given: Any, **named: Any) -> None:
        raise AssertionError("log is overridden")


class Handrails:
    """A logger of Handrail's kind, which is called with neither level nor step."""

    def __init__(self) -> None:
        self.kept: list[Any] = []

    def log(self, event: str, data: Any, file: str | None = None) -> None:
        self.kept.append((data["context"], event, data["content"]))

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        self.kept.append((current, category))

    def set_metrics(self, value: Any, category: str | None = None) -> None:
        self.kept.append((value, category))


class Talks(BaseStep[BaseStepContext]):
    name = "talk"
    progress_weight = 1.0

    def execute(self, context: BaseStepContext) -> StepResult:
        context.log_message("hello", LogLevel.SUCCESS)
        context.set_progress(1, 2)
        return StepResult()


@pytest.mark.parametrize("kind", [Former, Handrails])
def test_loggers_are_told_apart_by_their_signature(kind: Any) -> None:
    """Each is called with the arguments that its methods take."""
    logger = kind()
    steps: StepRegistry[BaseStepContext] = StepRegistry()
    steps.register(Talks())
    context = BaseStepContext(RuntimeContext(logger))
    Orchestrator(steps, context, context.runtime_ctx.set_progress).execute()
    assert ("success", "message", "hello") in logger.kept
    if kind is Former:
        told = [each for each in logger.kept if not isinstance(each, tuple)]
        assert list(dict.fromkeys(told)) == ["talk", None]
    else:
        assert logger.kept[1:] == [(1, "talk"), (50, None), (100, None)]


def test_a_logger_of_handrails_kind_gets_what_the_sdks_methods_are_given() -> None:
    """What a plugin calls on the logger of the command line arrives there as it was given."""
    inner = Handrails()
    logger = HandrailLogger(inner)
    logger.set_step("send", order=1)
    logger.warning("slow")
    logger.set_progress(1, 4)
    logger.set_metrics({"n": 1})
    logger.set_metrics({"m": 2}, step="other")
    assert inner.kept == [
        ("warning", "message", "slow"),
        (1, "send"),
        ({"n": 1}, "send"),
        ({"m": 2}, "other"),
    ]
    found = logger.get_progress("send")
    assert found is not None
    assert found.percent == 25.0
