"""Tells which packs want another core than this one, from the requirements in their metadata."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import handrail
from handrail.packs.record import CORE
from handrail.settings.names import normalised
from handrail.settings.requirements import fits

_PARTS = re.compile(r"(?s)\s*([A-Za-z0-9][A-Za-z0-9._-]*)(.*)")
_MORE_THAN_A_RANGE = re.compile(r"[;@(\[]")


def unmet_range(requires: Iterable[str]) -> str:
    """Return the first range of `handrail` in `requires` that this core is not in, else nothing."""
    return next(filter(None, (_unmet(text, handrail.__version__) for text in requires)), "")


@lru_cache(maxsize=256)  # Many packs say the same of the core.
def _unmet(requirement: str, version: str) -> str:
    parts = _PARTS.fullmatch(requirement)
    if parts is None or normalised(parts[1]) != CORE:
        return ""
    specifiers = parts[2].strip()
    try:
        if _MORE_THAN_A_RANGE.search(specifiers):
            specifiers = _applying(requirement)
        return "" if fits(version, specifiers) else specifiers
    except ValueError:
        # Unreadable is not the same as unfit; installers refuse it anyway.
        return ""


def _applying(requirement: str) -> str:
    """Return the range that a requirement asks for here, with no extra asked for; else nothing.

    Raises:
        ValueError: It cannot be read.
    """
    # Its import takes 14 ms more than that of ranges, and hardly any pack needs it.
    from packaging.requirements import Requirement  # noqa: PLC0415

    wanted = Requirement(requirement)
    applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
    return str(wanted.specifier) if applies else ""
