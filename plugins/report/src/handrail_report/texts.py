"""What views say of runs and steps in a few words."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from handrail.amounts import seconds


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
