"""Suggests known names for a misspelt one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["did_you_mean", "near"]


def near(
    name: str, known: Iterable[str], *, limit: int = 3, cutoff: float = 0.6
) -> tuple[str, ...]:
    """Return up to `limit` of the `known` names that are similar to `name`, the best first."""
    folded = {candidate.lower().replace("-", "_"): candidate for candidate in known}
    matches = get_close_matches(name.lower().replace("-", "_"), folded, n=limit, cutoff=cutoff)
    return tuple(folded[match] for match in matches)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean a or b?` for known names similar to `name`, or an empty string."""
    matches = near(name, known)
    return f"did you mean {' or '.join(matches)}?" if matches else ""
