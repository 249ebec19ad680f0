"""Suggests similar names for an unknown name."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean a or b?` for up to three known names near `name`, or an empty text."""
    # difflib is slow to import, and only needed for errors.
    from difflib import get_close_matches  # noqa: PLC0415

    folded = {candidate.lower().replace("-", "_"): candidate for candidate in known}
    matches = get_close_matches(name.lower().replace("-", "_"), folded, n=3, cutoff=0.6)
    return f"did you mean {' or '.join(folded[each] for each in matches)}?" if matches else ""
