"""Text for people: cut to the width of a terminal; counts, durations and sizes."""

from __future__ import annotations

from collections.abc import Sequence

from handrail.redact import KNOWN
from handrail.visible import visible

WIDTH = 100


def shown(text: str) -> str:
    """Return `text` as the console writes it; what is cut before has no part of a secret left."""
    return visible(KNOWN(text))


def columns(text: str) -> int:
    """Return the number of terminal columns of `text`, as it is shown."""
    text = shown(text)
    if text.isascii():
        return len(text)
    return sum(_columns_of(letter) for letter in text)


def _columns_of(letter: str) -> int:
    import unicodedata  # noqa: PLC0415 - most tables are ASCII

    # Marks, and characters that only change how others look.
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return the part of `text`, as it is shown, that fits into `width` columns."""
    text = shown(text)
    if columns(text) <= width:
        return text
    left = width
    for place, letter in enumerate(text):
        left -= _columns_of(letter)
        if left < 0:
            return text[:place]
    return text


def shorten(text: str, width: int = WIDTH) -> str:
    """Return `text` in at most `width` columns, with a mark if it is cut."""
    text = shown(text)
    return text if columns(text) <= width else cut(text, width - 1) + "…"


def shorten_start(text: str, width: int) -> str:
    """Return the end of `text` in at most `width` columns, with a mark if it is cut."""
    text = shown(text)
    if columns(text) <= width:
        return text
    return "…" + cut(text[::-1], width - 1)[::-1]


def facts(*parts: str) -> list[str]:
    """Return short texts in as few lines as they fit into; those after the first are indented."""
    first, *others = map(shown, parts)
    lines = [first]
    for part in others:
        longer = f"{lines[-1]} · {part}"
        if columns(longer) <= WIDTH:
            lines[-1] = longer
        else:
            lines.append(f"  {part}")
    return lines


def listed(names: Sequence[str], *, room: int, longest: int = 32) -> str:
    """Return as many names as fit, and the number of the others."""
    text, shown = "", 0
    for name in names:
        longer = f"{text}, {shorten(name, longest)}" if shown else shorten(name, longest)
        more = len(names) - shown - 1
        tail = f" and {more} more" if more else ""
        if shown and columns(longer + tail) > room:
            break
        text, shown = longer, shown + 1
    rest = len(names) - shown
    return f"{text} and {rest} more" if rest else text


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


def one_line(text: str, *, limit: int = 500) -> str:
    """Return `text` on one line, shortened if it is long."""
    text = KNOWN(text)
    flat = " ".join(text.split()) if "\n" in text or "\t" in text else text
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


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
