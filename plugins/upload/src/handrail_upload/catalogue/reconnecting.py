"""When to try a PostgreSQL server again: the same text in handrail-postgres and handrail-upload."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator

IN_ALL = 75.0  # Seconds until a server counts as gone; a restart may take 30.
SAID_AFTER = 1.0  # A connection that is made again before is nobody's concern.
_FIRST = 0.1
_LONGEST = 5.0

# SQLSTATEs of sessions that the server has ended, and that a program between us may report.
_ENDED = ("08", "57P01", "57P02", "57P03", "57P05", "25P03")
# A failed connection has no SQLSTATE, only a message.
_REFUSED = re.compile(
    "does not exist|authentication|pg_hba|password|permission denied|not permitted|certificate"
)


def pauses() -> Iterator[tuple[float, float]]:
    """Yield the seconds to wait before each further attempt, and how many are left in all."""
    end, wait = time.monotonic() + IN_ALL, _FIRST
    while (left := end - time.monotonic()) > 0:
        # Those who lost their connections together do not come back together.
        yield min(left, wait * random.uniform(0.5, 1.0)), left
        wait = min(_LONGEST, 2 * wait)


def is_end(state: str | None) -> bool:
    """Return whether an error with this SQLSTATE is the end of its connection."""
    return state is not None and state.startswith(_ENDED)


def may_come_back(message: str) -> bool:
    """Return whether a server that could not be connected to may answer soon."""
    return _REFUSED.search(message) is None
