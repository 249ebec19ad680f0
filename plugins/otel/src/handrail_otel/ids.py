"""The ids of traces and spans: hashes of what they are of, the same in every process.

So a span that one process exports has the parent that another one exports later, and a span that is
exported from the journal has the id that a step has passed on while it ran.
"""

from __future__ import annotations

import hashlib
import re

from handrail.frozen import frozen

_TRACEPARENT = re.compile("[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@frozen
class Remote:
    """A span of another program, as `TRACEPARENT` names it.

    Attributes:
        trace: The id of its trace.
        span: Its id.
        sampled: Whether it is recorded.
    """

    trace: int
    span: int
    sampled: bool = True

    def __str__(self) -> str:
        return f"00-{self.trace:032x}-{self.span:016x}-{int(self.sampled):02x}"


def remote_of(text: str) -> Remote | None:
    """Return what a `traceparent` of W3C Trace Context says; None if it is not valid."""
    found = _TRACEPARENT.fullmatch(text.strip().lower())
    if found is None or found[0].startswith("ff"):
        return None
    trace, span = int(found[1], 16), int(found[2], 16)
    sampled = bool(int(found[3], 16) & 1)
    return Remote(trace=trace, span=span, sampled=sampled) if trace and span else None


def trace_of(run: str, parent: Remote | None) -> int:
    """Return the id of the trace of a run.

    Args:
        run: The UUID of the run.
        parent: The span of another program that it belongs to, or None.
    """
    return _hashed(16, run, "trace") if parent is None else parent.trace


def span_id(run: str, *parts: object) -> int:
    """Return the id of a span.

    Args:
        run: The UUID of the run.
        parts: What it is of: a word, and what tells it from others of that word.
    """
    return _hashed(8, run, *map(str, parts))


def root_id(run: str, fence: int = 0) -> int:
    """Return the id of the span of a run.

    Args:
        run: The UUID of the run.
        fence: That of the run when an earlier span of it had ended, or 0.
    """
    return span_id(run, "run", fence)


def attempt_id(run: str, step: str, n: int) -> int:
    """Return the id of the span of an attempt of a step.

    Args:
        run: The UUID of the run.
        step: The name of the step.
        n: The number of the attempt, from 1.
    """
    return span_id(run, "attempt", step, n)


def _hashed(size: int, *parts: str) -> int:
    # An id is never 0: one in 2 ** 64 would be.
    text = "\0".join(("handrail", *parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(text).digest()[:size], "big") or 1
