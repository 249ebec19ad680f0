"""Finds the packs that require another version of core, from their metadata."""

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
    """Return the first range of `handrail` in `requires` that this core does not satisfy, or ""."""
    return next(filter(None, (_unmet(text, handrail.__version__) for text in requires)), "")


@lru_cache(maxsize=256)  # Many packs have the same requirement.
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
        # An unreadable requirement is ignored; installers reject it anyway.
        return ""


def _applying(requirement: str) -> str:
    """Return the range of a requirement if it applies here without extras, or an empty string.

    Raises:
        ValueError: The requirement cannot be parsed.
    """
    # Imported here: it takes 14 ms more than `packaging.specifiers`, and few packs need it.
    from packaging.requirements import Requirement  # noqa: PLC0415

    wanted = Requirement(requirement)
    applies = wanted.marker is None or wanted.marker.evaluate({"extra": ""})
    return str(wanted.specifier) if applies else ""
