"""How packs are called: one spelling for every way to write the name of a distribution."""

from __future__ import annotations


def normalised(name: str) -> str:
    """Return `name` as an id of a pack: lower case, words joined by single hyphens (PEP 503)."""
    words = name.strip().lower().replace("_", "-").replace(".", "-")
    while "--" in words:
        words = words.replace("--", "-")
    return words


def variable_prefix(pack: str) -> str:
    """Return what the variables begin with that hold settings of `pack`: `HANDRAIL_ACME_SCAN_`."""
    return f"HANDRAIL_{normalised(pack).replace('-', '_').upper()}_"
