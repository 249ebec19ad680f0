"""Normalises the names of packs."""

from __future__ import annotations


def normalised(name: str) -> str:
    """Return the pack id for `name`: lower case, words joined by single hyphens (PEP 503)."""
    words = name.strip().lower().replace("_", "-").replace(".", "-")
    while "--" in words:
        words = words.replace("--", "-")
    return words


def variable_prefix(pack: str) -> str:
    """Return the prefix of environment variables for a pack's settings: `HANDRAIL_ACME_SCAN_`."""
    return f"HANDRAIL_{normalised(pack).replace('-', '_').upper()}_"
