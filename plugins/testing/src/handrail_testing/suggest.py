"""Suggests known names for an unknown one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean a or b?` for the known names near `name`, else an empty string."""
    matches = get_close_matches(name, list(known))
    return f"did you mean {' or '.join(matches)}?" if matches else ""
