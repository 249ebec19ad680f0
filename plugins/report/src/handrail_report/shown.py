"""What the JSON of `handrail show` and `handrail runs` has, and how views say it in a few words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from handrail.amounts import seconds
from handrail.frozen import frozen

Shown = Mapping[str, Any]
"""A run, a step, or another object in its JSON form."""

Link = Callable[[int], str]
"""Returns the address of the page of a run, by its number."""


def part(shown: Shown, name: str) -> Shown:
    """Return an object in another one; an empty one where there is none."""
    found: Shown | None = shown.get(name)
    return {} if found is None else found


def parts(shown: Shown, name: str) -> Sequence[Any]:
    """Return a list in an object; an empty one where there is none."""
    found: Sequence[Any] | None = shown.get(name)
    return () if found is None else found


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


def counted(states: Iterable[str]) -> str:
    """Return how many there are of each state: `3 done, 1 failed`."""
    return ", ".join(f"{count:,} {state}" for state, count in Counter(states).items())


def exception(steps: Sequence[str]) -> str:
    """Return ` except a, b`, for steps that an undo does not take back; empty if there are none."""
    names = ", ".join([*steps[:3], *["..."] * (len(steps) > 3)])
    return f" except {names}" if steps else ""


def json_text(value: object) -> str:
    """Return a text as it is, and any other value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def origin_text(origin: Mapping[str, Any] | None) -> str:
    """Return who a step or a layer came from, such as `acme-scan 1.4.0`."""
    origin = origin or {}
    if origin.get("pack"):
        return f"{origin['pack']} {origin.get('version') or ''}".strip()
    file, line = origin.get("file"), origin.get("line")
    return f"{file}:{line}" if file and line else file or origin.get("module") or "unknown"


def owner_text(owner: Mapping[str, Any]) -> str:
    """Return for whom and on which machine a run is worked on, as far as it is known."""
    return " on ".join(str(owner[name]) for name in ("user", "host") if owner.get(name))


def took_text(run: Mapping[str, Any]) -> str:
    """Return how long a run took, and its undo if there was one."""
    undo = f", undo {seconds(run['undo_took'])}" if run["undo_took"] else ""
    return f"{seconds(run['took'])}{undo}"


def short_number(value: float) -> str:
    """Return a number in a few letters, such as `0.941`, `1,234` or `1e-05`."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:.4g}"
