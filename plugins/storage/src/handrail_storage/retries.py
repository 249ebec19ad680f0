"""Tries again what a server has refused or left unanswered for a moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from handrail_storage.errors import PassingError

_LONGEST = 10.0  # Seconds between two attempts.

T = TypeVar("T")


def retrying(
    call: Callable[[], T],
    *,
    retries: int,
    on_status: Callable[[str | None], object],
    pause: Callable[[float], None] | None = None,
    first: float = 0.2,
) -> T:
    """Call, and call again while the error is one that may pass.

    Args:
        call: It may be repeated although an earlier one was obeyed.
        retries: Number of retries.
        on_status: Called with what it waits for before each pause, such as `retrying 2/8: the
            server cannot be reached`; with None once an attempt after that has succeeded.
        pause: Waits so many seconds between two attempts; `time.sleep` unless given.
        first: Seconds before the second attempt; they double up to ten.

    Raises:
        PassingError: All attempts failed, or the error is none that may pass.
    """
    attempt = 0
    while True:
        attempt += 1
        try:
            answer = call()
        except PassingError as error:
            if attempt > retries or not error.passing:
                raise error if error.attempts else error.after(attempt)  # noqa: B904 - the same
            failed = error
        else:
            if attempt > 1:
                on_status(None)
            return answer
        on_status(f"retrying {attempt}/{retries}: {failed.reason or failed}")
        # Those who failed together do not come back together.
        wait = min(_LONGEST, first * 2.0 ** (attempt - 1)) + random.uniform(0, first)
        (pause or time.sleep)(wait)
