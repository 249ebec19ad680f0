"""Names of files as text that every storage takes, and figures as people read them."""

from __future__ import annotations

import os
import re

_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def readable(path: str) -> str:
    """Return a path as text: control characters, and bytes that are no UTF-8, become %XX.

    Args:
        path: As `os.fsdecode` gives it. On Linux a name is bytes, not text.
    """
    return path if path.isprintable() else _UNFIT.sub(_escaped, path)


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in os.fsencode(found[0]))


def size_text(size: float) -> str:
    """Return bytes as people write them: `14 B`, `25.1 MB`, `2.24 GB`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            return f"{size:.0f} B" if unit == "B" else f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError


def count_text(count: int, noun: str) -> str:
    """Return `1 file` or `1,200 files`."""
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"
