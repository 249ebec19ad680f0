"""The world outside a workflow, as its steps reach it: RuntimeContext and where it writes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol

from handrail.engine.user_code import calls_user_code


class RuntimeLogger(Protocol):
    """Where a RuntimeContext sends what it is told."""

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Take one event with its data, and the file it is about."""

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Take a position in the work of `category`."""

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Take measured values of `category`."""


class ConsoleLogger:
    """Writes events and metrics to standard error, one line each; progress only at its end."""

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Write one event."""
        about = f" ({file})" if file else ""
        print(f"{event} {data}{about}", file=sys.stderr)

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Write a line once `current` has reached `total`."""
        if current >= total:
            print(f"{category or 'progress'} {current}/{total}", file=sys.stderr)

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Write the values."""
        print(f"{category or 'metrics'} {value}", file=sys.stderr)


class RuntimeContext:
    """The world outside a workflow: a client, an environment and a logger.

    Any object with `log`, `set_progress` and `set_metrics` will do in its place.

    Args:
        client: Whatever the steps use to reach a backend; opaque to Handrail.
        env: Variables for the steps. Nothing of the process environment is taken by itself.
        logger: Where log events, progress and metrics go: a `RuntimeLogger`; the console if None.
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
        """Log one event with its data; `file` is what it is about."""
        self.logger.log(event, data, file)

    @calls_user_code
    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Report a position within the work of `category`.

        Raises:
            ValueError: `total` is not above 0, or `current` lies outside 0 to `total`.
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
