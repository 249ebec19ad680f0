"""The times of claims."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial

from handrail.frozen import frozen

_STILL = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

# A laptop that was closed has slept, which CLOCK_MONOTONIC leaves out.
_elapsed = partial(time.clock_gettime, _STILL)


@frozen
class Clock:
    """The times of claims, in seconds.

    Attributes:
        renew: An owner renews its claim when its last renewal is this old.
        stop: An owner sends nothing more when its last renewal is this old.
        free: A claim can be freed from outside when its last renewal is this old.
        asking: A run waits so long for another one that is asking too, which is soon decided.
        undoing: A rollback waits so long for those that are in its way.
        now: The seconds since 1970.
        elapsed: A clock that nobody sets, and that goes on while the machine sleeps.
        sleep: Waits.
    """

    renew: float = 600.0
    stop: float = 1800.0
    free: float = 3600.0
    asking: float = 5.0
    undoing: float = 30.0
    now: Callable[[], float] = time.time
    elapsed: Callable[[], float] = _elapsed
    sleep: Callable[[float], None] = time.sleep

    def pause(self, attempt: int, left: float) -> None:
        """Wait before another attempt, longer from one to the next, up to 15 seconds.

        Two runs that have refused each other must not meet again, so the time is random.
        """
        longest = min(15.0, 0.25 * 2.0**attempt)
        self.sleep(min(random.uniform(0.2, 1.0) * longest, max(left, 0.05)))
