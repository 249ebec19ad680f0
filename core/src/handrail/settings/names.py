"""How packs are called: one spelling for every way to write the name of a distribution."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[-_.]+")


def normalised(name: str) -> str:
    """Return `name` as an id of a pack: lower case, words joined by single hyphens (PEP 503)."""
    return _SEPARATORS.sub("-", name.strip()).lower()
