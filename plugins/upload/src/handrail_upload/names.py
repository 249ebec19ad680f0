"""Converts names of files to text that every storage accepts."""

from __future__ import annotations

import os
import re

_UNFIT = "[\x00-\x1f\x7f\ud800-\udfff]"


def readable(path: str) -> str:
    """Return a path as text: control characters, and bytes that are no UTF-8, become %XX.

    Args:
        path: As `os.fsdecode` gives it. On Linux a name is bytes, not text.
    """
    return path if path.isprintable() else re.sub(_UNFIT, _escaped, path)


def _escaped(found: re.Match[str]) -> str:
    try:
        encoded = os.fsencode(found[0])
    except UnicodeEncodeError:  # It comes from no file system.
        encoded = found[0].encode(errors="surrogatepass")
    return "".join(f"%{byte:02X}" for byte in encoded)
