"""Names of files as text that every storage takes, and figures as people read them."""

from __future__ import annotations

import hashlib
import os
import re

RUN = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""The id of a run, as a regular expression."""

_LONGEST = 255  # Bytes of a file name, on all usual file systems.
_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def readable(path: str) -> str:
    """Return a path as text: control characters, and bytes that are no UTF-8, become %XX.

    Args:
        path: As `os.fsdecode` gives it. On Linux a name is bytes, not text.
    """
    return path if path.isprintable() else _UNFIT.sub(_escaped, path)


def _escaped(found: re.Match[str]) -> str:
    try:
        encoded = os.fsencode(found[0])
    except UnicodeEncodeError:  # It comes from no file system.
        encoded = found[0].encode(errors="surrogatepass")
    return "".join(f"%{byte:02X}" for byte in encoded)


def beside(path: str, suffix: str) -> str:
    """Return `path` with a suffix; a name that becomes too long is told by its digest."""
    folder, name = os.path.split(path)
    if len(os.fsencode(name)) + len(suffix) > _LONGEST:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return os.path.join(folder, f"{name}{suffix}")


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
