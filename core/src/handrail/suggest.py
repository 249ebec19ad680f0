"""What somebody may have meant by a name that leads nowhere."""

from __future__ import annotations

from collections.abc import Iterable


def near(name: str, known: Iterable[str], *, limit: int = 3) -> tuple[str, ...]:
    """Return up to `limit` of the `known` names that look like `name`, the best first."""
    # difflib is only worth its import once something has already gone wrong.
    from difflib import get_close_matches  # noqa: PLC0415

    folded = {candidate.lower().replace("-", "_"): candidate for candidate in known}
    matches = get_close_matches(name.lower().replace("-", "_"), folded, n=limit, cutoff=0.6)
    return tuple(folded[match] for match in matches)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `did you mean a or b?` for the known names near `name`, else an empty string."""
    matches = near(name, known)
    return f"did you mean {' or '.join(matches)}?" if matches else ""
