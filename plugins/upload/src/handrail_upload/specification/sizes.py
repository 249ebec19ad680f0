"""Parses and formats sizes for people."""

from __future__ import annotations

import re
from decimal import Decimal

_DECIMAL = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "TB": 1000**4}
_BINARY = {"KiB": 1024, "MiB": 1024**2, "GiB": 1024**3, "TiB": 1024**4}
_FACTORS = {unit.upper(): factor for unit, factor in (_DECIMAL | _BINARY).items()}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]+)", re.ASCII)

UNITS = ", ".join((*_DECIMAL, *_BINARY))


def bytes_of(text: str) -> int | None:
    """Return the bytes of a size such as `20 MB` or `1.5 GiB`; None if it is not a size.

    KB is 1000 bytes, KiB is 1024; the case does not matter.
    """
    match = _SIZE.fullmatch(text.strip())
    factor = _FACTORS.get(match[2].upper()) if match else None
    return int(Decimal(match[1]) * factor) if match and factor else None


def size_text(size: int) -> str:
    """Return `size` bytes as text: `999 bytes`, `25.1 MB`; `20 MiB` if that is exact."""
    for unit, factor in reversed(_BINARY.items()):
        if size % factor == 0 and size % 1000 and size // factor < 2048:
            return f"{size // factor:,} {unit}"
    for unit, factor in reversed(_DECIMAL.items()):
        # A size that rounds to 1000 of a unit is 1 of the next.
        if factor > 1 and size >= factor * Decimal("0.99995"):
            return f"{size / factor:,.1f}".removesuffix(".0") + f" {unit}"
    return "1 byte" if size == 1 else f"{size} bytes"


def two_sizes(first: int, second: int) -> tuple[str, str]:
    """Return both as text, to the byte if they would look the same otherwise."""
    texts = size_text(first), size_text(second)
    if texts[0] == texts[1] and first != second:
        return f"{first:,} bytes", f"{second:,} bytes"
    return texts
