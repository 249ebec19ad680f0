"""The error of a sweep of which too many runs failed."""

from __future__ import annotations

from handrail.errors import HandrailError


class SweepFailedError(HandrailError, RuntimeError):
    """More runs of a sweep failed than may; what ran has ended.

    Attributes:
        failed: How many runs failed.
        most: How many may.
    """

    code = "sweep-failed"

    def __init__(self, failed: int, most: int, count: int, first: str = "") -> None:
        may = f"; {most:,} may" if most else ""
        shown = f": {first}" if first else ""
        super().__init__(f"{failed:,} of {count:,} runs failed{may}, and no more were begun{shown}")
        self.failed = failed
        self.most = most
