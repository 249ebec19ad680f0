"""Amounts as people write them: counts, durations, shares and sizes."""

from __future__ import annotations

__all__ = ["percent", "plural", "seconds", "share_of", "size"]


def plural(count: int, noun: str) -> str:
    """Return `1 step` or `3 steps`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def seconds(took: float) -> str:
    """Return a duration as people write it: `0.4s`, `32s`, `4m 10s`, `5h 02m`, `3d 04h`."""
    if took < 10:
        return f"{took:.1f}s"
    minutes, rest = divmod(round(took), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s" if minutes else f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02d}m" if hours < 24 else f"{hours // 24}d {hours % 24:02d}h"


def percent(share: float) -> str:
    """Return a share of 1 as whole percent: `26 %`."""
    return f"{round(share * 100)} %"


def size(count: float) -> str:
    """Return bytes as people write them: `14 B`, `25.1 MB`, `2.24 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.0f} B" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def share_of(current: float, total: float, unit: str | None) -> str:
    """Return how far something is: `256/418`, and for bytes `1.41 GB/2.31 GB`."""
    if unit == "bytes":
        return f"{size(current)}/{size(total)}"
    return f"{current:g}/{total:g}" if total < 1e6 else f"{current:,.0f}/{total:,.0f}"
