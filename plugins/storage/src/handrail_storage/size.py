"""Size: bytes in params and files, written as people write them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, ByteSize

_WRITTEN = re.compile(
    r"(?P<count>\d{1,15}(?:\.\d{1,15})?)\s*(?P<unit>(?:[kmgtpe]i?)?b)?", re.ASCII | re.IGNORECASE
)


def _bytes(value: Any) -> Any:
    # ByteSize reads only how a text begins: "1,000 MB" would be 1 byte.
    if isinstance(value, str) and (found := _WRITTEN.fullmatch(value.strip())):
        unit = (found["unit"] or "b").lower()
        return int(Decimal(found["count"]) * int(ByteSize.byte_sizes[unit]))
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError("is not a size, such as 500kB or 20MiB")


Size = Annotated[ByteSize, BeforeValidator(_bytes)]
"""Bytes: a whole number, or text with a unit: `10MB` has 10,000,000, `1.5 GiB` 1,610,612,736."""
