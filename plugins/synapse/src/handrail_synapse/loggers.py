"""Loggers of the SDK's kind: they are called with a level, and know the running step."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import handrail
from handrail_synapse.messages import LogLevel

_OF_THE_WHOLE = ContextVar("_OF_THE_WHOLE", default=False)
_RUN_IS_TOLD = ContextVar("_RUN_IS_TOLD", default=False)

_WHOLE = "__default__"


@dataclass
class ProgressData:
    """Progress within a step.

    Attributes:
        percent: From 0 to 100.
        time_remaining: Seconds that it may take yet, or None.
        elapsed_time: Seconds since it began, or None.
        status: `running` or `failed`.
    """

    percent: float
    time_remaining: float | None = None
    elapsed_time: float | None = None
    status: str = "running"


class BaseLogger(ABC):
    """A receiver of log events, progress and metrics; derive your own with `_log_impl`."""

    def __init__(self) -> None:
        self._current_step: str | None = None
        self._current_step_order: int | None = None
        self._began: dict[str, float] = {}
        self._progress: dict[str, ProgressData] = {}
        self._metrics: dict[str, dict[str, Any]] = {}
        self._is_finished = False

    def set_step(self, step: str | None, order: int | None = None) -> None:
        """Take note of the running step and its place in the workflow."""
        self._current_step = step
        self._current_step_order = None if step is None else order

    def get_step(self) -> str | None:
        """Return the name of the running step."""
        return self._current_step

    def get_step_order(self) -> int | None:
        """Return the place of the running step, from 0."""
        return self._current_step_order

    def log(
        self,
        level: LogLevel,
        event: str,
        data: Mapping[str, Any],
        file: str | None = None,
        step: str | None = None,
    ) -> None:
        """Log an event.

        Raises:
            TypeError: `level` is no LogLevel, or `data` no mapping.
            RuntimeError: The logger is finished.
        """
        self._check()
        if not isinstance(cast("object", level), LogLevel):
            raise TypeError(f"level must be a LogLevel enum, got {type(level).__name__}")
        if not isinstance(cast("object", data), Mapping):
            raise TypeError(f"data must be a dict, got {type(data).__name__}")
        named = self._current_step if step is None else step
        self._log_impl(event, dict(data), file, named, level)

    def info(self, message: str) -> None:
        """Log a message for the user."""
        self.log(LogLevel.INFO, "message", self._build_message_data(message))

    def debug(self, message: str) -> None:
        """Log a message that is none for the user."""
        self.log(LogLevel.DEBUG, "debug", self._build_message_data(message))

    def warning(self, message: str) -> None:
        """Log a warning for the user."""
        self.log(LogLevel.WARNING, "message", self._build_message_data(message))

    def error(self, message: str) -> None:
        """Log an error for the user."""
        self.log(LogLevel.ERROR, "message", self._build_message_data(message))

    def critical(self, message: str) -> None:
        """Log a critical error for the user."""
        self.log(LogLevel.CRITICAL, "message", self._build_message_data(message))

    @staticmethod
    def _build_message_data(content: str, key: str | None = None) -> dict[str, str]:
        """Return the data of a message."""
        return {"content": content} if key is None else {"content": content, "key": key}

    def set_progress(
        self,
        current: float,
        total: float,
        step: str | None = None,
        category: str | None = None,
    ) -> None:
        """Take note of progress within a step, by default the running one.

        Args:
            current: From 0 to `total`.
            total: Above 0.
            step: The step.
            category: The former name of `step`, for where no step is running.

        Raises:
            ValueError: `total` is not above 0, or `current` is not between 0 and `total`.
            RuntimeError: The logger is finished.
        """
        self._check()
        if total <= 0:
            raise ValueError(f"total must be > 0, got {total}")
        if not 0 <= current <= total:
            raise ValueError(f"current must be between 0 and {total}, got {current}")
        named = self._named(step, category)
        key, now = named or _WHOLE, time.monotonic()
        if current == 0:
            self._began[key] = now
        elapsed = now - self._began.setdefault(key, now)
        left = round(elapsed / current * (total - current), 2) if current else None
        made = ProgressData(round(current / total * 100, 2), left, round(elapsed, 2))
        self._progress[key] = made
        self._on_progress(made, named)

    def _named(self, step: str | None, category: str | None) -> str | None:
        if step is not None:
            return step
        if _OF_THE_WHOLE.get():
            return None
        return category if self._current_step is None else self._current_step

    def set_metrics(
        self, value: Mapping[str, Any], step: str | None = None, category: str | None = None
    ) -> None:
        """Take note of measured values of a step, by default the running one.

        Args:
            value: The values by their names.
            step: The step.
            category: The former name of `step`, for where no step is running.

        Raises:
            ValueError: No step was given, and none is running.
            TypeError: `value` is no mapping.
            RuntimeError: The logger is finished.
        """
        self._check()
        if not isinstance(cast("object", value), Mapping):
            raise TypeError(f"value must be a dict, got {type(value).__name__}")
        named = self._named(step, category)
        if not named:
            raise ValueError("step must be specified or set via set_step()")
        known = self._metrics.setdefault(named, {})
        known.update(value)
        self._on_metrics(named, known)

    def get_progress(self, step: str | None = None) -> ProgressData | None:
        """Return the progress of a step, or of what is no part of one."""
        return self._progress.get(step or _WHOLE)

    def get_metrics(self, step: str | None = None) -> dict[str, Any]:
        """Return the measured values of a step, or of all steps by their names."""
        if step:
            return dict(self._metrics.get(step, {}))
        return {name: dict(values) for name, values in self._metrics.items()}

    def finish(self) -> None:
        """End it; it takes nothing more."""
        self._is_finished = True
        self._on_finish()

    @abstractmethod
    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        """Log one event."""

    def _on_progress(self, progress: ProgressData, step: str | None) -> None:  # noqa: B027 - may be overridden
        """Receive each progress."""

    def _on_metrics(self, step: str, metrics: dict[str, Any]) -> None:  # noqa: B027 - may be overridden
        """Receive the measured values of a step, whenever there are more."""

    def _on_finish(self) -> None:  # noqa: B027 - may be overridden
        """Receive the end."""

    def _check(self) -> None:
        if self._is_finished:
            raise RuntimeError("Cannot log to a finished logger")


def told_of_the_whole(callback: Callable[[int, int], object]) -> Callable[[int, int], object]:
    """Return a callback for the progress of a whole run, which is not that of the running step.

    A logger takes progress without a step for that of the running one.
    """

    def tell(current: int, total: int) -> object:
        token = _OF_THE_WHOLE.set(True)
        try:
            return callback(current, total)
        finally:
            _OF_THE_WHOLE.reset(token)

    return tell


def for_run(level: LogLevel, message: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the event and the data that a run shows of a message: its level, and its text."""
    about = dict(message)
    return level.value, {"summary": about.pop("content"), **about}


@contextmanager
def run_is_told() -> Generator[None]:
    """While a context logs an event, which it tells the run itself."""
    token = _RUN_IS_TOLD.set(True)
    try:
        yield
    finally:
        _RUN_IS_TOLD.reset(token)


class ConsoleLogger(BaseLogger):
    """Writes each event to standard error, a line each, and of progress the end of each step."""

    def __init__(self) -> None:
        super().__init__()
        self._console: Any = handrail.RuntimeContext().logger

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        where = f"[{step}] " if step else ""
        named = f"{where}{(level or LogLevel.INFO).value}:"
        if event == "message" and "content" in data:
            self._console.log(named, data["content"], file)
        else:
            self._console.log(f"{named} {event}", data, file)

    def _on_progress(self, progress: ProgressData, step: str | None) -> None:
        self._console.set_progress(progress.percent, 100, step)

    def _on_metrics(self, step: str, metrics: dict[str, Any]) -> None:
        self._console.set_metrics(metrics, step)


class HandrailLogger(BaseLogger):
    """Passes on to a logger of Handrail's kind; what steps log straight to it, to the run as well.

    Args:
        inner: The logger.

    Attributes:
        run: Returns what receives the events of the run, or None outside of one.
    """

    def __init__(self, inner: handrail.RuntimeLogger) -> None:
        super().__init__()
        self._inner = inner
        self.run: Callable[[], Any] = lambda: None

    def log(
        self,
        level: LogLevel,
        event: str,
        data: Any,
        file: str | None = None,
        step: str | None = None,
    ) -> None:
        """Log an event, whose data may be of any kind, as with Handrail's own loggers."""
        if isinstance(data, Mapping):
            super().log(level, event, cast("Mapping[str, Any]", data), file, step)
        else:
            self._inner.log(event, data, file)

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        is_message = event == "message" and "content" in data and level is not None
        # Without its level, a message would lose it.
        told = {"context": level.value, **data} if is_message and level else data
        self._inner.log(event, told, file)
        run = None if _RUN_IS_TOLD.get() else self.run()
        if run is not None:
            run.logged(*(for_run(level, data) if is_message and level else (event, data)), file)

    def set_progress(
        self,
        current: float,
        total: float,
        step: str | None = None,
        category: str | None = None,
    ) -> None:
        """Pass on progress; see `BaseLogger`."""
        super().set_progress(current, total, step, category)
        self._inner.set_progress(current, total, self._named(step, category))

    def set_metrics(
        self, value: Mapping[str, Any], step: str | None = None, category: str | None = None
    ) -> None:
        """Pass on measured values; see `BaseLogger`."""
        super().set_metrics(value, step, category)
        self._inner.set_metrics(value, self._named(step, category))


class NoOpLogger(BaseLogger):
    """Keeps everything to itself."""

    def _log_impl(
        self,
        event: str,
        data: dict[str, Any],
        file: str | None,
        step: str | None,
        level: LogLevel | None = None,
    ) -> None:
        pass
