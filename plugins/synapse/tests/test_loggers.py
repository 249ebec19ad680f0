"""Loggers of the SDK's kind."""

from __future__ import annotations

from typing import Any

import pytest

from handrail_synapse.loggers import BaseLogger, ConsoleLogger, NoOpLogger, ProgressData
from handrail_synapse.messages import LogLevel


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
