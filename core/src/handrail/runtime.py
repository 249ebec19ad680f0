"""What a run gives to its steps: RuntimeContext for their output, RunInfo to name the run."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from handrail.frozen import frozen
from handrail.redact import KNOWN
from handrail.user_code import calls_user_code
from handrail.visible import visible


class RuntimeLogger(Protocol):
    """The protocol for a receiver of log events, progress and metrics."""

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Receive one event with its data; `file` is the path it is about, if any."""

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Receive progress within `category`, from 0 to `total`."""

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Receive measured values of `category`."""


class ConsoleLogger:
    """Logger that writes events, metrics and completed progress to standard error, a line each."""

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Write one event."""
        about = f" ({file})" if file else ""
        say(f"{event} {data}{about}")

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Write a line if `current` has reached `total`."""
        if current >= total:
            say(f"{category or 'progress'} {current}/{total}")

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Write the values."""
        say(f"{category or 'metrics'} {value}")


def say(line: str) -> None:
    """Write a line to standard error; what cannot be written there is no failure of a step."""
    with suppress(OSError):
        print(visible(KNOWN(line)), file=sys.stderr)


class RuntimeContext:
    """The client, environment and logger that a run gives to its steps.

    Any object with `log`, `set_progress` and `set_metrics` may be used in its place.

    Args:
        client: An object through which steps reach a backend; Handrail does not use it.
        env: Variables for the steps; the process environment is not copied.
        logger: The receiver of log events, progress and metrics; by default, the console.
    """

    def __init__(
        self,
        client: Any = None,
        env: Mapping[str, str] | None = None,
        logger: RuntimeLogger | None = None,
    ) -> None:
        self.client = client
        self.env: dict[str, str] = dict(env or {})
        self.logger: RuntimeLogger = ConsoleLogger() if logger is None else logger

    @calls_user_code
    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Log one event with its data; `file` is the path it is about, if any."""
        self.logger.log(event, data, file)

    @calls_user_code
    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Report progress within `category`.

        Raises:
            ValueError: `total` is not above 0, or `current` is not between 0 and `total`.
        """
        if not total > 0:
            raise ValueError(f"progress total must be above 0, not {total}")
        if not 0 <= current <= total:
            raise ValueError(f"progress must lie between 0 and {total}, not at {current}")
        self.logger.set_progress(current, total, category)

    @calls_user_code
    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Report measured values of `category`."""
        self.logger.set_metrics(value, category)


class _SilentLogger:
    """Discards what it is told: observers receive it as events."""

    def log(self, *_: object, **__: object) -> None:
        """Take anything."""

    set_progress = set_metrics = log


def silent_runtime() -> RuntimeContext:
    """Return a runtime context that writes nothing itself."""
    return RuntimeContext(logger=_SilentLogger())


@frozen
class RunInfo:
    """Names a run to others, for steps that leave a note outside the journal.

    Attributes:
        uid: The UUID of the run, the same in every process that continues it.
        action: The name by which the action is found, such as `upload` or `flows.py:nightly`.
        host: Name of the machine that works on the run now.
        user: Name of the user who works on it now.
        project: The project of the run: its name, or the real path of its folder.
        number: The number of the run in its journal, or None without a journal.
        journal: The journal: the absolute path of a file, or a URL without secrets; or None.
        parent: The number of the run that it is a part of, or None.
    """

    uid: str
    action: str
    host: str
    user: str
    project: str
    number: int | None = None
    journal: str | None = None
    parent: int | None = None
