"""Formats sizes, counts and errors for people."""

from __future__ import annotations

from datetime import datetime

from handrail.amounts import size
from handrail.errors import HandrailError

size_text = size
"""Return bytes as people write them: `14 B`, `25.1 MB`, `2.24 GB`."""


def count_text(count: int, noun: str, plural: str | None = None) -> str:
    """Return `1 file` or `1,200 files`; `plural` is for nouns that take no s."""
    return f"1 {noun}" if count == 1 else f"{count:,} {plural or f'{noun}s'}"


def one_line(error: HandrailError) -> str:
    """Return an error with its ways out in one line, for a wrong param."""
    return "; ".join((error.message, *error.ways_out))


def moment_text(seconds: float) -> str:
    """Return a moment as the clock of this machine shows it: `2026-12-31 10:00+01:00`."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "minutes")


def age_text(seconds: float) -> str:
    """Return a time as people say it: `8s`, `12m`, `3h`, `4d`."""
    for length, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"
