"""How states look: a tone, a glyph and a word, so that none is told by its colour alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from handrail.frozen import frozen


@frozen(kw_only=False)
class Look:
    """How a state looks.

    Attributes:
        tone: The class of its colours: `good`, `bad`, `warn`, `busy`, `undo` or `quiet`.
        glyph: A character of its own.
    """

    tone: str
    glyph: str


GOOD, BAD, WARN = Look("good", "✓"), Look("bad", "✗"), Look("warn", "!")
BUSY, UNDONE, QUIET = Look("busy", "▸"), Look("undo", "↶"), Look("quiet", "-")

LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        # Of runs.
        "completed": GOOD,
        "rolled back": UNDONE,
        "rollback incomplete": BAD,
        "failed (kept)": BAD,
        "failed, rolled back": BAD,
        "interrupted": WARN,
        "running": BUSY,
        "stalled": WARN,
        "damaged": BAD,
        "not begun": QUIET,
        # Of steps.
        "done": GOOD,
        "failed": BAD,
        "undone": UNDONE,
        "undo failed": BAD,
        "failed and undone": BAD,
        "may have left something": WARN,
        "waiting": QUIET,
        "skipped": QUIET,
        "not started": QUIET,
        "unknown": WARN,
    }
)
"""The looks of the states of runs and steps."""


def look_of(state: str) -> Look:
    """Return how a state of a run or a step looks."""
    return LOOKS.get(state, QUIET)
