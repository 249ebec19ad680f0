"""Numbers and suggestions for people."""

from __future__ import annotations

from collections.abc import Iterable

from handrail.suggest import near as near_names


def some_of(names: Iterable[str], *, most: int = 8) -> str:
    """Return the first few of `names`, and the number of the others."""
    listed = list(names)
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more


def cut(text: str, width: int = 80) -> str:
    """Return a text on one line, and no longer than `width`."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def near(name: str, known: Iterable[str]) -> tuple[str, ...]:
    """Return a way out with the most similar name, or nothing."""
    return tuple(f"did you mean {each}?" for each in near_names(name, known, limit=1))
