"""The names under which a journal stores values that JSON lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count

_ODD = re.compile(r"[^A-Za-z0-9_.-]+")
_LONGEST = 100  # Characters before the suffix; file systems allow 255 bytes.


def value_names(stem: str, suffix: str) -> Iterator[str]:
    """Yield names for a value without end, the best first, all of plain characters.

    Args:
        stem: What they begin with, any text.
        suffix: What they end with, such as `.parquet`.
    """
    start = _ODD.sub("_", stem).strip("._-")[:_LONGEST] or "value"
    end = _ODD.sub("", suffix)
    yield f"{start}{end}"
    for number in count(2):
        yield f"{start}-{number}{end}"
