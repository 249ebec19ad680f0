"""The percentage of a run as a whole: 100 means done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from handrail.engine.user_code import calls_user_code
from handrail.events import Event, ProgressChanged

if TYPE_CHECKING:
    from handrail.plan.plan import Plan
    from handrail.plan.weights import Weights


class Progress:
    """The percentage of a run as a whole, passed on whenever it grows.

    Attributes:
        wanted: Whether there is a callback or a listener.
        percent: The percentage that was passed on last.
    """

    __slots__ = (
        "_listener",
        "_lock",
        "_on_progress",
        "_plan",
        "_quiet",
        "percent",
        "wanted",
    )

    def __init__(
        self,
        plan: Plan,
        on_progress: Callable[[int, int], object] | None,
        listener: Callable[[Event], None] | None,
    ) -> None:
        self.wanted = on_progress is not None or listener is not None
        self.percent = 0
        self._plan = plan
        self._on_progress = on_progress
        self._listener = listener
        self._lock = threading.RLock()
        self._quiet: tuple[int, float, float] = (-1, 0, 0)

    @property
    def weights(self) -> Weights:
        """The plan's weights, worked out when something reports progress."""
        return self._plan.weights

    @calls_user_code
    def reached(self, percent: int) -> None:
        """Pass `percent` on, if it has grown."""
        with self._lock:  # Steps may report from threads of their own.
            if percent <= self.percent:
                return
            self.percent = percent
            if self._listener is not None:
                self._listener(ProgressChanged(percent=percent))
            if self._on_progress is not None:
                self._on_progress(percent, 100)

    def within(self, position: int, current: float, total: float) -> None:
        """Note that `current` of `total` of the step at `position` is done."""
        # Nearly always there is none until the step has come to a value that is known.
        where, known, news = self._quiet
        if current < news and position == where and total == known:
            return
        weights = self.weights
        self.reached(weights.within(position, current, total))
        self._quiet = (position, total, weights.news(position, total, self.percent))
