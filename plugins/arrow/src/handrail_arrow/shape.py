"""How large a table or an array is, as people write it."""

from __future__ import annotations

from collections.abc import Iterable


def shape(sizes: Iterable[int]) -> str:
    """Return sizes as people write them: `1,000 x 5`."""
    return " x ".join(f"{size:,}" for size in sizes)
