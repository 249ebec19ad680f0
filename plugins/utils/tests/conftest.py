"""What the tests of this pack share: a context whose log is a list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from handrail import BaseStepContext, RuntimeContext


class Notes:
    """A runtime logger that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def log(self, event: str, data: Any, file: str | None = None) -> None:
        self.events.append((event, dict(data)))

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        self.events.append(("progress", {"current": current, "total": total, "of": category}))

    def set_metrics(self, value: Any, category: str | None = None) -> None:
        self.events.append(("metrics", {**value, "of": category}))


@dataclass(kw_only=True)
class Journey(BaseStepContext):
    """A context that remembers what steps did, in order."""

    trail: list[Any] = field(default_factory=list)

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        return self.runtime_ctx.logger.events

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]


@pytest.fixture
def make_context() -> Callable[[], Journey]:
    return lambda: Journey(runtime_ctx=RuntimeContext(logger=Notes()))


@pytest.fixture
def context(make_context: Callable[[], Journey]) -> Journey:
    return make_context()
